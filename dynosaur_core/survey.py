"""The survey: what the catalogue has against what the ledger knows becomes a growth plan."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from itertools import islice
from typing import Any

from dynosaur_core.errors import Code, DynosaurError, Reason
from dynosaur_core.ledger import Entry, Ledger, Outcome, listing_digest, new_entry
from dynosaur_core.models import DatasetRef, GrowthPlan, Rejection, Removal, Withdrawal
from dynosaur_core.policy.judge import judge_ref
from dynosaur_core.protocols import Catalog, Cursor
from dynosaur_core.settings import Policy

_CHUNK = 500
PLANNED = "Planned"
"""Code of a dataset that a survey has planned and no growth has reached."""


class Survey:
    """Goes through a catalogue once; memory holds one chunk and the datasets that get a branch.

    With `write`, the ledger learns what the listing alone decides (seen, refused, withdrawn), and which datasets are
    planned, so that a survey or growth that is cut off loses none of them; without, the plan is only a forecast.
    """

    def __init__(
        self,
        catalog: Catalog,
        ledger: Ledger,
        policy: Policy,
        pipeline: str,
        growth_id: str,
        now: datetime,
        *,
        write: bool,
        verify: int = 0,
    ) -> None:
        self.catalog, self.ledger, self.policy = catalog, ledger, policy
        self.pipeline, self.growth_id, self.now, self.write = pipeline, growth_id, now, write
        self.verify = verify
        """Released datasets that a partial listing did not show are asked for one by one, so many at most."""
        self.kinds: dict[str, list[DatasetRef]] = {"new": [], "changed": [], "relicensed": [], "retried": []}
        self.counts: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.withdrawn: list[Withdrawal] = []
        self.listed: set[str] = set()
        """Ids that the listing showed, of those that the ledger or the plan knows."""
        self.newest: datetime | None = None

    def plan(self, limit: int | None = None) -> GrowthPlan:
        """Everything since the last survey, or its part up to `limit` branches; the rest waits for the next growth."""
        watermark, url = self.ledger.watermark(self._place)
        cursor = Cursor(since=watermark, url=url)
        listing = self.catalog.list(cursor)
        room = True
        while room and (chunk := list(islice(listing, _CHUNK))):
            room = self._chunk(chunk, None if limit is None else limit - self._branches())
            self._note(watermark, cursor)
        if room and cursor.whole and not self.catalog.scope:
            self._gone()
        else:
            self._due(limit)
            self._verify(limit)
        if room and cursor.finished and cursor.pages:
            self._note(self.newest or watermark, None)
        return GrowthPlan(
            surveyed=self.counts["surveyed"],
            withdrawn=tuple(self.withdrawn),
            refused=dict(self.refused),
            unchanged=self.counts["unchanged"],
            waiting=self.counts["waiting"],
            **{kind: tuple(refs) for kind, refs in self.kinds.items()},
        )

    def _note(self, watermark: datetime | None, cursor: Cursor | None) -> None:
        """Keeps where the listing stands, for catalogues that have pages."""
        if self.write and (cursor is None or cursor.pages):
            url = cursor.url if cursor and not cursor.finished else None
            self.ledger.set_watermark(self._place, watermark, url, self.now)

    @property
    def _place(self) -> str:
        """What a watermark is kept for: the catalogue, or the part of it that is surveyed."""
        return f"{self.catalog.name} {self.catalog.scope}".strip()

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
            if ref.repo_id not in self.listed:
                self._sort(ref, known.get(ref.repo_id), entries, same)
        if self.write:
            self.ledger.record(entries)
            self.ledger.touch(same, self.now)
        return room is None or self._branches() - start < room

    def _sort(self, ref: DatasetRef, entry: Entry | None, entries: list[Entry], same: list[str]) -> None:
        """Puts one dataset into the plan, or notes why not."""
        self.counts["surveyed"] += 1
        if ref.last_modified and (self.newest is None or ref.last_modified > self.newest):
            self.newest = ref.last_modified
        kind, refused = self._judge(ref, entry)
        if entry or kind in self.kinds:
            self.listed.add(ref.repo_id)
        if kind in self.kinds:
            self.kinds[kind].append(ref)
            if entry is None:
                entries.append(self._entry(ref, Outcome.DEFERRED, stage="survey", code=PLANNED, next_try=self.now))
        elif refused:
            self.refused[refused.reason] += 1
            why = {"stage": refused.stage, "code": refused.reason, "detail": refused.detail}
            refusal = self._entry(ref, Outcome.REFUSED, **why)
            if entry and entry.contribution:
                self._withdraw(entry, refused.reason, refused.detail, refusal)
            else:
                entries.append(refusal)
        else:
            self.counts[kind] += 1
            same.append(ref.repo_id)

    def _entry(self, ref: DatasetRef, outcome: Outcome, **values: Any) -> Entry:
        return new_entry(ref, self.catalog.name, self.pipeline, self.growth_id, self.now, outcome, **values)

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
        """Datasets due for another try which a partial listing did not show, and which are therefore as they were."""
        for known in list(self.ledger.entries(catalog=self.catalog.name, due=self.now)):
            if known.repo_id in self.listed or (limit is not None and self._branches() >= limit):
                continue
            self.listed.add(known.repo_id)
            self.counts["surveyed"] += 1
            self.kinds["retried"].append(known.dataset_ref())

    def _verify(self, limit: int | None) -> None:
        """Asks for released datasets that have not been seen for longest: deletion and gating show in no listing."""
        if not self.verify:
            return
        oldest = self.ledger.entries(
            catalog=self.catalog.name, released=True, seen_before=self.now, oldest_first=True, limit=self.verify
        )
        for known in [entry for entry in oldest if entry.repo_id not in self.listed]:
            if limit is not None and self._branches() >= limit:
                break
            try:
                ref = self.catalog.ref(known.repo_id)
            except DynosaurError as error:
                if error.code not in (Code.NOT_FOUND, Code.NOT_ALLOWED, Code.GATED):
                    raise
                self.gone(known, error.message)
                continue
            if ref.repo_id != known.repo_id:
                self.gone(known, f"renamed to {ref.repo_id}")
            self._chunk([ref], None)


def _same(ref: DatasetRef, entry: Entry, pipeline: str) -> bool:
    return entry.revision == ref.revision and entry.pipeline == pipeline and entry.listing == listing_digest(ref)
