"""Events of a running growth, for a screen that listens in the same process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from dynosaur_core.models import GrowthPlan
from dynosaur_core.report import GrowthReport
from dynosaur_core.results import Released

if TYPE_CHECKING:
    from dynosaur_core.continual.mixture import ReplaySummary
    from dynosaur_core.errors import DynosaurError
    from dynosaur_core.experiment.experiment import ExperimentSummary
    from dynosaur_core.training.finetune import FinetuneSummary


@dataclass(frozen=True)
class Planned:
    """The survey has ended."""

    plan: GrowthPlan


@dataclass(frozen=True)
class BranchEnded:
    """A dataset's branch has ended, and its end is in the ledger."""

    repo_id: str
    end: str
    """`grown`, or `refused: REASON`, `failed: CODE`, `deferred: CODE`."""


@dataclass(frozen=True)
class Releasing:
    """A release is about to be made."""

    url: str


@dataclass(frozen=True)
class GrowthEnded:
    """The report is in the ledger."""

    report: GrowthReport


@dataclass(frozen=True)
class ReleasesEnded:
    """The release flow has tried every sink."""

    released: Released


@dataclass(frozen=True)
class MixtureMade:
    """The mixture of a stage stands at its place."""

    summary: ReplaySummary


@dataclass(frozen=True)
class Embedded:
    """So many texts of a mixture have their vectors."""

    done: int
    total: int


@dataclass(frozen=True)
class Trained:
    """A training has ended, or had ended before."""

    summary: FinetuneSummary


@dataclass(frozen=True)
class Compared:
    """An experiment has ended."""

    summary: ExperimentSummary
    failure: DynosaurError | None
    """Of the first step that failed."""


Event: TypeAlias = (
    Planned | BranchEnded | Releasing | GrowthEnded | ReleasesEnded | MixtureMade | Embedded | Trained | Compared
)
Listener: TypeAlias = Callable[[Event], None]

_listeners: list[Listener] = []


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Calls `listener` with every event that is sent inside the block."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


def tell(event: Event) -> None:
    """Calls all listeners with the event."""
    for listener in list(_listeners):
        listener(event)
