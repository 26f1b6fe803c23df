"""replay: the mixture of one stage."""

from __future__ import annotations

from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE

from dynosaur_core.clients import open_clients
from dynosaur_core.continual.choice import ReplayChoice
from dynosaur_core.continual.embeddings import Progress
from dynosaur_core.continual.mixture import replay as make_mixture
from dynosaur_core.settings import Settings
from tasks.policy import TASK_OPTIONS, coded

# The mixture's manifest is the cache: it is asked for the same key, and whether its files are still there.
_OPTIONS = {**TASK_OPTIONS, "persist_result": False, "cache_policy": NO_CACHE}


@task(name="replay", task_run_name="replay {choice.strategy}", **_OPTIONS)
@coded
def replay(choice: ReplayChoice, settings: Settings, progress: Progress) -> dict[str, Any]:
    """ReplayChoice -> ReplaySummary as JSON; the mixture is files at its place, embeddings are kept in the store."""
    return make_mixture(choice, settings, open_clients(settings).store, progress).as_json()
