"""An evaluation of a model behind an endpoint: its scores and files; done twice, cut off, killed, and refused."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from PIL import Image

from dynosaur_core.clients import close_clients
from dynosaur_core.continual.folder import Made
from dynosaur_core.digest import digest
from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.evaluation.choice import EvaluationChoice
from dynosaur_core.evaluation.evaluate import evaluate
from dynosaur_core.evaluation.report import _short
from dynosaur_core.settings import Llm, Settings
from tests.evaluation.conftest import ANIMALS, animal, evaluated, files, lines, predictions
from tests.support.killing import wait_until
from tests.support.llm import Asked, Faults, LlmServer


def test_evaluate_scores_each_task_and_all(model: LlmServer, suite: Path, tmp_path: Path) -> None:
    out, summary = tmp_path / "out", evaluated(tmp_path, suite, first_line=True)
    assert summary.changed and (summary.tasks, summary.instances, summary.cut) == (3, 30, 0)
    # nine of ten animals are "A CAT." for a reference "a cat"; of a pig it says "Cats!", and no stem is in common
    assert (summary.exact_match, summary.rouge_l, summary.task_rouge_l) == (90.0, 90.0, 90.0)
    assert summary.categories["Kind 1"] == {"exact_match": 90.0, "rouge_l": 90.0}
    assert summary.usage is not None and summary.usage.requests == 30
    table = pq.read_table(out / "scores.parquet").to_pylist()
    assert [row["task"] for row in table] == ["task0_animal", "task1_animal", "task2_animal"]
    assert {(row["instances"], row["exact_match"], row["rouge_l"]) for row in table} == {(10, 90.0, 90.0)}
    rows = predictions(out)
    assert len(rows) == 30 and rows[0]["prediction"] == "A CAT.\nAnd more", "what was thought is taken off"
    assert {row["rouge_l"] for row in rows} == {0.0, 1.0}
    card = (out / "README.md").read_text()
    assert (
        "| all instances | 30 | 90.00 | 90.00 |" in card
        and "| task1\\_animal: Name the animal of kind 1. | 10 | 90.00 | 90.00 |" in card
    )
    with Image.open(out / "scores.png") as picture:
        assert picture.format == "PNG"
    assert set(files(out)) == {"README.md", "scores.parquet", "scores.png", "predictions.jsonl", "scores.json"}
    Made.model_validate_json((out / "scores.json").read_bytes())


def test_evaluate_scores_the_whole_prediction_by_default(model: LlmServer, suite: Path, tmp_path: Path) -> None:
    assert evaluated(tmp_path, suite).exact_match == 0.0


def test_evaluate_again_changes_nothing(model: LlmServer, suite: Path, tmp_path: Path) -> None:
    first, before = evaluated(tmp_path, suite), files(tmp_path / "out")
    asked = sum(model.seen.attempts.values())
    again = evaluated(tmp_path, suite)
    assert again == first.model_copy(update={"changed": False, "usage": None})
    assert files(tmp_path / "out") == before and sum(model.seen.attempts.values()) == asked
    (tmp_path / "out/README.md").write_text("")
    assert evaluated(tmp_path, suite, store="other").changed and files(tmp_path / "out") == before
    assert sum(model.seen.attempts.values()) == asked, "predictions that are there are not asked for again"


def test_evaluate_of_more_instances_asks_for_the_new_ones_alone(model: LlmServer, suite: Path, tmp_path: Path) -> None:
    evaluated(tmp_path, suite, instances=4)
    assert len(model.seen.attempts) == 12
    summary = evaluated(tmp_path, suite, store="other", instances=10)
    assert summary.instances == 30 and sum(model.seen.attempts.values()) == 30
    evaluated(tmp_path, suite, out=str(tmp_path / "whole"), instances=10)
    assert files(tmp_path / "out") == files(tmp_path / "whole")


def test_evaluate_asks_an_equal_prompt_once(model: LlmServer, tmp_path: Path) -> None:
    one = {"instruction": "Name it.", "input": "cat", "output": "a cat"}
    path = lines(tmp_path / "x.jsonl", [one] * 5)
    assert evaluated(tmp_path, path).instances == 5 and len(predictions(tmp_path / "out")) == 5
    assert sum(model.seen.attempts.values()) == 1


@pytest.mark.parametrize("other", [{"model": "endpoint:b"}, {"prompt": "plain"}, {"examples": 2}, {"new_tokens": 64}])
def test_evaluate_refuses_the_folder_of_another_evaluation(
    model: LlmServer, suite: Path, tmp_path: Path, other: dict[str, Any]
) -> None:
    evaluated(tmp_path, suite)
    before = files(tmp_path / "out")
    with pytest.raises(DynosaurError, match="holds another evaluation") as caught:
        evaluated(tmp_path, suite, **other)
    assert caught.value.code is Code.BAD_SETTING and files(tmp_path / "out") == before


def test_evaluate_leaves_a_place_with_other_files_alone(model: LlmServer, suite: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/thesis.txt").write_text("x")
    with pytest.raises(DynosaurError, match=r"holds files and no scores\.json"):
        evaluated(tmp_path, suite)
    (tmp_path / "file").write_text("x")
    with pytest.raises(DynosaurError, match="cannot be written"):
        evaluated(tmp_path, suite, out=str(tmp_path / "file"))
    with pytest.raises(DynosaurError, match="give one of this machine"):
        evaluated(tmp_path, suite, out="s3://bucket/x")
    assert files(tmp_path / "out") == {"thesis.txt": b"x"} and not model.seen.attempts


def test_evaluate_that_is_refused_leaves_no_folder(model: LlmServer, tmp_path: Path) -> None:
    wrong = lines(tmp_path / "wrong.jsonl", [{"instruction": "Name it.", "input": "cat"}])
    with pytest.raises(DynosaurError, match="no `output`"):
        evaluated(tmp_path, wrong)
    assert not (tmp_path / "out").exists()
    (tmp_path / "mine").mkdir()
    with pytest.raises(DynosaurError, match="no `output`"):
        evaluated(tmp_path, wrong, out=str(tmp_path / "mine"))
    assert (tmp_path / "mine").exists()


def test_evaluate_shows_examples_and_progress(model: LlmServer, suite: Path, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    choice = EvaluationChoice(model="endpoint:x", suite=str(suite), out=str(tmp_path / "out"), examples=2, instances=2)
    evaluate(choice, Settings(store=str(tmp_path / "store")), progress=lambda *now: told.append(now))
    assert told == [(done, 6) for done in range(7)]
    for body in model.seen.bodies.values():
        [message] = body["messages"]
        assert message["content"].startswith("Definition: Name the animal of kind ")
        assert message["content"].count("Positive Example") == 2 and body["max_tokens"] == 128
        assert "response_format" not in body


def test_evaluate_cut_off_at_any_moment_goes_on(model: LlmServer, suite: Path, tmp_path: Path) -> None:
    evaluated(tmp_path, suite, out=str(tmp_path / "whole"))
    undisturbed, asked = files(tmp_path / "whole"), sum(model.seen.attempts.values())
    settings = Settings(store=str(tmp_path / "second"), llm=Llm(max_in_flight=1))
    choice = EvaluationChoice(model="endpoint:loopback", suite=str(suite), out=str(tmp_path / "out"), seed=3)
    for cut in (1, 7, 8, 29):

        def stop(done: int, _total: int, cut: int = cut) -> None:
            if done >= cut:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            evaluate(choice, settings, progress=stop)
        [part] = [path for path in (tmp_path / "out").iterdir() if path.name.endswith(".part.jsonl")]
        assert len(part.read_text().splitlines()) >= cut
        part.write_bytes(
            part.read_bytes() + b'{"id": "task0-0", "prompt"'
        )  # as a kill in the middle of a line leaves it
    close_clients()
    evaluate(choice, Settings(store=str(tmp_path / "third")))
    assert files(tmp_path / "out") == undisturbed
    assert sum(model.seen.attempts.values()) <= asked + 30 + 4, "at most what was under way is asked for again"


def test_evaluate_does_not_take_a_damaged_line_for_a_prediction(model: LlmServer, suite: Path, tmp_path: Path) -> None:
    def stop(done: int, _total: int) -> None:
        if done == 5:
            raise KeyboardInterrupt

    choice = EvaluationChoice(model="endpoint:loopback", suite=str(suite), out=str(tmp_path / "out"))
    with pytest.raises(KeyboardInterrupt):
        evaluate(choice, Settings(store=str(tmp_path / "store")), progress=stop)
    [part] = (tmp_path / "out").glob("*.part.jsonl")
    part.write_text("x" + part.read_text())
    with pytest.raises(DynosaurError, match="is damaged: remove it") as caught:
        evaluate(choice, Settings(store=str(tmp_path / "store")))
    assert caught.value.code is Code.STORE_FAILED


def test_evaluate_killed_goes_on(model: LlmServer, suite: Path, tmp_path: Path) -> None:
    evaluated(tmp_path, suite, out=str(tmp_path / "whole"))
    asked = sum(model.seen.attempts.values())
    gate, seen = threading.Event(), []

    def slowly(question: Asked) -> str:
        seen.append(question)
        if len(seen) > 11:
            gate.wait(60)
        return animal(question)

    model.behaviour.answerer = slowly
    command = [sys.executable, "-m", "flows.command", "evaluate", "--model", "endpoint:loopback", "--suite", str(suite)]
    command += ["--out", str(tmp_path / "out"), "--seed", "3", "--store", str(tmp_path / "second")]
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "DYNOSAUR_LLM__MAX_IN_FLIGHT": "1"}
    process = subprocess.Popen(command, env=env, cwd=tmp_path, stderr=subprocess.PIPE)
    parts = (tmp_path / "out").glob
    wait_until(
        lambda: len(seen) > 11 and [path for path in parts("*.part.jsonl") if path.read_bytes().count(b"\n") > 9]
    )
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not (tmp_path / "out/scores.json").exists()
    gate.set()
    wait_until(lambda: not model.seen.in_flight)
    evaluated(tmp_path, suite, store="third")
    assert files(tmp_path / "out") == files(tmp_path / "whole")
    assert asked + 30 <= sum(model.seen.attempts.values()) <= asked + 32


def test_two_evaluations_do_not_write_into_one_folder(model: LlmServer, suite: Path, tmp_path: Path) -> None:
    model.behaviour.gate = threading.Event()
    ended: list[Any] = []
    thread = threading.Thread(target=lambda: ended.append(evaluated(tmp_path, suite)))
    thread.start()
    wait_until(lambda: model.seen.in_flight)
    with pytest.raises(DynosaurError, match="another evaluation is at work"):
        evaluated(tmp_path, suite)
    model.behaviour.gate.set()
    thread.join()
    assert ended[0].changed


def test_evaluate_survives_an_endpoint_that_fails_now_and_then(model: LlmServer, suite: Path, tmp_path: Path) -> None:
    evaluated(tmp_path, suite, out=str(tmp_path / "whole"))
    model.behaviour.faults = Faults(("500", "429", "reset"), 0.4, 1)
    evaluated(tmp_path, suite, store="second")
    assert files(tmp_path / "out") == files(tmp_path / "whole")


def test_evaluate_keeps_its_cap(model: LlmServer, suite: Path, tmp_path: Path) -> None:
    settings = Settings(
        store=str(tmp_path / "store"), max_cost_usd=0.01, llm=Llm(price_input=10, price_output=10, max_in_flight=1)
    )
    choice = EvaluationChoice(model="endpoint:loopback", suite=str(suite), out=str(tmp_path / "out"))
    with pytest.raises(DynosaurError) as caught:
        evaluate(choice, settings)
    assert caught.value.code is Code.BUDGET_SPENT
    assert 0 < sum(model.seen.attempts.values()) < 30
    [part] = (tmp_path / "out").glob("*.part.jsonl")
    assert len(part.read_text().splitlines()) == sum(model.seen.attempts.values()), "what was paid is kept"


def test_evaluate_counts_prompts_that_are_refused(
    suite: Path, model: LlmServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Squeamish(LlmServer):
        def refusal(self, body: dict[str, Any], api: str) -> Any:
            if "owl" in body["messages"][0]["content"]:
                return 400, {"error": {"message": "content management policy", "code": "content_filter"}}, {}
            return super().refusal(body, api)

    with Squeamish(model.behaviour) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        summary = evaluated(tmp_path, suite, first_line=True)
        assert (summary.unanswered, summary.exact_match) == (3, 80.0)
        refused = [row for row in predictions(tmp_path / "out") if row["error"]]
        assert len(refused) == 3 and all("MODEL" in row["error"].upper() for row in refused)


def test_evaluate_of_a_model_that_refuses_all_ends_at_once(
    model: LlmServer, suite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Refusing(LlmServer):
        def refusal(self, body: dict[str, Any], api: str) -> Any:
            return 404, {"error": {"message": "no such model", "code": "model_not_found"}}, {}

    with Refusing(model.behaviour) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        with pytest.raises(DynosaurError):
            evaluated(tmp_path, suite)
        assert sum(server.seen.statuses.values()) < 30
    assert not (tmp_path / "out").exists()


def test_evaluate_leaves_what_designers_know_of_the_endpoint_alone(
    model: LlmServer, suite: Path, tmp_path: Path
) -> None:
    evaluated(tmp_path, suite, instances=1)
    assert not (tmp_path / "store/capabilities").exists(), "a free text shows nothing of schemas"


def test_evaluate_keeps_no_secret_that_a_model_repeats(model: LlmServer, suite: Path, tmp_path: Path) -> None:
    model.behaviour.answerer = lambda _asked: "my key is sk-test-secret"
    evaluated(tmp_path, suite, instances=1)
    assert {row["prediction"] for row in predictions(tmp_path / "out")} == {"my key is [secret]"}
    assert not any(b"sk-test-secret" in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


def test_animals_are_ten() -> None:
    assert len(ANIMALS) == 10, "the shares in the tests above count on it"


@pytest.mark.parametrize(
    ("task", "shown"),
    [
        ("e700176516edaa57", "Name the capital. (e7001765)"),
        (digest("Name the capital."), f"Name the capital. ({digest('Name the capital.')[:8]})"),
        ("task1344_glue_entailment", "task1344_glue_entailment"),
    ],
)
def test_tasks_whose_names_are_digests_are_shown_by_what_they_ask(task: str, shown: str) -> None:
    assert _short(task, "Name the capital.") == shown
