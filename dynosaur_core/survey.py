"""The survey: what the catalogue has against what the ledger knows becomes a growth plan."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice

from dynosaur_core.errors import Code, DynosaurError, Reason
from dynosaur_core.ledger import Entry, Ledger, Outcome, listing_digest, new_entry
from dynosaur_core.models import DatasetRef, GrowthPlan, Rejection, Removal, Withdrawal
from dynosaur_core.policy.judge import judge_ref
from dynosaur_core.protocols import Catalog
from dynosaur_core.settings import Policy

_CHUNK = 500


class Survey:
    """Goes through a catalogue once; memory holds one chunk and the datasets that get a branch.

    With `write`, what the listing alone decides (seen, refused, withdrawn) goes to the ledger; without, the plan is
    only a forecast.
    """

    def __init__(
        self,
        catalog: Catalog,
        ledger: Ledger,
        policy: Policy,
        pipeline: str,
        growth_id: str,
        now: datetime,
        write: bool,
    ) -> None:
        self.catalog, self.ledger, self.policy = catalog, ledger, policy
        self.pipeline, self.growth_id, self.now, self.write = pipeline, growth_id, now, write
        self.kinds: dict[str, list[DatasetRef]] = {"new": [], "changed": [], "relicensed": [], "retried": []}
        self.counts: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.withdrawn: list[Withdrawal] = []
        self.listed: set[str] = set()

    def plan(self, limit: int | None = None) -> GrowthPlan:
        """The whole catalogue, or its part up to `limit` branches; what lies beyond waits for the next growth."""
        whole = True
        listing = self.catalog.list()
        while chunk := list(islice(listing, _CHUNK)):
            room = None if limit is None else limit - self._branches()
            if room is not None and room <= 0:
                whole = False
                break
            whole = self._chunk(chunk, room) and whole
        if whole and self.catalog.complete:
            self._gone()
        else:
            self._due(limit)
        return GrowthPlan(
            surveyed=self.counts["surveyed"],
            withdrawn=tuple(self.withdrawn),
            refused=dict(self.refused),
            unchanged=self.counts["unchanged"],
            waiting=self.counts["waiting"],
            **{kind: tuple(refs) for kind, refs in self.kinds.items()},
        )

    def _branches(self) -> int:
        return sum(len(refs) for refs in self.kinds.values())

    def _chunk(self, chunk: list[DatasetRef], room: int | None) -> bool:
        """Sorts a chunk into the plan; gives False when the room ran out within it."""
        known = self.ledger.get_many([ref.repo_id for ref in chunk])
        entries: list[Entry] = []
        same: list[str] = []
        start = self._branches()
        for ref in chunk:
            if room is not None and self._branches() - start >= room:
                break
            if ref.repo_id in self.listed:
                continue
            self.listed.add(ref.repo_id)
            self.counts["surveyed"] += 1
            kind, refused = self._judge(ref, known.get(ref.repo_id))
            if kind in self.kinds:
                self.kinds[kind].append(ref)
            elif refused:
                self.refused[refused.reason] += 1
                entry = self._refusal(ref, refused)
                before = known.get(ref.repo_id)
                if before and before.contribution:
                    self._withdraw(before, refused.reason, refused.detail, entry)
                else:
                    entries.append(entry)
            else:
                self.counts[kind] += 1
                same.append(ref.repo_id)
        if self.write:
            self.ledger.record(entries)
            self.ledger.touch(same, self.now)
        return room is None or self._branches() - start < room

    def _judge(self, ref: DatasetRef, entry: Entry | None) -> tuple[str, Rejection | None]:
        if entry and _same(ref, entry, self.pipeline):
            if entry.outcome in (Outcome.GROWN, Outcome.REFUSED):
                return "unchanged", None
            if entry.outcome in (Outcome.FAILED, Outcome.DEFERRED):
                due = entry.next_try is not None and entry.next_try <= self.now and not entry.quarantined
                return ("retried" if due else "waiting"), None
        refused = judge_ref(ref, self.policy)
        if refused:
            return "refused", refused
        if entry is None or entry.outcome is Outcome.WITHDRAWN:
            return "new", None
        relicensed = entry.contribution is not None and entry.dataset_ref().licenses != ref.licenses
        return ("relicensed" if relicensed else "changed"), None

    def _refusal(self, ref: DatasetRef, refused: Rejection) -> Entry:
        why = {"stage": refused.stage, "code": refused.reason, "detail": refused.detail}
        return new_entry(ref, self.catalog.name, self.pipeline, self.growth_id, self.now, Outcome.REFUSED, **why)

    def _withdraw(self, known: Entry, reason: str, detail: str, entry: Entry) -> None:
        revision = known.contribution_revision or known.revision
        self.withdrawn.append(Withdrawal(repo_id=known.repo_id, revision=revision, reason=reason, detail=detail))
        if self.write:
            removal = Removal(repo_id=known.repo_id, revision=revision, reason=reason, detail=detail, when=self.now)
            self.ledger.withdraw([entry], [removal])

    def _gone(self) -> None:
        """What the ledger knows of this catalogue and a whole listing does not show."""
        for known in list(self.ledger.entries(catalog=self.catalog.name, released=True)):
            if known.repo_id not in self.listed:
                self.gone(known, "not in the listing any more")

    def gone(self, known: Entry, detail: str) -> None:
        """Withdraws a dataset that is no longer there."""
        update = {"outcome": Outcome.WITHDRAWN, "code": Reason.IS_GONE, "detail": detail, "updated": self.now}
        self._withdraw(known, Reason.IS_GONE, detail, known.model_copy(update=update))

    def _due(self, limit: int | None) -> None:
        """Datasets due for another try which a partial listing did not show."""
        for known in list(self.ledger.entries(catalog=self.catalog.name, due=self.now)):
            if known.repo_id in self.listed or (limit is not None and self._branches() >= limit):
                continue
            try:
                ref = self.catalog.ref(known.repo_id)
            except DynosaurError as error:
                if error.code is not Code.NOT_FOUND:
                    raise
                if known.contribution:
                    self.gone(known, error.message)
                continue
            self.listed.add(ref.repo_id)
            self.counts["surveyed"] += 1
            self.kinds["retried"].append(ref)


def _same(ref: DatasetRef, entry: Entry, pipeline: str) -> bool:
    return entry.revision == ref.revision and entry.pipeline == pipeline and entry.listing == listing_digest(ref)


class Chosen:
    """A catalogue narrowed to given datasets; for backfills. Not complete: what it does not list is not gone."""

    complete = False

    def __init__(self, catalog: Catalog, refs: Iterable[DatasetRef]) -> None:
        self.name = catalog.name
        self._catalog, self._refs = catalog, list(refs)

    def list(self) -> Iterator[DatasetRef]:
        return iter(self._refs)

    def ref(self, repo_id: str) -> DatasetRef:
        return self._catalog.ref(repo_id)
