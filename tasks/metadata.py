"""metadata owner/name: the card is read and rows are sampled."""

from __future__ import annotations

from typing import Any

from prefect import task

from dynosaur_core.clients import open_clients
from dynosaur_core.metadata.stage import metadata_key, read_metadata
from dynosaur_core.models import DatasetRef
from dynosaur_core.settings import Settings
from tasks.policy import TASK_OPTIONS, coded


def _key(_context: Any, given: dict[str, Any]) -> str:
    settings: Settings = given["settings"]
    return "metadata/" + metadata_key(given["ref"], settings.sampling, settings.policy)


@task(name="metadata", task_run_name="metadata {ref.repo_id}", cache_key_fn=_key, **TASK_OPTIONS)
@coded
def metadata(ref: DatasetRef, settings: Settings) -> dict[str, Any]:
    """DatasetRef -> DatasetMetadata as JSON."""
    clients = open_clients(settings)
    found = read_metadata(ref, clients.catalog, clients.store, settings.sampling, settings.policy)
    return found.model_dump(mode="json")
