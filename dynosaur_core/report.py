"""The growth report: every dataset, subset, task and row counted once, by what became of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime

from dynosaur_core.models import (
    Contribution,
    DatasetMetadata,
    FilterResult,
    GrowthPlan,
    Rejection,
    Stage,
    Stored,
    Usage,
)
from dynosaur_core.results import (
    Durations,
    GrowthSummary,
    ReleaseOutcome,
    RowTotals,
    Seconds,
    Spending,
    TaskTotals,
)
from dynosaur_core.settings import Settings

SLOWEST = 1_000
"""Datasets whose durations the report holds."""


@dataclass(frozen=True)
class Failure:
    """One line of the table of failed datasets."""

    repo_id: str
    code: str
    stage: Stage
    message: str
    attempts: int
    advice: str


@dataclass
class GrowthReport:
    """Counts of one growth while it runs; `summary` is what `dynosaur grow --json` prints and the ledger keeps."""

    growth_id: str
    plan: GrowthPlan
    begun: datetime = field(default_factory=lambda: datetime.now(UTC))
    """When it was begun, for the first time where it was cut off."""
    grown: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    failures: list[Failure] = field(default_factory=list)
    deferred: Counter[str] = field(default_factory=Counter)
    subsets: Counter[str] = field(default_factory=Counter)
    """Subsets refused, by reason; `accepted` counts those that went on."""
    proposed: int = 0
    accepted: int = 0
    task_rejections: Counter[str] = field(default_factory=Counter)
    sampled: int = 0
    recorded: int = 0
    row_rejections: Counter[str] = field(default_factory=Counter)
    usage: Usage = field(default_factory=Usage)
    usage_by_dataset: dict[str, Usage] = field(default_factory=dict)
    """Of the datasets for which the model was asked in this growth."""
    seconds: dict[str, Seconds] = field(default_factory=dict)
    """Of the datasets that had a branch in this growth."""
    releases: dict[str, ReleaseOutcome] = field(default_factory=dict)
    release_errors: dict[str, str] = field(default_factory=dict)
    stopped: str | None = None
    """Why no further branch was begun, when someone has to do something about it."""

    def __post_init__(self) -> None:
        self.refused.update(self.plan.refused)

    def add(self, other: GrowthReport) -> None:
        """Counts what another report has counted: that of one branch, or of datasets that this one does not know."""
        for name in (each.name for each in fields(self)):
            mine, theirs = getattr(self, name), getattr(other, name)
            if isinstance(mine, dict):  # counters add up
                mine.update(theirs)
            elif isinstance(mine, list):
                mine.extend(theirs)
            elif isinstance(mine, int | Usage):
                setattr(self, name, mine + theirs)
        withdrawn = (*self.plan.withdrawn, *other.plan.withdrawn)
        self.plan = self.plan.model_copy(update={"withdrawn": withdrawn})
        self.stopped = self.stopped or other.stopped

    def add_branch(
        self, metadata: DatasetMetadata | None, filtered: FilterResult | None, contribution: Contribution | None
    ) -> None:
        """Counts what a branch that has ended went through; None for stages that it did not reach."""
        if metadata:
            self.subsets["accepted"] += len(metadata.subsets)
            self._count(self.subsets, metadata.rejections, "subset")
        if filtered:
            self.proposed += filtered.proposed
            self.accepted += len(filtered.tasks)
            self._count(self.task_rejections, filtered.rejections, "task")
        if contribution:
            self.sampled += sum(count.sampled for count in contribution.tasks)
            self.recorded += contribution.shard.records
            self._count(self.row_rejections, contribution.rejections, "row")

    @property
    def failed(self) -> Counter[str]:
        return Counter(failure.code for failure in self.failures)

    @property
    def branches(self) -> int:
        """Datasets that had a branch."""
        return len(self.plan.branches)

    @property
    def failure_ratio(self) -> float:
        return len(self.failures) / self.branches if self.branches else 0.0

    def too_many_failed(self, settings: Settings) -> str | None:
        """The sentence that says so where more branches have failed than may, else None."""
        if len(self.failures) <= settings.failure_floor or self.failure_ratio <= settings.max_failure_ratio:
            return None
        most = f"at most {settings.max_failure_ratio:.0%} may, or {settings.failure_floor}"
        return f"{self.failure_ratio:.0%} of the branches failed, {most}"

    def sentence(self) -> str:
        """The growth in one line: the flow run's state message."""
        parts = [f"{self.grown} grown", f"{self.refused.total()} refused", f"{len(self.failures)} failed"]
        if self.deferred:
            parts.append(f"{self.deferred.total()} deferred")
        if self.plan.withdrawn:
            parts.append(f"{len(self.plan.withdrawn)} withdrawn")
        if self.plan.held_back:
            parts.append(f"{len(self.plan.held_back)} to withdraw held back")
        parts.append(f"{self.plan.unchanged + self.plan.waiting} left alone")
        ends = [", ".join(parts), f"{self.recorded:,} records from {self.accepted} tasks, {self.dollars()}"]
        if self.plan.cut_off:
            ends.append(f"the survey was cut off and goes on next time ({self.plan.cut_off})")
        return "; ".join(ends)

    @property
    def cost_per_1000_records(self) -> float | None:
        """US dollars; None where the price or the number of records says nothing."""
        if self.usage.cost_usd is None or not self.recorded:
            return None
        return 1_000 * self.usage.cost_usd / self.recorded

    def dollars(self) -> str:
        return "cost unknown" if self.usage.cost_usd is None else f"${self.usage.cost_usd:.4f}"

    def durations(self) -> Durations:
        """Seconds of all datasets together, and of the slowest ones."""
        slowest = sorted(self.seconds.items(), key=lambda item: -item[1].total)[:SLOWEST]
        return Durations(stages=sum(self.seconds.values(), Seconds.of({}, 0.0)), slowest=dict(slowest))

    def summary(self) -> GrowthSummary:
        """The counts, in the form in which they are printed and stored."""
        return GrowthSummary(
            growth_id=self.growth_id,
            planned=self.plan.counts(),
            grown=self.grown,
            refused=dict(sorted(self.refused.items())),
            failed=dict(sorted(self.failed.items())),
            deferred=self.deferred.total(),
            subsets=dict(sorted(self.subsets.items())),
            tasks=TaskTotals(
                proposed=self.proposed, accepted=self.accepted, rejected=dict(sorted(self.task_rejections.items()))
            ),
            rows=RowTotals(
                sampled=self.sampled, recorded=self.recorded, rejected=dict(sorted(self.row_rejections.items()))
            ),
            records=self.recorded,
            llm=Spending(**self.usage.model_dump(), cost_usd_per_1000_records=self.cost_per_1000_records),
            held_back=self.plan.held_back_because,
            release=self.releases,
            release_errors=self.release_errors,
            stopped=self.stopped,
            seconds=self.durations(),
        )

    @staticmethod
    def _count(counter: Counter[str], rejections: tuple[Rejection, ...], level: str) -> None:
        for rejection in rejections:
            if rejection.level == level:
                counter[rejection.reason] += rejection.count


class BranchEnd(Stored):
    """What became of one dataset: kept by a wave until the growth has counted it."""

    repo_id: str
    end: str
    """`grown`, or `refused: REASON`, `failed: CODE`, `deferred: CODE`."""
    report: GrowthReport
    """What it adds to the growth's."""
