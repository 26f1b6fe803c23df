"""How much may leave a release without a question: what a mistake takes away is more than a night's withdrawals."""

from __future__ import annotations

from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.settings import Settings

CONFIRM = "--withdraw-many"


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
        f"once: they stay. If that is meant, add {CONFIRM}"
    )
    raise DynosaurError(Code.WITHDRAWS_MANY, message)
