"""A growth's bookkeeping: each branch's end is written to the ledger and counted in the report, in that order."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

from sqlalchemy import Connection

from dynosaur_core.contributions import keep_contribution
from dynosaur_core.digest import digest
from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.filter.stage import FILTER_VERSION
from dynosaur_core.instruction.rules import RULES_VERSION
from dynosaur_core.instruction.stage import INSTRUCTION_VERSION
from dynosaur_core.judge.stage import JUDGE_VERSION
from dynosaur_core.ledger import Ledger, LedgerEntry, Outcome, after_failure, after_growth, begun, new_entry
from dynosaur_core.ledger.claims import claim, has_settled, settle
from dynosaur_core.metadata.stage import METADATA_VERSION
from dynosaur_core.models import (
    Contribution,
    DatasetMetadata,
    DatasetRef,
    FilterResult,
    GrowthPlan,
    Rejection,
    Stage,
    StageOrSurvey,
    Subset,
)
from dynosaur_core.policy.judge import policy_version, rules_for
from dynosaur_core.publish.stage import PUBLISH_VERSION
from dynosaur_core.reasons import REASONS, Finding, Reason
from dynosaur_core.report import BranchEnd, Failure, GrowthReport
from dynosaur_core.settings import Settings
from dynosaur_core.store import Store
from dynosaur_core.traces import keep_trace
from dynosaur_core.withdrawals import removal_of, withdrawal_of


def new_growth_id(now: datetime) -> str:
    """Sortable by time, and unique."""
    return f"{now.astimezone(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(2)}"


def code_version() -> str:
    """What of the code, and not of the settings, decides which data a growth makes, but for the judge."""
    rules = (policy_version(), RULES_VERSION)
    return digest(rules, METADATA_VERSION, INSTRUCTION_VERSION, FILTER_VERSION, PUBLISH_VERSION)


def pipeline_digest(settings: Settings) -> str:
    """What makes an unchanged dataset grow again: the stages' versions and the settings that they read.

    The model is not part of it: another model designs what is new or changed; `dynosaur backfill --from-stage
    instruction` asks it about the rest. Whether a model judges is part of it, and a model that is named for that:
    where this changes, what was grown is judged, and nothing is designed again.
    """
    sections = (settings.sampling, settings.policy, settings.designing, settings.filtering, settings.publishing)
    judged = ((JUDGE_VERSION, settings.judging.model),) if settings.judges else ()
    return digest(code_version(), *sections, *judged)


class Growth:
    """Writes down what becomes of the datasets of one plan."""

    def __init__(
        self, growth_id: str, catalog: str, ledger: Ledger, store: Store, settings: Settings, report: GrowthReport
    ) -> None:
        self.growth_id, self.catalog = growth_id, catalog
        self.ledger, self.store, self.report = ledger, store, report
        self.pending: dict[str, tuple[DatasetRef, Stage]] = {}
        """Datasets whose answers a batch is to bring, and the stages that wait for them."""
        self._known: dict[str, LedgerEntry | None] = {}
        """Of datasets at work: their entries as they were before this attempt was counted."""
        self._claimed: dict[str, set[str]] = {}
        """Of datasets at work: the contents that they are to be grown with."""
        self.pipeline, self.policy = pipeline_digest(settings), settings.policy
        self.clock: Callable[[], datetime] = lambda: datetime.now(UTC)
        self.keep: Callable[[Connection, BranchEnd], None] = lambda *_: None
        """Called with each end in the transaction that writes it; raises where it cannot be kept."""

    def part(self) -> GrowthReport:
        """A report of one branch, in which nothing is counted yet."""
        return GrowthReport(self.growth_id, GrowthPlan())

    def apart(self, refs: Sequence[DatasetRef]) -> tuple[list[DatasetRef], list[DatasetRef]]:
        """Those that may run together, and those that were at work when a process ended: these run after all others
        and one at a time, so that only the one that ends processes is counted as such. The least suspect come first."""
        entries = self.ledger.get_many([ref.repo_id for ref in refs])
        attempts = {name: entry.attempts for name, entry in entries.items() if entry.code == Code.INTERRUPTED}
        suspects = [ref for ref in refs if attempts.get(ref.repo_id)]
        together = [ref for ref in refs if not attempts.get(ref.repo_id)]
        return together, sorted(suspects, key=lambda ref: attempts[ref.repo_id])

    def begin(self, ref: DatasetRef) -> None:
        """The dataset's branch begins; the ledger holds it as interrupted until one of the ends below is written."""
        known = self._known[ref.repo_id] = self.ledger.get(ref.repo_id)
        message = "the process ended while the dataset was at work"
        entry = self._entry(ref, Outcome.DEFERRED, stage="metadata", code=Code.INTERRUPTED, detail=message)
        self.ledger.record([begun(entry, known, self.clock())])

    def claimed(self, metadata: DatasetMetadata) -> DatasetMetadata:
        """The dataset without the subsets that are copies of another's, which came first; these are refused.

        What was released at this revision before its content was ever claimed stays: it is nobody's copy.
        """
        ref, known = metadata.ref, self._before(metadata.ref.repo_id)
        contents = {subset.config: contents_of(subset) for subset in metadata.subsets}
        holders = claim(self.ledger, ref.repo_id, set().union(*contents.values()))
        others = {content: by for content, by in holders.items() if by != ref.repo_id}
        from_before = (
            known is not None and known.contribution is not None and known.contribution_revision == ref.revision
        )
        if others and from_before and not has_settled(self.ledger, ref.repo_id):
            others = {}
        of = {config: others[name] for config, names in contents.items() for name in sorted(names) if name in others}
        self._claimed[ref.repo_id] = {n for config, names in contents.items() if config not in of for n in names}
        if not of:
            return metadata
        why = {"repo_id": ref.repo_id, "level": "subset", "stage": "metadata", "reason": Reason.COPY}
        refused = [
            Rejection(**why, config=config, detail=f"its rows are those of {by}, which came first")
            for config, by in of.items()
        ]
        subsets = tuple(subset for subset in metadata.subsets if subset.config not in of)
        return metadata.model_copy(update={"subsets": subsets, "rejections": (*metadata.rejections, *refused)})

    def set_back(self, ref: DatasetRef, error: DynosaurError, stage: Stage = "instruction") -> None:
        """The branch waits, or its growth is ended from outside: the attempt was none, and the dataset is due."""
        entry = self._entry(ref, Outcome.DEFERRED, stage=stage, code=error.code, detail=error.message)
        self.ledger.record([after_failure(entry, self._before(ref.repo_id), Code.BATCH_PENDING, self.clock())])
        self._known.pop(ref.repo_id, None)

    def trace(self, ref: DatasetRef, parts: dict[str, Any]) -> None:
        """Keeps the stage results of a branch for `dynosaur explain`: designs, answers, verdicts."""
        keep_trace(self.store, ref.repo_id, self.growth_id, parts)

    def grown(self, ref: DatasetRef, contribution: Contribution, part: GrowthReport | None = None) -> None:
        """The dataset's records become part of what the next release holds. `part` is what its branch has counted, here
        and below: it is added to the report with the end."""
        name = keep_contribution(self.store, contribution)
        entry = after_growth(self._entry(ref, Outcome.GROWN), contribution, name)
        contents = self._claimed.pop(ref.repo_id, set())
        part = part or self.part()
        part.grown += 1
        self._end(entry, "grown", part, also=partial(settle, repo_id=ref.repo_id, contents=contents))

    def refused(
        self, ref: DatasetRef, stage: StageOrSurvey, reason: Reason, detail: str, part: GrowthReport | None = None
    ) -> None:
        """Turned away in its branch; what was released of it is withdrawn."""
        entry = self._entry(ref, Outcome.REFUSED, stage=stage, code=reason, detail=detail)
        part = part or self.part()
        part.refused[reason] += 1
        self._end(entry, f"refused: {reason}", part, gone=reason)

    def failed(self, ref: DatasetRef, stage: Stage, error: DynosaurError, part: GrowthReport | None = None) -> None:
        """Broke in its branch; the retry table says when it is tried again. What is released of it stays, unless the
        error says that the dataset may no longer be used."""
        policy = error.policy
        outcome = Outcome.DEFERRED if policy.deferred else Outcome.FAILED
        entry = self._entry(ref, outcome, stage=stage, code=error.code, detail=error.message)
        entry = after_failure(entry, self._before(ref.repo_id), error.code, self.clock())
        part = part or self.part()
        if policy.deferred:
            part.deferred[error.code] += 1
        else:
            failure = Failure(ref.repo_id, error.code, stage, error.message, entry.attempts, policy.advice)
            part.failures.append(failure)
        # a branch reads files, and a storage that refuses one of them says nothing of the dataset: the survey asks
        gone = None if policy.said_of_files else policy.withdraws
        self._end(entry, f"{'deferred' if policy.deferred else 'failed'}: {error.code}", part, gone=gone)

    def given_up(self, refs: Sequence[DatasetRef], error: DynosaurError) -> None:
        """The processes that were to run them have ended, each time; the next growth tries them again."""
        entries = self.ledger.get_many([ref.repo_id for ref in refs])
        for ref in refs:
            entry = entries.get(ref.repo_id)
            if entry is None or entry.code != Code.INTERRUPTED:  # it was not begun
                self.set_back(ref, error)
            if entry and entry.code == Code.INTERRUPTED and entry.quarantined:
                advice = error.policy.advice
                failure = Failure(ref.repo_id, error.code, "metadata", error.message, entry.attempts, advice)
                self.report.failures.append(failure)
            else:
                self.report.deferred[error.code] += 1

    def _end(
        self,
        entry: LedgerEntry,
        end: str,
        part: GrowthReport,
        *,
        gone: Reason | None = None,
        also: Callable[[Connection], None] = lambda _: None,
    ) -> None:
        """Writes the end of a branch, then counts it. `gone` is why what was released of the dataset is withdrawn."""
        known = self._before(entry.repo_id)
        removals = (
            [removal_of(known, gone, entry.detail, self.clock())] if gone and known and known.contribution else []
        )
        part.plan = GrowthPlan(withdrawn=tuple(withdrawal_of(removal) for removal in removals))

        def in_transaction(connection: Connection) -> None:
            also(connection)
            self.keep(connection, BranchEnd(repo_id=entry.repo_id, end=end, report=part))

        if removals:
            self.ledger.withdraw([entry], removals, in_transaction)
        else:
            self.ledger.record([entry], in_transaction)
        self._known.pop(entry.repo_id, None)
        self.report.add(part)

    def _before(self, repo_id: str) -> LedgerEntry | None:
        """What the ledger knew of the dataset before this attempt."""
        return self._known[repo_id] if repo_id in self._known else self.ledger.get(repo_id)

    def _entry(self, ref: DatasetRef, outcome: Outcome, **values: Any) -> LedgerEntry:
        rules = rules_for(ref.repo_id, self.pipeline, self.policy)
        return new_entry(ref, self.catalog, rules, self.growth_id, self.clock(), outcome, **values)


def contents_of(subset: Subset) -> set[str]:
    """What names a subset's rows, whoever has them: the sample, and the files of which it was drawn. Datasets draw
    their samples apart, so that of a large split the files alone tell, and of one in another format the sample."""
    names = {digest("rows", subset.rows.digest)} if subset.rows else set()
    return names | ({subset.content} if subset.content else set())


def refusal_of(metadata: DatasetMetadata) -> Finding | None:
    """Why a dataset ends after the metadata stage: refused as a whole, or no subset is left."""
    whole = next((item for item in metadata.rejections if item.level == "dataset"), None)
    if whole:
        return Reason(whole.reason), whole.detail
    if metadata.subsets:
        return None
    copied = next((item for item in metadata.rejections if item.reason == Reason.COPY), None)
    if copied:
        return Reason.COPY, copied.detail
    return _commonest(metadata.rejections, "subset", Reason.EMPTY)


def refusal_of_tasks(result: FilterResult) -> Finding | None:
    """Why a dataset ends after the filter stage, or the judge stage: no task is left."""
    if result.tasks:
        return None
    counts = ", ".join(f"{item.reason} {item.count}" for item in result.rejections[:6] if item.level == "task")
    return Reason.NO_TASK_ACCEPTED, counts or "no task was designed"


def refusal_of_records(contribution: Contribution) -> Finding | None:
    """Why a dataset ends after the publish stage: no row could be rendered."""
    if contribution.shard.records:
        return None
    return Reason.NO_RECORDS, _commonest(contribution.rejections, "row", Reason.EMPTY)[1]


def _commonest(rejections: tuple[Rejection, ...], level: str, otherwise: Reason) -> Finding:
    counts: dict[str, int] = {}
    for item in rejections:
        if item.level == level:
            counts[item.reason] = counts.get(item.reason, 0) + item.count
    if not counts:
        return otherwise, REASONS[otherwise]
    reason = Reason(max(counts, key=lambda name: counts[name]))
    detail = next(item.detail for item in rejections if item.reason == reason)
    return reason, f"{REASONS[reason]} ({counts[reason]} of its {level}s): {detail}"
