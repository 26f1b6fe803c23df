"""The budget: never a cent over the cap, across threads, processes and restarts."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.instruction.stage import propose
from dynosaur_core.ledger.budget import Budget, Spending
from dynosaur_core.ledger.engine import open_engine
from dynosaur_core.llm.client import LlmClient
from dynosaur_core.llm.prices import cost_usd
from dynosaur_core.models import Usage
from dynosaur_core.store import Store
from tests.instruction.data import dataset, settings
from tests.support.llm import Faults, LlmServer

NOW = datetime(2026, 11, 21, tzinfo=UTC)
ONE = Usage(requests=1, prompt_tokens=10, completion_tokens=5, cost_usd=0.4)


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return open_engine(f"sqlite:///{tmp_path}/ledger.db")


def test_money_is_reserved_settled_and_refused_at_the_cap(engine: Engine) -> None:
    budget = Budget(engine, "g1", growth_usd=1.0, patience=timedelta(0))
    first, second = budget.reserve(0.5, NOW), budget.reserve(0.5, NOW)
    with pytest.raises(DynosaurError) as error:
        budget.reserve(0.01, NOW)
    assert error.value.code is Code.BUDGET_SPENT and "$1" in error.value.message
    budget.settle(first, ONE, NOW)
    budget.settle(second, Usage(), NOW)
    assert budget.spent() == ONE
    budget.reserve(0.6, NOW)


def test_what_may_come_free_is_waited_for(engine: Engine) -> None:
    budget = Budget(engine, "g1", growth_usd=1.0)
    budget.reserve(0.9, NOW)
    with pytest.raises(Spending):
        budget.reserve(0.5, NOW)
    with pytest.raises(DynosaurError):
        budget.reserve(1.1, NOW)
    with pytest.raises(DynosaurError):  # whoever had reserved it is gone
        budget.reserve(0.5, NOW + timedelta(hours=1))


def test_the_month_caps_all_its_growths(engine: Engine) -> None:
    for growth in ("g1", "g2"):
        budget = Budget(engine, growth, month_usd=1.0, patience=timedelta(0))
        budget.settle(budget.reserve(0.5, NOW), ONE, NOW)
    assert Budget(engine, "g3").spent("2026-11").cost_usd == pytest.approx(0.8)
    with pytest.raises(DynosaurError, match="month 2026-11"):
        budget.reserve(0.3, NOW)
    assert budget.reserve(0.3, NOW.replace(month=12)).scopes == ("growth:g2", "month:2026-12")


def test_a_refused_reservation_leaves_nothing_behind(engine: Engine) -> None:
    budget = Budget(engine, "g1", growth_usd=1.0, month_usd=0.1, patience=timedelta(0))
    for _ in range(20):
        with pytest.raises(DynosaurError):
            budget.reserve(0.2, NOW)
    Budget(engine, "g1", growth_usd=1.0).reserve(1.0, NOW)


def test_threads_together_never_pass_the_cap(engine: Engine) -> None:
    budget = Budget(engine, "g1", growth_usd=1.0, patience=timedelta(0))

    def take(_: int) -> bool:
        while True:
            try:
                budget.settle(budget.reserve(0.03), ONE.model_copy(update={"cost_usd": 0.03}))
                return True
            except Spending:
                continue
            except DynosaurError:
                return False

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(take, range(100))) == 33
    assert budget.spent().requests == 33


WORKER = """
import sys
from concurrent.futures import ThreadPoolExecutor
from dynosaur_core.errors import DynosaurError
from dynosaur_core.llm.client import LlmClient
from dynosaur_core.instruction.stage import propose
from dynosaur_core.ledger.budget import Budget
from dynosaur_core.ledger.engine import open_engine
from dynosaur_core.store import Store
from tests.instruction.data import dataset, settings

folder, url, worker = sys.argv[1:]
chosen = settings().model_copy(update={"max_cost_usd": 0.05})
store = Store(f"{folder}/{worker}")
budget = Budget(open_engine(f"sqlite:///{folder}/ledger.db"), "g1", growth_usd=0.05)
llm = LlmClient(chosen, store, budget=budget, base_url=url)

def one(number):
    try:
        return len(propose(dataset(f"{worker}/set-{number}"), chosen, llm, store)) and "grown"
    except DynosaurError as error:
        return str(error.code)

with ThreadPoolExecutor(16) as pool:
    results = list(pool.map(one, range(100)))
print(*[results.count(name) for name in ("grown", "BudgetSpent")])
"""


def test_two_workers_of_sixteen_threads_keep_a_cap_of_five_cents(
    engine: Engine, endpoint: LlmServer, tmp_path: Path
) -> None:
    """The endpoint's own account decides what was spent; connections are lost on the way."""
    endpoint.behaviour.faults = Faults(["cut", "500"], share=0.05, seed=3)
    command = [sys.executable, "-c", WORKER, str(tmp_path), endpoint.url]
    workers = [subprocess.Popen([*command, name], stdout=subprocess.PIPE, text=True) for name in ("one", "two")]
    outputs = [worker.communicate(timeout=120)[0].split() for worker in workers]
    seen, budget = endpoint.seen, Budget(engine, "g1")
    paid = cost_usd(settings(), seen.prompt_tokens, 0, seen.completion_tokens)
    booked = budget.spent()
    assert paid is not None and booked.cost_usd is not None
    assert 0.035 < paid <= booked.cost_usd <= 0.05
    assert booked.requests == seen.answered.total()
    grown, deferred = (sum(int(output[i]) for output in outputs) for i in (0, 1))
    assert grown + deferred == 200 and deferred > 0 and grown > 50


def test_a_cap_without_a_price_refuses_to_start(store: Store, endpoint: LlmServer, engine: Engine) -> None:
    chosen = settings(model="a-model-of-my-own").model_copy(update={"max_cost_usd": 1.0})
    with pytest.raises(DynosaurError) as error:
        LlmClient(chosen, store, budget=Budget(engine, "g1", growth_usd=1.0), base_url=endpoint.url)
    assert error.value.code is Code.PRICE_UNKNOWN and error.value.policy.deferred
    priced = settings(model="a-model-of-my-own", price_input=1.0, price_output=2.0)
    capped = priced.model_copy(update={"max_cost_usd": 1.0})
    assert LlmClient(capped, store, budget=Budget(engine, "g1"), base_url=endpoint.url).budget


def test_without_a_price_tokens_are_counted_and_the_cost_is_null(
    store: Store, endpoint: LlmServer, engine: Engine
) -> None:
    chosen = settings(model="a-model-of-my-own")
    budget = Budget(engine, "g1")
    llm = LlmClient(chosen, store, budget=budget, base_url=endpoint.url)
    usage = sum((p.usage for p in propose(dataset(), chosen, llm, store)), Usage())
    assert usage.cost_usd is None and usage.prompt_tokens == endpoint.seen.prompt_tokens
    assert budget.spent() == usage


def test_prices_are_dated_and_can_be_set() -> None:
    assert cost_usd(settings(model="gpt-4o-mini"), 1_000_000, 0, 1_000_000) == pytest.approx(0.75)
    assert cost_usd(settings(model="gpt-4o-mini"), 1_000_000, 0, 1_000_000, batch=True) == pytest.approx(0.375)
    own = settings(model="gpt-4o-mini", price_input=10.0, price_cached=1.0, price_output=20.0)
    assert cost_usd(own, 1_000_000, 500_000, 1_000_000) == pytest.approx(25.5)
    assert cost_usd(own, 1_000_000, 500_000, 1_000_000, batch=True) == pytest.approx(12.75)
