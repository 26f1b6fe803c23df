"""How much may leave a release without a question: what a mistake takes away is more than a night's withdrawals."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from dynosaur_core.errors import ERRORS, Code, DynosaurError
from dynosaur_core.ledger import Ledger, LedgerEntry
from dynosaur_core.models import Removal, Withdrawal
from dynosaur_core.reasons import Reason
from dynosaur_core.settings import Settings


def check_withdrawals(leaving: int, held: int, settings: Settings, what: str, where: str) -> None:
    """Raises WithdrawsMany where `leaving` of the `held` datasets are more than may leave at once.

    These are the larger of `withdrawn_floor` and the share `max_withdrawn_ratio`; nor may all of several leave. `what`
    is why they would, `where` is what they would leave, both for people.
    """
    most = max(settings.withdrawn_floor, int(settings.max_withdrawn_ratio * held))
    if leaving <= most and (leaving < held or held <= 1):
        return
    message = (
        f"{leaving:,} of the {held:,} datasets of {where} would be withdrawn ({what}), and at most {most:,} may be at "
        f"once: they stay. If that is meant, add {ERRORS[Code.WITHDRAWS_MANY].confirmed_by}"
    )
    raise DynosaurError(Code.WITHDRAWS_MANY, message)


def reasons(removals: Iterable[Removal]) -> str:
    """`gone 3, gated 1`: what a question says of the datasets that would leave."""
    counts = Counter(removal.reason for removal in removals)
    return ", ".join(f"{reason} {count:,}" for reason, count in counts.most_common())


def removal_of(known: LedgerEntry, reason: Reason, detail: str, when: datetime) -> Removal:
    """The removal of what is released of a dataset, `known` as the ledger has it."""
    revision = known.contribution_revision or known.revision
    return Removal(repo_id=known.repo_id, revision=revision, reason=reason, detail=detail, when=when)


def withdrawal_of(removal: Removal) -> Withdrawal:
    return Withdrawal(**removal.model_dump(exclude={"when"}))


class Leaving:
    """What a survey is to withdraw: gathered first, so that how much it is can be judged, then carried out as one."""

    def __init__(self, ledger: Ledger, catalog: str, settings: Settings, now: datetime) -> None:
        self.ledger, self.catalog, self.settings, self.now = ledger, catalog, settings, now
        self._found: dict[str, tuple[LedgerEntry, Removal]] = {}

    def add(self, known: LedgerEntry, reason: Reason, detail: str, entry: LedgerEntry) -> None:
        """`known` as the ledger has it, `entry` as it becomes."""
        self._found[known.repo_id] = (entry, removal_of(known, reason, detail, self.now))

    @property
    def withdrawals(self) -> tuple[Withdrawal, ...]:
        return tuple(withdrawal_of(removal) for _, removal in self._found.values())

    def carry_out(self, *, write: bool, confirmed: bool) -> str | None:
        """Withdraws all of it, or nothing; returns why where it is too much for one time and nobody has `confirmed` it.

        What is held back is found again by the next survey: it is due, or still not in the catalogue.
        """
        removals = [removal for _, removal in self._found.values()]
        try:
            if not confirmed:
                held, where = self.ledger.released(self.catalog), f"the catalogue {self.catalog!r}"
                check_withdrawals(len(removals), held, self.settings, reasons(removals), where)
        except DynosaurError as error:
            return str(error)
        if write and removals:
            self.ledger.withdraw([entry for entry, _ in self._found.values()], removals)
        return None
