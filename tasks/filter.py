"""filter owner/name: designs are judged by wording, wiring and rows."""

from __future__ import annotations

from typing import Any

from prefect import task

from dynosaur_core.clients import open_clients
from dynosaur_core.digest import digest
from dynosaur_core.filter.stage import filter_key
from dynosaur_core.judging import filter_designs
from dynosaur_core.models import DatasetMetadata, DatasetRef, Proposal
from dynosaur_core.settings import Settings
from tasks.policy import TASK_OPTIONS, coded


def _key(_context: Any, given: dict[str, Any]) -> str:
    metadata: DatasetMetadata = given["metadata"]
    digests = {subset.config: subset.rows.digest for subset in metadata.subsets if subset.rows}
    settings: Settings = given["settings"]
    # tasks name their dataset, and a copy of it under another name has the same rows and designs
    return f"filter/{digest(given['ref'].repo_id, filter_key(given['proposals'], digests, settings.filtering))}"


@task(name="filter", task_run_name="filter {ref.repo_id}", cache_key_fn=_key, **TASK_OPTIONS)
@coded
def filter(ref: DatasetRef, metadata: DatasetMetadata, proposals: list[Proposal], settings: Settings) -> dict[str, Any]:
    """Proposals -> FilterResult as JSON."""
    return filter_designs(metadata, proposals, settings, open_clients(settings).store).model_dump(mode="json")
