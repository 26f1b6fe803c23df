"""The budget on both databases: many threads on their own connections, and never a cent over the cap."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest

from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.ledger import Ledger
from dynosaur_core.ledger.budget import Budget, Spending
from dynosaur_core.models import Usage

NOW = datetime(2026, 1, 10, tzinfo=UTC)


def test_threads_together_keep_the_cap(ledger: Ledger) -> None:
    paid: list[float] = []

    def spend() -> None:
        own = Budget(Ledger(ledger.url).engine, "g1", growth_usd=0.05)
        for _ in range(20):
            try:
                reservation = own.reserve(0.001, NOW)
            except (DynosaurError, Spending):
                return
            own.settle(reservation, Usage(requests=1, cost_usd=0.0007), NOW)
            paid.append(0.0007)

    threads = [threading.Thread(target=spend) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    spent = Budget(ledger.engine, "g1").spent()
    assert spent.requests == len(paid) > 60
    assert spent.cost_usd == pytest.approx(sum(paid))
    assert sum(paid) <= 0.05


def test_what_is_reserved_counts_until_it_is_settled_also_after_a_restart(ledger: Ledger) -> None:
    Budget(ledger.engine, "g1", growth_usd=0.01).reserve(0.008, NOW)
    later = NOW + timedelta(hours=1)
    resumed = Budget(Ledger(ledger.url).engine, "g1", growth_usd=0.01)
    with pytest.raises(DynosaurError) as raised:
        resumed.reserve(0.004, later)
    assert raised.value.code is Code.BUDGET_SPENT
    Budget(ledger.engine, "g2", growth_usd=0.01).reserve(0.004, later)  # another growth has a budget of its own


def test_growths_of_a_month_share_its_cap(ledger: Ledger) -> None:
    for growth in ("g1", "g2"):
        budget = Budget(ledger.engine, growth, month_usd=0.01)
        budget.settle(budget.reserve(0.005, NOW), Usage(requests=1, cost_usd=0.005), NOW)
    third = Budget(ledger.engine, "g3", growth_usd=1.0, month_usd=0.01)
    with pytest.raises(DynosaurError):
        third.reserve(0.001, NOW)
    assert third.spent().requests == 0  # the growth's own account was not touched
    third.reserve(0.001, NOW + timedelta(days=31))
