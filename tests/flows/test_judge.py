"""The judge through whole growths: what it rejects is not published, what it mends is, and nothing is paid twice."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from dynosaur_core.clients import Clients, close_clients
from dynosaur_core.ledger import Ledger, LedgerEntry
from dynosaur_core.settings import Settings
from flows.backfill import Choice, backfill, chosen_forecast
from flows.command.explain import explain
from flows.dry_run import forecast
from flows.options import Options
from tests.flows.conftest import Grown
from tests.flows.test_grow import records_of
from tests.support.killing import start_growth, wait_until
from tests.support.llm import Asked, Judge, LlmServer

RunGrowth = Callable[..., Grown]
JUDGE = "Judge tasks made of a dataset."
MENDED = "Write a review, good or bad as the label says."


def judged(grown: Grown) -> list[str]:
    return [name for name in grown.run_names if name.startswith("judge ")]


def asked_to_judge(endpoint: LlmServer) -> int:
    """How many requests for verdicts were answered."""
    names = [name for name, body in endpoint.seen.bodies.items() if Asked(tuple(body["messages"]), None).tasks]
    return sum(endpoint.seen.answered[name] for name in names)


def instructions(release: Path) -> set[str]:
    return {str(row["instruction"]).partition(" Answer with")[0] for row in records_of(release)}


def entry_of(work: Path, repo_id: str) -> LedgerEntry:
    entry = Ledger(f"sqlite:///{work}/store/ledger.db").get(repo_id)
    assert entry is not None
    return entry


def explained(work: Path, repo_id: str = "shop/reviews") -> dict[str, Any]:
    return explain(Clients(Settings(store=str(work / "store"))), repo_id).as_json()


def test_backfill_anew_from_the_judge_asks_for_verdicts_alone(
    run_growth: RunGrowth, endpoint: LlmServer, catalog: Path, tmp_path: Path
) -> None:
    run_growth()
    every, verdicts = sum(endpoint.seen.answered.values()), asked_to_judge(endpoint)
    anew = Choice(datasets=["shop/reviews"], from_stage="judge", force=True)
    close_clients()
    guessed = chosen_forecast(anew, Options(catalog=str(catalog), store=str(tmp_path / "store")))
    assert guessed.estimate.requests == 1
    endpoint.behaviour.judge = Judge({"": "mismatch"})
    run_growth(backfill, choice=anew)
    assert asked_to_judge(endpoint) == verdicts + 1 and sum(endpoint.seen.answered.values()) == every + 1
    assert {row["repo_id"] for row in records_of(tmp_path / "release")} == {"museum/questions"}


# --- whether there is a judge


def test_what_the_model_designs_is_judged_once(run_growth: RunGrowth, endpoint: LlmServer) -> None:
    grown = run_growth()
    assert judged(grown) == ["judge museum/questions", "judge shop/reviews"]
    assert asked_to_judge(endpoint) == 2 and grown.report.usage.requests == 4
    assert judged(run_growth()) == [] and asked_to_judge(endpoint) == 2


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("DYNOSAUR_JUDGING__JUDGE", "off"),
        ("DYNOSAUR_DESIGNING__ZERO_SHOT", "true"),
        ("DYNOSAUR_DESIGNING__DESIGNERS", "rules"),
        ("DYNOSAUR_FILTERING__RECIPE", "reference"),
    ],
)
def test_nobody_judges(
    run_growth: RunGrowth, endpoint: LlmServer, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    assert judged(run_growth()) == [] and asked_to_judge(endpoint) == 0


def test_the_judge_may_be_asked_about_what_rules_design(
    run_growth: RunGrowth, endpoint: LlmServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DYNOSAUR_DESIGNING__DESIGNERS", "rules")
    monkeypatch.setenv("DYNOSAUR_JUDGING__JUDGE", "on")
    grown = run_growth()
    assert len(judged(grown)) == grown.report.usage.requests == asked_to_judge(endpoint) == 2


def test_a_judge_that_comes_later_judges_what_was_grown_and_nothing_is_designed_again(
    run_growth: RunGrowth, endpoint: LlmServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DYNOSAUR_JUDGING__JUDGE", "off")
    run_growth()
    before = sum(endpoint.seen.answered.values())
    endpoint.behaviour.judge = Judge({"Write a": "not_derivable"})
    monkeypatch.delenv("DYNOSAUR_JUDGING__JUDGE")
    told = forecast(Options(catalog=str(tmp_path / "catalog"), store=str(tmp_path / "store"))).estimate
    again = run_growth()
    assert sum(endpoint.seen.answered.values()) == before + asked_to_judge(endpoint) == before + 2
    assert told.requests == 2
    assert told.prompt_tokens == pytest.approx(again.report.usage.prompt_tokens, rel=0.1)
    states = {run.name.split()[0]: run.state_name for run in again.runs}
    assert states == dict.fromkeys(("metadata", "instruction", "filter"), "Cached") | dict.fromkeys(
        ("judge", "publish"), "Completed"
    )
    assert not any("Write a" in instruction for instruction in instructions(tmp_path / "release"))


# --- what becomes of its verdicts


def test_a_rejected_task_is_not_published_and_counted(
    run_growth: RunGrowth, endpoint: LlmServer, tmp_path: Path
) -> None:
    endpoint.behaviour.judge = Judge({"Write a": "mismatch"})
    report = run_growth().report
    assert report.task_rejections["mismatch"] == 2
    assert report.proposed == report.accepted + report.task_rejections.total()
    assert not any("Write a" in instruction for instruction in instructions(tmp_path / "release"))
    tasks = pq.read_table(tmp_path / "release/tasks.parquet").to_pylist()
    assert {(row["judged_by"], row["judge_said"]) for row in tasks} == {(Settings().model, "It fits.")}
    told = explained(tmp_path)
    first = reversed(told["designs"])  # the same designs come for both modes; the later ones are duplicates
    verdicts = {design["instruction"]: (design["verdict"], design["detail"]) for design in first}
    rejected = next(verdict for instruction, verdict in verdicts.items() if "Write a" in instruction)
    accepted = next(verdict for instruction, verdict in verdicts.items() if "Read the" in instruction)
    assert (rejected, accepted) == (("mismatch", "the judge: It is mismatch."), ("accepted", "It fits."))
    last = told["requests"][-1]
    assert JUDGE in last["sent"][0]["content"] and '"mismatch"' in last["came_back"]


def test_a_dataset_of_which_every_task_is_rejected_is_refused(
    run_growth: RunGrowth, endpoint: LlmServer, tmp_path: Path
) -> None:
    run_growth()
    assert entry_of(tmp_path, "shop/reviews").contribution
    endpoint.behaviour.judge = Judge({"label": "mismatch"})
    grown = run_growth(backfill, choice=Choice(datasets=["*"], from_stage="instruction", force=True))
    assert grown.report.refused["no_task_accepted"] == 1
    refused = entry_of(tmp_path, "shop/reviews")
    assert (refused.stage, refused.code, refused.contribution) == ("judge", "no_task_accepted", None)


def test_a_mended_task_is_published_after_filter_and_judge_once_more(
    run_growth: RunGrowth, endpoint: LlmServer, tmp_path: Path
) -> None:
    endpoint.behaviour.judge = Judge({"to which the label belongs": ("mismatch", MENDED)})
    report = run_growth().report
    assert MENDED in instructions(tmp_path / "release")
    assert report.proposed == report.accepted + report.task_rejections.total()
    assert asked_to_judge(endpoint) == 3
    row = next(
        row for row in pq.read_table(tmp_path / "release/tasks.parquet").to_pylist() if row["instruction"] == MENDED
    )
    assert row["judge_said"] == "Mended (mismatch: It is mismatch.). It fits."
    told = explained(tmp_path)
    assert len(told["requests"]) == 3 and any(MENDED in design.get("mended", "") for design in told["designs"])


@pytest.mark.parametrize(
    ("mended", "why"),
    [
        ("Write a link such as https://example.org for the label.", "the filter rejects it: link"),
        ({"input_fields": ["nothing"], "output_field": "text"}, "the filter rejects it: unknown_field"),
        ({"input_fields": ["text"], "output_field": "label"}, "the filter rejects it: duplicate_mapping"),
        ("Write a review that is not as the label says.", "it is contradiction: It is contradiction."),
    ],
)
def test_a_mended_task_that_is_wrong_is_rejected(
    run_growth: RunGrowth, endpoint: LlmServer, tmp_path: Path, mended: Any, why: str
) -> None:
    """And not mended once more."""
    twice = ("contradiction", "Write a review.")
    endpoint.behaviour.judge = Judge({"to which the label belongs": ("mismatch", mended), "is not as": twice})
    report = run_growth().report
    assert report.task_rejections["mismatch"] == 1
    assert asked_to_judge(endpoint) <= 3
    told = explained(tmp_path)["designs"]
    assert any(each["verdict"] == "mismatch" and why in each["detail"] for each in told)


# --- faults, money, kills


@pytest.mark.parametrize("kind", ["429", "500", "hang", "reset", "not_json", "truncated", "prose", "empty", "python"])
def test_a_fault_of_a_judge_s_request_costs_no_task(
    run_growth: RunGrowth, endpoint: LlmServer, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setenv("DYNOSAUR_LLM__TIMEOUT_S", "1")
    endpoint.behaviour.faults.planned = {JUDGE: [kind]}
    grown = run_growth()
    assert (grown.report.grown, grown.report.failures) == (2, [])
    assert not endpoint.behaviour.faults.planned[JUDGE]


def test_answers_without_verdicts_fail_the_dataset_and_the_next_night_asks_anew(
    run_growth: RunGrowth, endpoint: LlmServer, tmp_path: Path
) -> None:
    endpoint.behaviour.judge = lambda asked: "I like them all."
    first = run_growth()
    assert {failure.code: failure.stage for failure in first.report.failures} == {"NoVerdict": "judge"}
    assert first.report.grown == 0 and not (tmp_path / "release/data").exists()
    designed = sum(endpoint.seen.answered.values()) - asked_to_judge(endpoint)
    entry = entry_of(tmp_path, "shop/reviews")
    assert entry.attempts == 1 and entry.next_try and not entry.quarantined
    endpoint.behaviour.judge = Judge()
    second = run_growth(backfill, choice=Choice(errors=["NoVerdict"]))
    assert second.report.grown == 2
    assert sum(endpoint.seen.answered.values()) - asked_to_judge(endpoint) == designed


def test_tasks_wait_at_the_cap_for_the_next_night(
    run_growth: RunGrowth, endpoint: LlmServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The judge is so dear that the cap pays the designers alone."""
    monkeypatch.setenv("DYNOSAUR_LLM__PRICE_INPUT", "1")
    monkeypatch.setenv("DYNOSAUR_LLM__PRICE_OUTPUT", "1")
    monkeypatch.setenv("DYNOSAUR_JUDGING__MODEL", "dear")
    monkeypatch.setenv("DYNOSAUR_JUDGING__PRICE_INPUT", "1000")
    monkeypatch.setenv("DYNOSAUR_JUDGING__PRICE_OUTPUT", "1000")
    monkeypatch.setenv("DYNOSAUR_CONCURRENCY", "1")
    capped = run_growth(max_cost_usd=0.5)
    assert (capped.report.grown, capped.report.failures) == (0, [])
    assert capped.report.deferred["BudgetSpent"] == 2 and capped.state.is_completed()
    assert "judge" in {entry_of(tmp_path, name).stage for name in ("shop/reviews", "museum/questions")}
    assert asked_to_judge(endpoint) == 0
    rest = run_growth(max_cost_usd=50.0)
    assert rest.report.grown == 2
    assert max(endpoint.seen.answered.values()) == 1
    assert {body["model"] for body in endpoint.seen.bodies.values()} == {Settings().model, "dear"}


def test_a_dear_judge_is_estimated_at_its_own_price(
    run_growth: RunGrowth, endpoint: LlmServer, catalog: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, price in (("LLM", "0"), ("JUDGING", "1000")):
        monkeypatch.setenv(f"DYNOSAUR_{name}__PRICE_INPUT", price)
        monkeypatch.setenv(f"DYNOSAUR_{name}__PRICE_OUTPUT", price)
    monkeypatch.setenv("DYNOSAUR_JUDGING__MODEL", "dear")
    close_clients()
    told = forecast(Options(catalog=str(catalog), store=str(tmp_path / "store"))).estimate
    paid = run_growth().report.usage
    assert told.requests == paid.requests == 4
    assert told.cost_usd == pytest.approx(paid.cost_usd, rel=0.5)


def test_a_batch_brings_verdicts(
    run_growth: RunGrowth, endpoint: LlmServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DYNOSAUR_LLM__BATCH", "true")
    monkeypatch.setenv("DYNOSAUR_LLM__BATCH_POLL_S", "0.1")
    monkeypatch.setenv("DYNOSAUR_LLM__BATCH_WAIT_S", "0")
    endpoint.behaviour.judge = Judge({"to which the label belongs": ("mismatch", MENDED)})
    endpoint.batches.immediate = False
    grown, nights, finished = 0, 0, set[str]()
    while grown < 2:
        nights += 1
        grown += run_growth().report.grown
        pending = [entry_of(tmp_path, name) for name in ("shop/reviews", "museum/questions")]
        assert {entry.code for entry in pending if entry.outcome == "deferred"} <= {"BatchPending"}
        for name in set(endpoint.batches.batches) - finished:
            endpoint.batches.finish(name)
            finished.add(name)
        assert nights < 8
    assert MENDED in instructions(tmp_path / "release")
    seen = endpoint.seen
    assert max([*seen.batched.values(), *seen.answered.values()]) == 1  # neither twice in batches nor outside of them
    assert sum(seen.batched.values()) + sum(seen.answered.values()) == 5


def test_kill_9_while_the_judge_is_asked(run_growth: RunGrowth, endpoint: LlmServer, tmp_path: Path) -> None:
    undisturbed = tmp_path / "a"
    where = {"store": str(undisturbed / "store"), "release": [str(undisturbed / "release")]}
    run_growth(**where)
    expected, asked = instructions(undisturbed / "release"), set(endpoint.seen.answered)
    endpoint.seen.answered.clear()
    endpoint.behaviour.faults.planned = {JUDGE: ["hang"] * 2}
    work = tmp_path / "b"
    killed = start_growth(tmp_path / "catalog", work / "store", work / "release")
    wait_until(lambda: not endpoint.behaviour.faults.planned[JUDGE])
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert asked_to_judge(endpoint) == 0 and len(list((work / "store/answers").rglob("*.json"))) == 2
    resumed = run_growth(store=str(work / "store"), release=[str(work / "release")])
    assert resumed.state.is_completed() and instructions(work / "release") == expected
    assert set(endpoint.seen.answered) == asked and set(endpoint.seen.answered.values()) == {1}


def test_backfill_from_the_judge_runs_what_comes_after_the_filter(run_growth: RunGrowth, endpoint: LlmServer) -> None:
    run_growth()
    paid = sum(endpoint.seen.answered.values())
    again = run_growth(backfill, choice=Choice(datasets=["shop/*"], from_stage="judge"))
    states = {run.name: run.state_name for run in again.runs}
    assert states["filter shop/reviews"] == "Cached"
    assert states["judge shop/reviews"] == states["publish shop/reviews"] == "Completed"
    assert sum(endpoint.seen.answered.values()) == paid
    assert json.dumps(again.report.summary().as_json())
