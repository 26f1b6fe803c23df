"""instruction owner/name: the designers are asked for tasks."""

from __future__ import annotations

from typing import Any

from prefect import task

from dynosaur_core.clients import open_clients
from dynosaur_core.instruction.stage import instruction_key, propose
from dynosaur_core.models import DatasetMetadata, DatasetRef
from dynosaur_core.settings import Settings
from tasks.policy import TASK_OPTIONS, coded


def _key(_context: Any, given: dict[str, Any]) -> str:
    return "instruction/" + instruction_key(given["metadata"], given["settings"])


@task(name="instruction", task_run_name="instruction {ref.repo_id}", cache_key_fn=_key, **TASK_OPTIONS)
@coded
def instruction(ref: DatasetRef, metadata: DatasetMetadata, settings: Settings, growth_id: str) -> list[Any]:
    """DatasetMetadata -> Proposals as JSON, one per subset and designer; paid from the growth's budget."""
    clients = open_clients(settings)
    llm = clients.llm(growth_id) if settings.designing.asks_model else None
    if llm is not None and llm.anew_since is not None:
        # a batch may bring the new answers to a later growth: it must not find what the old ones said
        clients.store.remove(f"results/{_key(None, {'metadata': metadata, 'settings': settings})}")
    proposals = propose(metadata, settings, llm, clients.store)
    return [proposal.model_dump(mode="json") for proposal in proposals]
