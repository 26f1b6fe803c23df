"""The survey: what the catalogue has against what the ledger knows becomes a growth plan."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.ledger import Ledger, LedgerEntry, Outcome
from dynosaur_core.logs import logger
from dynosaur_core.models import DatasetRef, GrowthPlan
from dynosaur_core.policy.judge import overrides, rules_for
from dynosaur_core.protocols import Catalog, Cursor
from dynosaur_core.reasons import Reason
from dynosaur_core.settings import Settings
from dynosaur_core.sorting import Sorting

_LOG = logger("survey")
_CHUNK = 500
_PATIENCE = 3
"""Single datasets that give no answer before no further one is asked for."""


class Survey:
    """Goes through a catalogue once; memory holds one chunk and the datasets that get a branch.

    With `write`, the ledger learns what the listing alone decides (seen, refused, withdrawn), and which datasets are
    planned, so that a survey or growth that is cut off loses none of them; without, the plan is only a forecast.
    """

    def __init__(
        self,
        catalog: Catalog,
        ledger: Ledger,
        settings: Settings,
        pipeline: str,
        growth_id: str,
        now: datetime,
        *,
        limit: int | None = None,
        write: bool,
        withdraw_many: bool = False,
    ) -> None:
        self.catalog, self.ledger, self.settings = catalog, ledger, settings
        self.pipeline, self.now, self.write, self.withdraw_many = pipeline, now, write, withdraw_many
        self.sorting = Sorting(ledger, catalog.name, settings, pipeline, growth_id, now, limit)
        self.cut_off: DynosaurError | None = None
        """Why the listing broke off."""
        self.unanswered = 0

    def plan(self) -> GrowthPlan:
        """Everything since the last survey, or its part up to `limit` branches; the rest waits for the next growth.

        If the listing breaks off, the plan holds what it has shown; the next survey goes on at the page that failed,
        or begins anew where that page cannot be had any more. Raises the error where nothing could be listed at all.
        """
        found = self.sorting
        watermark, url = self.ledger.watermark(self._place)
        cursor = Cursor(since=watermark, url=url)
        room = self._list(cursor)
        if self.cut_off and url and not cursor.pages:
            cursor = Cursor(since=watermark)
            room = self._list(cursor)
        if self.cut_off and not cursor.pages:
            raise self.cut_off
        if cursor.whole and not found.counts["surveyed"] and self.ledger.released(self.catalog.name):
            message = f"{self.catalog.name} is empty, although datasets of it are released: is the right one mounted?"
            raise DynosaurError(Code.BAD_CATALOG, message)
        done = room and cursor.finished
        if cursor.pages:
            self._note(Cursor(since=min(found.newest, self.now) if found.newest else watermark) if done else cursor)
        everything = cursor.whole and not self.catalog.scope
        if room and not everything:
            self._remembered()
        if done:
            self._missing(None if everything else self.settings.hub.verify_per_growth)
        held_back = found.leaving.carry_out(write=self.write, confirmed=self.withdraw_many)
        found.inherit(everything=everything)
        if cursor.malformed:
            example = f", such as {cursor.example}" if cursor.example else ""
            _LOG.warning(
                "%s: %d entries skipped, without a usable id or revision%s", self._place, cursor.malformed, example
            )
            found.counts["surveyed"] += cursor.malformed
            found.refused[Reason.BAD_ENTRY] += cursor.malformed
        return GrowthPlan(
            surveyed=found.counts["surveyed"],
            withdrawn=() if held_back else found.leaving.withdrawals,
            held_back=found.leaving.withdrawals if held_back else (),
            held_back_because=held_back,
            refused=dict(found.refused),
            unchanged=found.counts["unchanged"],
            waiting=found.counts["waiting"],
            cut_off=str(self.cut_off) if self.cut_off else None,
            **{kind: tuple(refs) for kind, refs in found.kinds.items()},
        )

    def _list(self, cursor: Cursor) -> bool:
        """Sorts what the catalogue lists into the plan; returns whether there was room for all."""
        self.cut_off = None
        for chunk in self._chunks(self.catalog.list(cursor)):
            if not self._chunk(chunk):
                return False
            if cursor.pages:
                self._note(cursor)
        return True

    def _chunks(self, refs: Iterator[DatasetRef]) -> Iterator[list[DatasetRef]]:
        """Also what came before an error, which is kept."""
        chunk: list[DatasetRef] = []
        try:
            for ref in refs:
                chunk.append(ref)
                if len(chunk) == _CHUNK:
                    yield chunk
                    chunk = []
        except DynosaurError as error:
            self.cut_off = error
        if chunk:
            yield chunk

    def _note(self, cursor: Cursor) -> None:
        """Keeps where the listing stands, for catalogues that have pages."""
        if self.write:
            self.ledger.set_watermark(self._place, cursor.since, cursor.url, self.now)

    @property
    def _place(self) -> str:
        """What a watermark is kept for: the catalogue, or the part of it that is surveyed."""
        return f"{self.catalog.name} {self.catalog.scope}".strip()

    def _chunk(self, chunk: list[DatasetRef]) -> bool:
        """Sorts a chunk into the plan; stops, and returns False, at the first dataset that finds it full."""
        known = self.ledger.get_many([ref.repo_id for ref in chunk])
        found = self.sorting
        room = all(found.sort(ref, known.get(ref.repo_id)) for ref in chunk if ref.repo_id not in found.listed)
        if self.write:
            self.ledger.record(found.entries)
            self.ledger.touch(found.same, self.now)
        found.entries, found.same = [], []
        return room

    def _remembered(self) -> None:
        """Datasets that a partial listing did not show, and which are therefore as they were: due for another try, or
        last looked at under other rules, also those that have an override now."""
        catalog = self.catalog.name
        for known in (
            self.ledger.entries(catalog=catalog, due=self.now),
            self.ledger.entries(catalog=catalog, other_than=self.pipeline),
            iter(self.ledger.get_many(list(overrides(self.settings.policy))).values()),
        ):
            for chunk in self._chunks(ref for entry in known if (ref := self._again(entry))):
                if not self._chunk(chunk):
                    return

    def _again(self, known: LedgerEntry) -> DatasetRef | None:
        """The dataset as it was; as it is now if that revision is gone, or cannot be read any more."""
        elsewhere = known.catalog != self.catalog.name or known.outcome is Outcome.WITHDRAWN
        due = known.next_try is not None and known.next_try <= self.now
        same = known.pipeline == rules_for(known.repo_id, self.pipeline, self.settings.policy)
        if elsewhere or known.repo_id in self.sorting.listed or (same and not due):
            return None
        as_it_was = None if known.code == Code.REVISION_GONE else known.dataset_ref()
        return as_it_was or self._ask(known)

    def _missing(self, most: int | None) -> None:
        """Asks for released datasets that the listing did not show, those first that have not been seen for longest:
        deletion, gating and new names show in no listing, and one that shows all may still have lost an entry."""
        known = self.ledger.entries(
            catalog=self.catalog.name, released=True, seen_before=self.now, oldest_first=True, limit=most
        )
        for entry in list(known):
            if entry.repo_id not in self.sorting.listed and (ref := self._ask(entry)):
                self._chunk([ref])

    def _ask(self, known: LedgerEntry) -> DatasetRef | None:
        """One dataset as it is now; withdrawn where it is gone, left as it is where there is no answer."""
        if self.unanswered >= _PATIENCE:
            return None
        try:
            ref = self.catalog.ref(known.repo_id)
        except DynosaurError as error:
            if error.policy.withdraws:
                self._gone(known, error.policy.withdraws, error.message)
            elif error.policy.transient:
                self.unanswered += 1
                if self.write:
                    self.ledger.touch([known.repo_id], self.now)  # others come first the next time
            else:
                raise
            return None
        if ref.repo_id != known.repo_id:
            self._gone(known, Reason.IS_GONE, f"renamed to {ref.repo_id}")
        return ref

    def _gone(self, known: LedgerEntry, reason: Reason, detail: str) -> None:
        """Notes that a dataset is no longer there; what was released of it is withdrawn."""
        update = {"outcome": Outcome.WITHDRAWN, "code": reason, "detail": detail, "next_try": None, "updated": self.now}
        entry = known.model_copy(update=update)
        if known.contribution:
            self.sorting.leaving.add(known, reason, detail, entry)
        elif self.write:
            self.ledger.record([entry])
