"""What becomes of each dataset that a survey meets: a branch, a refusal, or nothing, by the ledger and the rules."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.ledger import Ledger, LedgerEntry, Outcome, after_failure, listing_digest, new_entry
from dynosaur_core.ledger.claims import copies, heirs
from dynosaur_core.logs import logger
from dynosaur_core.models import DatasetRef, Rejection
from dynosaur_core.policy.caps import Places
from dynosaur_core.policy.judge import judge_ref, rules_for
from dynosaur_core.reasons import Reason
from dynosaur_core.settings import Settings
from dynosaur_core.withdrawals import Leaving

_LOG = logger("survey")
_TAKING_PART = (Outcome.GROWN, Outcome.FAILED, Outcome.DEFERRED)


class Sorting:
    """Sorts datasets into the kinds of a growth plan, at most `limit` of them."""

    def __init__(
        self,
        ledger: Ledger,
        catalog: str,
        settings: Settings,
        pipeline: str,
        growth_id: str,
        now: datetime,
        limit: int | None,
    ) -> None:
        self.ledger, self.catalog, self.policy = ledger, catalog, settings.policy
        self.pipeline, self.growth_id, self.now, self.limit = pipeline, growth_id, now, limit
        self.kinds: dict[str, list[DatasetRef]] = {"new": [], "changed": [], "relicensed": [], "retried": []}
        self.counts: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.leaving = Leaving(ledger, catalog, settings, now)
        self.listed: set[str] = set()
        """Ids that were met, of those that the ledger or the plan knows."""
        self.newest: datetime | None = None
        self.entries: list[LedgerEntry] = []
        """What the ledger is to learn."""
        self.same: list[str] = []
        """Ids of datasets of which the ledger is to learn that they were seen."""
        self._places = Places(self.policy, self._holders)
        self._copies = copies(ledger, catalog)
        self._unchanged_copies: set[str] = set()

    @property
    def has_room(self) -> bool:
        return self.limit is None or sum(len(refs) for refs in self.kinds.values()) < self.limit

    def sort(self, ref: DatasetRef, entry: LedgerEntry | None) -> bool:
        """Puts one dataset into the plan, or notes why not; returns False where there is no room for it.

        What goes wrong with one dataset is written down as its failure, and the survey goes on.
        """
        surveyed = self.counts["surveyed"]
        try:
            return self._sort(ref, entry)
        except DynosaurError:
            raise
        except Exception as error:  # noqa: BLE001 - nobody has foreseen it; logged and recorded
            _LOG.exception("the survey of %s", ref.repo_id)
            what = {"stage": "survey", "code": Code.UNEXPECTED, "detail": f"{type(error).__name__}: {error}"}
            failed = self._entry(ref, Outcome.FAILED, **what)
            self.entries.append(after_failure(failed, entry, Code.UNEXPECTED, self.now))
            self.counts["surveyed"] = surveyed + 1
            self.counts["waiting"] += 1
            return True

    def _sort(self, ref: DatasetRef, entry: LedgerEntry | None) -> bool:
        kind, refused = self._judge(ref, entry)
        if kind in self.kinds and not self.has_room:
            return False
        self.counts["surveyed"] += 1
        if ref.last_modified and (self.newest is None or ref.last_modified > self.newest):
            self.newest = ref.last_modified
        if entry or kind in self.kinds:
            self.listed.add(ref.repo_id)
        if kind in self.kinds:
            self.kinds[kind].append(ref)
            self.entries.append(self._planned(ref, entry))
        elif refused:
            self._refuse(ref, entry, refused)
        else:
            self.counts[kind] += 1
            self.same.append(ref.repo_id)
            if kind == "unchanged" and ref.repo_id in self._copies:
                self._unchanged_copies.add(ref.repo_id)
        return True

    def _judge(self, ref: DatasetRef, entry: LedgerEntry | None) -> tuple[str, Rejection | None]:
        """A kind of the plan, `unchanged` or `waiting`; or `refused`, and why."""
        if entry and entry.catalog != self.catalog and entry.outcome is not Outcome.WITHDRAWN:
            why = {"reason": Reason.OTHER_CATALOG, "detail": f"it is of the catalogue {entry.catalog!r}"}
            return "refused", Rejection(repo_id=ref.repo_id, level="dataset", stage="survey", **why)
        if entry and self._is_same(ref, entry):
            if entry.outcome in (Outcome.GROWN, Outcome.REFUSED):
                return "unchanged", None
            if entry.outcome in (Outcome.FAILED, Outcome.DEFERRED):
                due = entry.next_try is not None and entry.next_try <= self.now and not entry.quarantined
                return ("retried" if due else "waiting"), None
        holds = entry is not None and _holds_place(entry)
        refused = judge_ref(ref, self.policy) or (None if holds else self._places.take(ref))
        if refused:
            return "refused", refused
        if entry is None or entry.outcome is Outcome.WITHDRAWN:
            return "new", None
        before = entry.dataset_ref() if entry.contribution else None
        relicensed = before is not None and before.licenses != ref.licenses
        return ("relicensed" if relicensed else "changed"), None

    def _refuse(self, ref: DatasetRef, entry: LedgerEntry | None, refused: Rejection) -> None:
        self.refused[refused.reason] += 1
        if refused.reason == Reason.OTHER_CATALOG:
            return  # its entry is the other catalogue's
        why = {"stage": refused.stage, "code": refused.reason, "detail": refused.detail}
        refusal = self._entry(ref, Outcome.REFUSED, **why)
        if entry and entry.contribution:
            self.leaving.add(entry, Reason(refused.reason), refused.detail, refusal)
            refusal = self._planned(ref, entry)  # due, so that a survey that is cut off does not forget it
        self.entries.append(refusal)

    def inherit(self, *, everything: bool) -> None:
        """Plans the copies whose owners have left. One that was not met is as it was, unless the listing showed
        `everything`."""
        left = heirs(self.ledger, self.catalog) if self._copies else {}
        for entry in left.values():
            met = entry.repo_id in self.listed
            if not self.has_room or (entry.repo_id not in self._unchanged_copies if met else everything):
                continue
            if (heir := entry.dataset_ref()) is None:
                continue
            self.counts.update({"unchanged": -1} if met else {"surveyed": 1})
            self.kinds["retried"].append(heir)

    def _planned(self, ref: DatasetRef, entry: LedgerEntry | None) -> LedgerEntry:
        """The entry of a dataset that is due now, also where its listing is not seen again."""
        if entry is None:
            return self._entry(ref, Outcome.DEFERRED, stage="survey", code=Code.PLANNED, next_try=self.now)
        due = {"next_try": self.now, "quarantined": False, "seen": self.now}
        return entry.model_copy(update={"ref": ref.model_dump(mode="json"), **due})

    def _holders(self) -> Iterator[DatasetRef]:
        known = self.ledger.entries(catalog=self.catalog, outcomes=_TAKING_PART)
        refs = (entry.dataset_ref() for entry in known if _holds_place(entry))
        return (ref for ref in refs if ref)

    def _entry(self, ref: DatasetRef, outcome: Outcome, **values: Any) -> LedgerEntry:
        return new_entry(ref, self.catalog, self._rules(ref.repo_id), self.growth_id, self.now, outcome, **values)

    def _is_same(self, ref: DatasetRef, entry: LedgerEntry) -> bool:
        same = entry.revision == ref.revision and entry.listing == listing_digest(ref)
        return same and entry.pipeline == self._rules(ref.repo_id)

    def _rules(self, repo_id: str) -> str:
        return rules_for(repo_id, self.pipeline, self.policy)


def _holds_place(entry: LedgerEntry) -> bool:
    """Whether a dataset is released, or on its way to be."""
    return entry.contribution is not None or entry.next_try is not None
