"""judge owner/name: a model reads what the filter let pass."""

from __future__ import annotations

from typing import Any

from prefect import task

from dynosaur_core.clients import open_clients
from dynosaur_core.judging import judge_filtered, judging_key
from dynosaur_core.models import DatasetMetadata, DatasetRef, FilterResult
from dynosaur_core.settings import Settings
from tasks.policy import TASK_OPTIONS, coded


def _key(_context: Any, given: dict[str, Any]) -> str:
    settings: Settings = given["settings"]
    return "judge/" + judging_key(given["metadata"], given["filtered"], settings, open_clients(settings).store)


@task(name="judge", task_run_name="judge {ref.repo_id}", cache_key_fn=_key, **TASK_OPTIONS)
@coded
def judge(
    ref: DatasetRef, metadata: DatasetMetadata, filtered: FilterResult, settings: Settings, growth_id: str
) -> dict[str, Any]:
    """FilterResult -> JudgeResult as JSON; paid from the growth's budget."""
    clients = open_clients(settings)
    llm = clients.llm(growth_id)
    if llm.anew_since is not None:
        # as in the instruction stage: a batch may bring the new answers to a later growth
        clients.store.remove(
            f"results/{_key(None, {'metadata': metadata, 'filtered': filtered, 'settings': settings})}"
        )
    return judge_filtered(metadata, filtered, settings, llm, clients.store).model_dump(mode="json")
