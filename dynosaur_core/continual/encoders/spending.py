"""What an endpoint's embeddings cost: set aside before a request and booked after it, within the settings' caps."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from dynosaur_core import stopping
from dynosaur_core.clients import open_clients
from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.ledger.budget import NANO, Budget, Reservation, Spending
from dynosaur_core.llm.failures import LostError
from dynosaur_core.llm.prices import cost_usd
from dynosaur_core.models import Usage
from dynosaur_core.settings import Settings

_MARGIN = 1.3
"""So much more is set aside than the texts are counted to cost: other tokenizers count more."""
_POLL_S = 0.05


class Purse:
    """Pays requests. `max_cost_usd` caps what one purse pays, `max_cost_usd_month` what all have paid this month, the
    designers' requests included."""

    def __init__(self, settings: Settings) -> None:
        """Raises PriceUnknown where a cap is set that could not be kept, and BadSetting where no ledger can keep it."""
        capped = settings.max_cost_usd is not None or settings.max_cost_usd_month is not None
        if capped and cost_usd(settings, 1, 0, 0) is None:
            message = f"a cost cap is set, but {settings.model!r} has no known price: set embedding.price"
            raise DynosaurError(Code.PRICE_UNKNOWN, message)
        self._settings = settings
        self._budget = self._open() if capped or _has_ledger(settings) else None
        self.usage = Usage()

    def _open(self) -> Budget:
        settings = self._settings
        return Budget(
            open_clients(settings).ledger.engine,
            f"embeddings-{uuid.uuid4().hex[:12]}",
            growth_usd=settings.max_cost_usd,
            month_usd=settings.max_cost_usd_month,
        )

    @contextmanager
    def paying(self, tokens: int) -> Iterator[list[int]]:
        """Sets aside what about `tokens` cost; the block appends how many were billed. What a request cost that is
        lost on its way is not known, and counts as set aside. Raises BudgetSpent."""
        billed: list[int] = []
        reservation = self._reserve(tokens)
        usage = Usage()
        try:
            yield billed
        except LostError:
            usage = Usage(cost_usd=reservation.nano / NANO if reservation else 0.0)
            raise
        finally:
            if billed:
                cost = cost_usd(self._settings, billed[0], 0, 0)
                usage = Usage(requests=1, prompt_tokens=billed[0], cost_usd=cost)
                self.usage += usage
            if self._budget is not None and reservation is not None:
                self._budget.settle(reservation, usage)

    def _reserve(self, tokens: int) -> Reservation | None:
        """Waits where others have set aside what they may not need."""
        if self._budget is None:
            return None
        usd = cost_usd(self._settings, int(tokens * _MARGIN) + 1, 0, 0) or 0.0
        while True:
            try:
                return self._budget.reserve(usd)
            except Spending:
                stopping.sleep(_POLL_S * random.uniform(0.5, 1.5))


def _has_ledger(settings: Settings) -> bool:
    """Whether something counts what is spent, without a ledger being made for it."""
    clients = open_clients(settings)
    return settings.ledger is not None or (clients.store.local and clients.has_ledger)
