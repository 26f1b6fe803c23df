"""What flows and commands return, print with `--json`, and keep in the ledger.

A result reads what earlier code stored: it ignores keys that it does not know, and what that code did not count has a
default.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from dynosaur_core.models import STAGES, Stage, Usage


class Result(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    def as_json(self) -> dict[str, Any]:
        """JSON values of what was set; what does not apply, or was not counted yet when it was stored, has no key."""
        return self.model_dump(mode="json", exclude_unset=True)


class Asked(Result):
    """What was sent to the model, or would be, and what came back."""

    request: str
    model: str = ""
    when: datetime | None = None
    finish_reason: str | None = None
    refusal: str | None = None
    usage: Usage = Usage()
    sent: list[dict[str, str]]
    came_back: str | None


@dataclass(frozen=True)
class ReleaseOutcome:
    """What stands at a sink now; `changed` when this run put it there."""

    version: int
    records: int
    changed: bool
    # of this run alone, for its page: neither printed nor kept
    added: Annotated[int, Field(exclude=True)] = field(default=0, compare=False)
    """Records of sources that are new or have changed."""
    removed: Annotated[int, Field(exclude=True)] = field(default=0, compare=False)
    """Records of sources that were withdrawn or have changed."""
    change: Annotated[str, Field(exclude=True)] = field(default="", compare=False)
    """The changelog's line about it."""


class Released(Result):
    """The releases of one run by the address of their sink, and why others could not be made."""

    release: dict[str, ReleaseOutcome] = {}
    release_errors: dict[str, str] = {}


class Seconds(Result):
    """How long the stages of one dataset took, or of all: waits and retries included; a stage whose result was kept
    takes next to none."""

    metadata: float = 0.0
    instruction: float = 0.0
    filter: float = 0.0
    judge: float = 0.0
    publish: float = 0.0
    model: float = 0.0
    """The part of `instruction` and `judge` in which the model was waited for: its answers, its limits, its retries."""

    @classmethod
    def of(cls, stages: Mapping[Stage, float], model: float) -> Seconds:
        return cls(**{stage: round(stages.get(stage, 0.0), 3) for stage in STAGES}, model=round(model, 3))

    def each(self) -> tuple[float, ...]:
        """The stages in their order, then the model."""
        return (self.metadata, self.instruction, self.filter, self.judge, self.publish, self.model)

    def sentence(self) -> str:
        """The stages that took longest first."""
        stages = zip(STAGES, self.each(), strict=False)
        longest = sorted(stages, key=lambda item: -item[1])
        told = [f"{stage} {seconds:.1f}" for stage, seconds in longest if seconds >= 0.05]
        return ", ".join(told) + (f" (model {self.model:.1f})" if self.model >= 0.05 else "")

    @property
    def total(self) -> float:
        return self.metadata + self.instruction + self.filter + self.judge + self.publish

    def __add__(self, other: Seconds) -> Seconds:
        others = other.model_dump()
        return Seconds(**{name: round(value + others[name], 3) for name, value in self.model_dump().items()})


class Durations(Result):
    """Seconds of one growth's datasets; they run side by side, so that their sum is longer than the growth."""

    stages: Seconds = Seconds()
    """Added up over all datasets."""
    slowest: dict[str, Seconds] = {}
    """By repo id, the longest first; at most `report.SLOWEST` of them."""


class TaskTotals(Result):
    """proposed = accepted + rejected."""

    proposed: int = 0
    accepted: int = 0
    rejected: dict[str, int] = {}


class RowTotals(Result):
    """sampled = recorded + rejected."""

    sampled: int = 0
    recorded: int = 0
    rejected: dict[str, int] = {}


class Spending(Usage):
    """What a growth has spent on the model."""

    model_config = ConfigDict(extra="ignore")

    cost_usd_per_1000_records: float | None = None
    """None where the price or the number of records says nothing."""


class GrowthSummary(Result):
    """The counts of one growth: what `dynosaur grow --json` prints and the ledger keeps."""

    growth_id: str = ""
    planned: dict[str, int] = {}
    grown: int = 0
    refused: dict[str, int] = {}
    """Datasets by reason."""
    failed: dict[str, int] = {}
    """Datasets by error code."""
    deferred: int = 0
    subsets: dict[str, int] = {}
    tasks: TaskTotals = TaskTotals()
    rows: RowTotals = RowTotals()
    records: int = 0
    llm: Spending = Spending()
    held_back: str | None = None
    """Why withdrawals wait for a person's word."""
    release: dict[str, ReleaseOutcome] = {}
    release_errors: dict[str, str] = {}
    stopped: str | None = None
    """Why no further branch was begun, when someone has to do something about it."""
    seconds: Durations = Durations()


class Estimate(Result):
    """What the requests of a plan would cost."""

    requests: int
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float | None
    """None where the model has no known price."""
    read: int
    """Datasets that were read to estimate from."""


class Forecast(Result):
    """What a dry run has found."""

    planned: dict[str, int]
    datasets: list[str]
    """The first 1,000 that would get a branch."""
    refused: dict[str, int]
    """From the listing alone, by reason."""
    held_back: str | None
    """Why withdrawals would wait for a person's word."""
    estimate: Estimate

    def names(self, most: int = 5) -> str:
        """The first of the datasets, and how many more there are."""
        more = f" and {len(self.datasets) - most:,} more" if len(self.datasets) > most else ""
        return ", ".join(self.datasets[:most]) + more

    def sentence(self) -> str:
        counts = ", ".join(f"{count:,} {name}" for name, count in self.planned.items())
        cost = "cost unknown" if self.estimate.cost_usd is None else f"${self.estimate.cost_usd:.4f}"
        return f"{counts}; {self.estimate.requests:,} requests, {cost}"
