"""What a dataset's last branch said and heard: the results of its stages, kept for `explain` and `export`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dynosaur_core.digest import canonical_json, digest
from dynosaur_core.models import DatasetMetadata, FilterResult, JudgeResult, Proposal, Stored, Usage
from dynosaur_core.results import Seconds
from dynosaur_core.secrets import strike
from dynosaur_core.store import Store
from dynosaur_core.text import storable


class Trace(Stored):
    """The results of the stages that a branch went through; the message of an error for the stage where it broke."""

    metadata: DatasetMetadata | str | None = None
    instruction: tuple[Proposal, ...] | str = ()
    filter: FilterResult | str | None = None
    judge: JudgeResult | str | None = None
    seconds: Seconds | None = None
    usage: Usage | None = None
    """What the branch has spent on the model; None where it asked nothing."""


def trace_name(repo_id: str) -> str:
    """Where a dataset's trace is in the store; ids come from outside and are never a path."""
    return f"traces/{digest(repo_id)}.json"


def keep_trace(store: Store, repo_id: str, growth_id: str, parts: Mapping[str, Any]) -> None:
    """Stores what the stages of a branch gave, by stage."""
    text = canonical_json({"growth_id": growth_id, **parts})
    store.write_bytes(trace_name(repo_id), strike(storable(text)).encode())


def read_trace(store: Store, repo_id: str) -> Trace:
    """The trace of a dataset's last branch, empty where it left none; raises StoreFailed where it is damaged."""
    remedy = f"run `dynosaur backfill {repo_id}`"
    return store.read_model(trace_name(repo_id), Trace, remedy, repo_id) or Trace()
