"""`backfill --force --from-stage instruction`: the model is asked anew, for the chosen datasets, and paid once."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import update

from dynosaur_core.clients import close_clients
from dynosaur_core.ledger.engine import open_engine
from dynosaur_core.ledger.tables import growths
from flows.backfill import Choice, backfill, chosen_forecast
from flows.options import Options
from tests.flows.conftest import Grown
from tests.flows.test_grow import records_of
from tests.support.llm import Asked, LlmServer, design

pytestmark = pytest.mark.usefixtures("unjudged")
RunGrowth = Callable[..., Grown]
ANEW = Choice(datasets=["shop/reviews"], from_stage="instruction", force=True)


def otherwise(asked: Asked) -> str:
    return design(asked).replace("Read the ", "Look at the ")


def asked(endpoint: LlmServer) -> int:
    return sum(endpoint.seen.answered.values()) + sum(endpoint.seen.batched.values())


def test_backfill_anew_replaces_the_answer_of_the_chosen_dataset_alone(
    run_growth: RunGrowth, endpoint: LlmServer, tmp_path: Path
) -> None:
    run_growth()
    before = asked(endpoint)
    endpoint.behaviour.answerer = otherwise
    run_growth(backfill, choice=Choice(datasets=["shop/reviews"], from_stage="instruction"))
    assert asked(endpoint) == before, "without --force what is paid is used"
    run_growth(backfill, choice=ANEW)
    assert asked(endpoint) == before + 1
    said = {(row["repo_id"], str(row["instruction"])[:8]) for row in records_of(tmp_path / "release")}
    assert ("shop/reviews", "Look at ") in said and ("shop/reviews", "Read the") not in said
    assert ("museum/questions", "Look at ") not in said
    run_growth(backfill, choice=Choice(datasets=["*"], from_stage="instruction"))
    assert asked(endpoint) == before + 1, "the new answer is kept like any other"


def test_backfill_anew_that_was_cut_off_does_not_pay_twice(
    run_growth: RunGrowth, endpoint: LlmServer, tmp_path: Path
) -> None:
    run_growth()
    before = asked(endpoint)
    every = Choice(datasets=["*"], from_stage="instruction", force=True)
    run_growth(backfill, choice=every)
    paid = asked(endpoint) - before
    assert paid == 2
    with open_engine(f"sqlite:///{tmp_path}/store/ledger.db").begin() as connection:
        connection.execute(update(growths).values(finished=None))  # as a kill before the end leaves it
    run_growth(backfill, choice=every)
    assert asked(endpoint) == before + paid
    run_growth(backfill, choice=every)
    assert asked(endpoint) == before + 2 * paid, "a backfill after it is another one"


def test_backfill_anew_by_a_batch_that_a_later_growth_collects(
    run_growth: RunGrowth, endpoint: LlmServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_growth()
    before = asked(endpoint)
    endpoint.behaviour.answerer = otherwise
    endpoint.batches.immediate = False
    monkeypatch.setenv("DYNOSAUR_LLM__BATCH", "true")
    monkeypatch.setenv("DYNOSAUR_LLM__BATCH_WAIT_S", "0")
    evening = run_growth(backfill, choice=ANEW)
    assert evening.report.deferred["BatchPending"] == 1
    endpoint.batches.finish("batch-0")
    monkeypatch.setenv("DYNOSAUR_LLM__BATCH_WAIT_S", "30")
    monkeypatch.setenv("DYNOSAUR_LLM__BATCH_POLL_S", "0.1")
    run_growth()
    assert asked(endpoint) == before + 1
    said = {str(row["instruction"])[:8] for row in records_of(tmp_path / "release") if row["repo_id"] == "shop/reviews"}
    assert "Look at " in said and "Read the" not in said


def test_backfill_anew_is_estimated_as_what_it_costs(
    run_growth: RunGrowth, endpoint: LlmServer, catalog: Path, tmp_path: Path
) -> None:
    run_growth()
    close_clients()
    options = Options(catalog=str(catalog), store=str(tmp_path / "store"))
    kept = chosen_forecast(ANEW.model_copy(update={"force": False}), options)
    anew = chosen_forecast(ANEW, options)
    assert (kept.estimate.requests, anew.estimate.requests) == (0, 1)
    assert json.dumps(anew.as_json())
