"""One dataset on its way through its stages."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import UUID

from prefect.futures import PrefectFuture

from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.models import Contribution, DatasetMetadata, DatasetRef, FilterResult, Proposal, Stage
from dynosaur_core.stored import as_stored

T = TypeVar("T")


@dataclass
class Branch:
    """What the stages of one dataset have returned so far."""

    ref: DatasetRef
    stage: Stage = "metadata"
    metadata: DatasetMetadata | None = None
    proposals: list[Proposal] = field(default_factory=list)
    filtered: FilterResult | None = None
    contribution: Contribution | None = None
    trace: dict[str, Any] = field(default_factory=dict)
    begun: float = 0.0
    """When its present stage was submitted, by the monotonic clock."""
    took: dict[Stage, float] = field(default_factory=dict)
    """Seconds of the stages that have ended."""
    ended: bool = False
    """Whether its end is written down and counted."""
    task_run_id: UUID | None = None
    """Of the stage that ended last."""

    def read(self, result: Any, kind: type[T]) -> T:
        """The result of the present stage, which an earlier growth may have stored; raises StoreFailed."""
        name = self.ref.repo_id
        remedy = f"run `dynosaur backfill {name} --from-stage {self.stage}`"
        return as_stored(result, kind, f"the {self.stage} result of {name}", remedy)

    def begin(self, stage: Stage) -> None:
        """The stage is submitted."""
        self.stage, self.begun = stage, time.monotonic()

    def took_until_now(self) -> None:
        """The present stage has ended."""
        self.took[self.stage] = time.monotonic() - self.begun


def as_error(result: Any, future: PrefectFuture[Any] | None = None) -> DynosaurError:
    """What a stage raised, or how its task run ended without a result, as an error with a code."""
    if isinstance(result, DynosaurError):
        return DynosaurError(result.code, result.message, retry_after=result.retry_after)  # without what to do
    if isinstance(result, BaseException):
        wrapped = DynosaurError(Code.UNEXPECTED, f"{type(result).__name__}: {result}")
        wrapped.__cause__ = result
        return wrapped
    assert future is not None
    return DynosaurError(Code.UNEXPECTED, f"the task run ended {future.state.name}: {future.state.message}")
