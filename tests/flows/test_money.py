"""Caps and batches through whole growths."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from dynosaur_core.clients import close_clients
from flows.dry_run import forecast
from flows.options import Options
from tests.flows.conftest import Grown
from tests.support.datasets import REVIEW_FEATURES, reviews, write_dataset
from tests.support.llm import LlmServer

RunGrowth = Callable[..., Grown]
PROMPT, COMPLETION = 1_000.0, 4_000.0
"""Dollars per million tokens: dear enough that a few requests reach a cap."""


@pytest.fixture
def many(catalog: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """Ten datasets more, and prices that the tests can reckon with."""
    for number in range(10):
        rows = reviews(30, number * 50)
        write_dataset(catalog, f"shop/more{number}", {"train": rows}, features=REVIEW_FEATURES)
    monkeypatch.setenv("DYNOSAUR_LLM__PRICE_INPUT", str(PROMPT))
    monkeypatch.setenv("DYNOSAUR_LLM__PRICE_OUTPUT", str(COMPLETION))
    return 12


def billed(endpoint: LlmServer) -> float:
    return (endpoint.seen.prompt_tokens * PROMPT + endpoint.seen.completion_tokens * COMPLETION) / 1e6


def test_a_cap_holds_and_the_rest_is_deferred(run_growth: RunGrowth, endpoint: LlmServer, many: int) -> None:
    capped = run_growth(max_cost_usd=20.0)
    assert 0 < billed(endpoint) <= 20.0
    assert capped.report.usage.cost_usd == pytest.approx(billed(endpoint))
    deferred = capped.report.deferred["BudgetSpent"]
    assert capped.report.grown + deferred == many and deferred > 0
    assert capped.report.failures == [] and capped.state.is_completed()
    rest = run_growth()
    assert (len(rest.report.plan.retried), rest.report.grown) == (deferred, deferred)
    assert max(endpoint.seen.answered.values()) == 1


def test_a_dry_run_tells_what_a_growth_then_costs(
    run_growth: RunGrowth, endpoint: LlmServer, many: int, catalog: Path, tmp_path: Path
) -> None:
    close_clients()
    told = forecast(Options(catalog=str(catalog), store=str(tmp_path / "store")))
    assert told.planned["new"] == many
    assert not endpoint.seen.attempts
    grown = run_growth()
    assert grown.report.plan.counts()["new"] == many  # the dry run has left nothing behind
    assert told.estimate.requests == grown.report.usage.requests
    assert told.estimate.prompt_tokens == pytest.approx(grown.report.usage.prompt_tokens, rel=0.2)


def test_a_batch_brings_the_answers_at_half_the_price(
    run_growth: RunGrowth, endpoint: LlmServer, many: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DYNOSAUR_LLM__BATCH", "true")
    monkeypatch.setenv("DYNOSAUR_LLM__BATCH_POLL_S", "0.1")
    monkeypatch.setenv("DYNOSAUR_LLM__BATCH_WAIT_S", "30")
    grown = run_growth()
    assert grown.report.grown == many
    assert sum(endpoint.seen.batched.values()) == len(endpoint.seen.batched) > 0
    assert grown.report.usage.cost_usd == pytest.approx(billed(endpoint) / 2, rel=0.15)


def test_a_batch_left_running_is_collected_by_the_next_growth(
    run_growth: RunGrowth, endpoint: LlmServer, many: int, unjudged: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DYNOSAUR_LLM__BATCH", "true")
    monkeypatch.setenv("DYNOSAUR_LLM__BATCH_WAIT_S", "0")
    endpoint.batches.immediate = False
    evening = run_growth()
    # what the endpoint can do is found out by one request outside of the batch
    assert (evening.report.grown, evening.report.deferred["BatchPending"]) == (1, many - 1)
    assert evening.state.is_completed()
    for name in endpoint.batches.batches:
        endpoint.batches.finish(name)
    monkeypatch.setenv("DYNOSAUR_LLM__BATCH_WAIT_S", "30")
    monkeypatch.setenv("DYNOSAUR_LLM__BATCH_POLL_S", "0.1")
    night = run_growth()
    assert night.report.grown == many - 1
    assert max(endpoint.seen.batched.values()) == 1
