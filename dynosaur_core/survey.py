"""The survey: what the catalogue has against what the ledger knows becomes a growth plan."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from dynosaur_core.errors import Code, DynosaurError, Reason
from dynosaur_core.ledger import Entry, Ledger, Outcome, after_failure, listing_digest, new_entry
from dynosaur_core.ledger.claims import copies, heirs
from dynosaur_core.models import DatasetRef, GrowthPlan, Rejection
from dynosaur_core.policy.caps import Places
from dynosaur_core.policy.judge import judge_ref, overrides, rules_for
from dynosaur_core.protocols import Catalog, Cursor
from dynosaur_core.settings import Settings
from dynosaur_core.withdrawals import Leaving

_LOG = logging.getLogger("dynosaur.survey")
_CHUNK = 500
PLANNED = "Planned"
"""Code of a dataset that a survey has planned and no growth has reached."""
_PATIENCE = 3
"""Single datasets that give no answer before no further one is asked for."""
_TAKING_PART = (Outcome.GROWN, Outcome.FAILED, Outcome.DEFERRED)
_GONE = {Code.NOT_FOUND: Reason.IS_GONE, Code.NOT_ALLOWED: Reason.IS_DISABLED, Code.GATED: Reason.IS_GATED}
"""What the catalogue says of a dataset that may not be used any more."""


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
        write: bool,
        withdraw_many: bool = False,
    ) -> None:
        self.catalog, self.ledger, self.settings, self.policy = catalog, ledger, settings, settings.policy
        self.pipeline, self.growth_id, self.now, self.write = pipeline, growth_id, now, write
        self.withdraw_many = withdraw_many
        self.kinds: dict[str, list[DatasetRef]] = {"new": [], "changed": [], "relicensed": [], "retried": []}
        self.counts: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.leaving = Leaving(ledger, catalog.name, settings, now)
        self.listed: set[str] = set()
        """Ids that the listing showed, of those that the ledger or the plan knows."""
        self.copies = copies(ledger, catalog.name)
        self.set_aside: list[DatasetRef] = []
        """Unchanged copies: whether their owners stay is known at the end."""
        self.newest: datetime | None = None
        self.cut_off: DynosaurError | None = None
        """Why the listing broke off."""
        self.unanswered = 0
        self.limit: int | None = None
        self.places = Places(self.policy, self._holders)

    def plan(self, limit: int | None = None) -> GrowthPlan:
        """Everything since the last survey, or its part up to `limit` branches; the rest waits for the next growth.

        A listing that breaks off gives the plan of what it has shown; the next survey goes on at the page that failed,
        or begins anew where that page cannot be had any more. Raises the error where nothing could be listed at all.
        """
        self.limit = limit
        watermark, url = self.ledger.watermark(self._place)
        cursor = Cursor(since=watermark, url=url)
        room = self._list(cursor)
        if self.cut_off and url and not cursor.pages:
            cursor = Cursor(since=watermark)
            room = self._list(cursor)
        if self.cut_off and not cursor.pages:
            raise self.cut_off
        if cursor.whole and not self.counts["surveyed"] and any(self._released()):
            message = f"{self.catalog.name} is empty, although datasets of it are released: is the right one mounted?"
            raise DynosaurError(Code.BAD_CATALOG, message)
        done = room and cursor.finished
        if cursor.pages:
            self._note(Cursor(since=min(self.newest, self.now) if self.newest else watermark) if done else cursor)
        everything = cursor.whole and not self.catalog.scope
        if room and not everything:
            self._remembered()
        if done:
            self._missing(None if everything else self.settings.hub.verify_per_growth)
        held_back = self.leaving.carry_out(write=self.write, confirmed=self.withdraw_many)
        self._inherit(everything)
        if cursor.malformed:
            self.counts["surveyed"] += cursor.malformed
            self.refused[Reason.BAD_ENTRY] += cursor.malformed
        return GrowthPlan(
            surveyed=self.counts["surveyed"],
            withdrawn=() if held_back else self.leaving.withdrawals,
            held_back=self.leaving.withdrawals if held_back else (),
            held_back_because=held_back,
            refused=dict(self.refused),
            unchanged=self.counts["unchanged"],
            waiting=self.counts["waiting"],
            cut_off=str(self.cut_off) if self.cut_off else None,
            **{kind: tuple(refs) for kind, refs in self.kinds.items()},
        )

    def _list(self, cursor: Cursor) -> bool:
        """Sorts what the catalogue lists into the plan; gives whether there was room for all."""
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

    def _released(self) -> Iterator[Entry]:
        return self.ledger.entries(catalog=self.catalog.name, released=True, limit=1)

    def _note(self, cursor: Cursor) -> None:
        """Keeps where the listing stands, for catalogues that have pages."""
        if self.write:
            self.ledger.set_watermark(self._place, cursor.since, cursor.url, self.now)

    @property
    def _place(self) -> str:
        """What a watermark is kept for: the catalogue, or the part of it that is surveyed."""
        return f"{self.catalog.name} {self.catalog.scope}".strip()

    def _chunk(self, chunk: list[DatasetRef]) -> bool:
        """Sorts a chunk into the plan; stops, and gives False, at the first dataset that finds it full."""
        known = self.ledger.get_many([ref.repo_id for ref in chunk])
        entries: list[Entry] = []
        same: list[str] = []
        room = True
        for ref in chunk:
            if ref.repo_id not in self.listed:
                room = self._sort_alone(ref, known.get(ref.repo_id), entries, same)
                if not room:
                    break
        if self.write:
            self.ledger.record(entries)
            self.ledger.touch(same, self.now)
        return room

    def _sort_alone(self, ref: DatasetRef, entry: Entry | None, entries: list[Entry], same: list[str]) -> bool:
        """What goes wrong with one dataset is written down as its failure, and the survey goes on."""
        surveyed = self.counts["surveyed"]
        try:
            return self._sort(ref, entry, entries, same)
        except DynosaurError:
            raise
        except Exception as error:  # noqa: BLE001 - logged and recorded; a fault of one dataset
            _LOG.exception("the survey of %s", ref.repo_id)
            what = {"stage": "survey", "code": Code.UNEXPECTED, "detail": f"{type(error).__name__}: {error}"}
            failed = self._entry(ref, Outcome.FAILED, **what)
            entries.append(after_failure(failed, entry, Code.UNEXPECTED, self.now))
            self.counts["surveyed"] = surveyed + 1
            self.counts["waiting"] += 1
            return True

    def _sort(self, ref: DatasetRef, entry: Entry | None, entries: list[Entry], same: list[str]) -> bool:
        """Puts one dataset into the plan, or notes why not; gives False where there is no room for it."""
        kind, refused = self._judge(ref, entry)
        if kind in self.kinds and not self._has_room():
            return False
        self.counts["surveyed"] += 1
        if ref.last_modified and (self.newest is None or ref.last_modified > self.newest):
            self.newest = ref.last_modified
        if entry or kind in self.kinds:
            self.listed.add(ref.repo_id)
        if kind in self.kinds:
            self.kinds[kind].append(ref)
            entries.append(self._planned(ref, entry))
        elif refused:
            self.refused[refused.reason] += 1
            why = {"stage": refused.stage, "code": refused.reason, "detail": refused.detail}
            refusal = self._entry(ref, Outcome.REFUSED, **why)
            if refused.reason == Reason.OTHER_CATALOG:
                pass  # its entry is the other catalogue's
            elif entry and entry.contribution:
                self.leaving.add(entry, Reason(refused.reason), refused.detail, refusal)
                entries.append(self._planned(ref, entry))  # due, so that a survey that is cut off forgets it not
            else:
                entries.append(refusal)
        else:
            if kind == "unchanged" and ref.repo_id in self.copies:
                self.set_aside.append(ref)
            else:
                self.counts[kind] += 1
            same.append(ref.repo_id)
        return True

    def _has_room(self) -> bool:
        return self.limit is None or sum(len(refs) for refs in self.kinds.values()) < self.limit

    def _planned(self, ref: DatasetRef, entry: Entry | None) -> Entry:
        """The entry of a dataset that is due now, also where its listing is not seen again."""
        if entry is None:
            return self._entry(ref, Outcome.DEFERRED, stage="survey", code=PLANNED, next_try=self.now)
        due = {"next_try": self.now, "quarantined": False, "seen": self.now}
        return entry.model_copy(update={"ref": ref.model_dump(mode="json"), **due})

    def _holders(self) -> Iterator[DatasetRef]:
        known = self.ledger.entries(catalog=self.catalog.name, outcomes=_TAKING_PART)
        return (entry.dataset_ref() for entry in known if _holds_place(entry))

    def _entry(self, ref: DatasetRef, outcome: Outcome, **values: Any) -> Entry:
        rules = rules_for(ref.repo_id, self.pipeline, self.policy)
        return new_entry(ref, self.catalog.name, rules, self.growth_id, self.now, outcome, **values)

    def _judge(self, ref: DatasetRef, entry: Entry | None) -> tuple[str, Rejection | None]:
        if entry and entry.catalog != self.catalog.name and entry.outcome is not Outcome.WITHDRAWN:
            detail = f"it is of the catalogue {entry.catalog!r}"
            reason = Reason.OTHER_CATALOG
            return "refused", Rejection(
                repo_id=ref.repo_id, level="dataset", stage="survey", reason=reason, detail=detail
            )
        if entry and _same(ref, entry, rules_for(ref.repo_id, self.pipeline, self.policy)):
            if entry.outcome in (Outcome.GROWN, Outcome.REFUSED):
                return "unchanged", None
            if entry.outcome in (Outcome.FAILED, Outcome.DEFERRED):
                due = entry.next_try is not None and entry.next_try <= self.now and not entry.quarantined
                return ("retried" if due else "waiting"), None
        holds = entry is not None and _holds_place(entry)
        refused = judge_ref(ref, self.policy) or (None if holds else self.places.take(ref))
        if refused:
            return "refused", refused
        if entry is None or entry.outcome is Outcome.WITHDRAWN:
            return "new", None
        relicensed = entry.contribution is not None and entry.dataset_ref().licenses != ref.licenses
        return ("relicensed" if relicensed else "changed"), None

    def _remembered(self) -> None:
        """Datasets that a partial listing did not show, and which are therefore as they were: due for another try, or
        last looked at under other rules, also those that have an override now."""
        catalog = self.catalog.name
        for known in (
            self.ledger.entries(catalog=catalog, due=self.now),
            self.ledger.entries(catalog=catalog, other_than=self.pipeline),
            iter(self.ledger.get_many(list(overrides(self.policy))).values()),
        ):
            for chunk in self._chunks(ref for entry in known if (ref := self._again(entry))):
                if not self._chunk(chunk):
                    return

    def _again(self, known: Entry) -> DatasetRef | None:
        """The dataset as it was; as it is now where that revision is gone."""
        elsewhere = known.catalog != self.catalog.name or known.outcome is Outcome.WITHDRAWN
        due = known.next_try is not None and known.next_try <= self.now
        same = known.pipeline == rules_for(known.repo_id, self.pipeline, self.policy)
        if elsewhere or known.repo_id in self.listed or (same and not due):
            return None
        return self._ask(known) if known.code == Code.REVISION_GONE else known.dataset_ref()

    def _missing(self, most: int | None) -> None:
        """Asks for released datasets that the listing did not show, those first that have not been seen for longest:
        deletion, gating and new names show in no listing, and one that shows all may still have lost an entry."""
        known = self.ledger.entries(
            catalog=self.catalog.name, released=True, seen_before=self.now, oldest_first=True, limit=most
        )
        for entry in list(known):
            if entry.repo_id not in self.listed and (ref := self._ask(entry)):
                self._chunk([ref])

    def _inherit(self, everything: bool) -> None:
        """Plans the copies whose owners have left; a partial listing does not show those that are unchanged."""
        left = heirs(self.ledger, self.catalog.name) if self.copies else {}
        for ref in self.set_aside:
            if ref.repo_id in left and self._has_room():
                self.kinds["retried"].append(ref)
            else:
                self.counts["unchanged"] += 1
        for entry in left.values():
            if not everything and entry.repo_id not in self.listed and self._has_room():
                self.counts["surveyed"] += 1
                self.kinds["retried"].append(entry.dataset_ref())

    def _ask(self, known: Entry) -> DatasetRef | None:
        """One dataset as it is now; withdrawn where it is gone, left as it is where there is no answer."""
        if self.unanswered >= _PATIENCE:
            return None
        try:
            ref = self.catalog.ref(known.repo_id)
        except DynosaurError as error:
            if error.code in _GONE:
                self._gone(known, _GONE[error.code], error.message)
            elif error.kind.transient:
                self.unanswered += 1
                if self.write:
                    self.ledger.touch([known.repo_id], self.now)  # others come first the next time
            else:
                raise
            return None
        if ref.repo_id != known.repo_id:
            self._gone(known, Reason.IS_GONE, f"renamed to {ref.repo_id}")
        return ref

    def _gone(self, known: Entry, reason: Reason, detail: str) -> None:
        """Notes that a dataset is no longer there; what was released of it is withdrawn."""
        update = {"outcome": Outcome.WITHDRAWN, "code": reason, "detail": detail, "next_try": None, "updated": self.now}
        entry = known.model_copy(update=update)
        if known.contribution:
            self.leaving.add(known, reason, detail, entry)
        elif self.write:
            self.ledger.record([entry])


def _same(ref: DatasetRef, entry: Entry, rules: str) -> bool:
    return entry.revision == ref.revision and entry.pipeline == rules and entry.listing == listing_digest(ref)


def _holds_place(entry: Entry) -> bool:
    """Whether a dataset is released, or on its way to be."""
    return entry.contribution is not None or entry.next_try is not None
