"""publish owner/name: rows become records, all of them visible at once."""

from __future__ import annotations

from typing import Any

from prefect import task

from dynosaur_core.clients import open_clients
from dynosaur_core.models import DatasetMetadata, DatasetRef, InstructionTask
from dynosaur_core.publish.stage import publish as publish_stage
from dynosaur_core.publish.stage import publish_key
from dynosaur_core.settings import Settings
from tasks.policy import TASK_OPTIONS, coded


def _key(_context: Any, given: dict[str, Any]) -> str:
    settings: Settings = given["settings"]
    return "publish/" + publish_key(given["metadata"], given["accepted"], settings.publishing)


@task(name="publish", task_run_name="publish {ref.repo_id}", cache_key_fn=_key, **TASK_OPTIONS)
@coded
def publish(
    ref: DatasetRef, metadata: DatasetMetadata, accepted: list[InstructionTask], settings: Settings
) -> dict[str, Any]:
    """InstructionTasks and rows -> Contribution as JSON; its records are parquet in the store."""
    contribution = publish_stage(metadata, accepted, open_clients(settings).store, settings.publishing)
    return contribution.model_dump(mode="json")
