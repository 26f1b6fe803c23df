"""What a growth is about to do."""

from __future__ import annotations

from pydantic import Field

from dynosaur_core.models.base import Frozen
from dynosaur_core.models.catalog import DatasetRef
from dynosaur_core.text import Id, Key, Line, Name, Text


class Withdrawal(Frozen):
    """A dataset whose rows leave the release, and why."""

    repo_id: Id
    revision: Key
    reason: Key
    detail: Line = ""


class GrowthPlan(Frozen):
    """What one growth will do. Every dataset that the survey saw is counted once."""

    surveyed: int = 0
    """Datasets seen; equals the lengths of new, changed, relicensed and retried, the refused, unchanged and waiting."""
    new: tuple[DatasetRef, ...] = ()
    changed: tuple[DatasetRef, ...] = ()
    relicensed: tuple[DatasetRef, ...] = ()
    retried: tuple[DatasetRef, ...] = ()
    """Failed earlier, or run again by hand."""
    withdrawn: tuple[Withdrawal, ...] = ()
    """Gone from the catalogue, or refused now; those seen are among the refused too."""
    held_back: tuple[Withdrawal, ...] = ()
    """Withdrawals that wait for a person's word, since there are too many at once."""
    held_back_because: Text | None = None
    refused: dict[Name, int] = Field(default={})
    """Refused from the listing alone, this time: reason -> count."""
    unchanged: int = 0
    waiting: int = 0
    """Failed earlier and not yet due for another try, or quarantined."""
    cut_off: Line | None = None
    """Why the listing broke off; the next growth goes on where it did."""

    @property
    def branches(self) -> tuple[DatasetRef, ...]:
        """The datasets that get a branch of task runs."""
        return self.new + self.changed + self.relicensed + self.retried

    def counts(self) -> dict[str, int]:
        return {
            "new": len(self.new),
            "changed": len(self.changed),
            "relicensed": len(self.relicensed),
            "withdrawn": len(self.withdrawn),
            "retried": len(self.retried),
            "unchanged": self.unchanged + self.waiting,
        }
