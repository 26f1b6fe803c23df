"""`dynosaur evaluate`: what a person and a script see."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.evaluation.conftest import files
from tests.evaluation.conftest import model as model
from tests.evaluation.conftest import suite as suite
from tests.flows.command.conftest import Run
from tests.support.llm import LlmServer

GIVEN = ["evaluate", "--model", "endpoint:loopback", "--out", "out"]


def test_evaluate_prints_one_object_and_the_same_again(model: LlmServer, suite: Path, run: Run, tmp_path: Path) -> None:
    done = run(*GIVEN, "--suite", suite, "--first-line", "--json")
    assert done.status == 0, done.err
    found = done.json()
    assert (found["changed"], found["rouge_l"], found["exact_match"], found["instances"]) == (True, 90.0, 90.0, 30)
    assert found["usage"]["requests"] == 30 and found["left_out"] == {} and "identity" not in found
    assert "predicting: 30 of 30" in done.err
    before = files(tmp_path / "out")
    again = run(*GIVEN, "--suite", suite, "--first-line", "--json").json()
    assert again == {**{name: value for name, value in found.items() if name != "usage"}, "changed": False}
    assert files(tmp_path / "out") == before


def test_evaluate_says_where_to_look(model: LlmServer, suite: Path, run: Run) -> None:
    done = run(*GIVEN, "--suite", suite, "--instances", "2", "--prompt", "plain", "--examples", "1")
    assert (done.status, done.out) == (0, "")
    assert "ROUGE-L" in done.err and "over 6 instances of 3 tasks" in done.err
    assert "model: 6 requests" in done.err and "next: look at out/README.md" in done.err
    assert "(done before)" in run(*GIVEN, "--suite", suite, "--instances", 2, "--prompt", "plain", "--examples", 1).err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["evaluate", "--out", "out"], "--model"),
        ([*GIVEN, "--suite", "nowhere.jsonl"], "there is no suite nowhere.jsonl"),
        ([*GIVEN], "DYNOSAUR_EVALUATION__SUPERNI"),
        ([*GIVEN, "--suite", "suite.jsonl", "--prompt", "alpaca"], "--prompt"),
        ([*GIVEN, "--suite", "suite.jsonl", "--instances", "0"], "instances: "),
        ([*GIVEN, "--suite", "suite.jsonl", "--examples", "99"], "examples: "),
        ([*GIVEN, "--suite", "suite.jsonl", "--out", "s3://x/y"], "give one of this machine"),
        ([*GIVEN, "--suite", "suite.jsonl", "--max-cost", "1"], "PriceUnknown"),
    ],
)
def test_evaluate_of_what_is_wrong_ends_with_2_and_a_sentence(
    model: LlmServer, suite: Path, run: Run, tmp_path: Path, arguments: list[str], words: str
) -> None:
    done = run(*arguments)
    assert (done.status, done.out) == (2, ""), done
    assert words in done.err and not (tmp_path / "out").exists() and not model.seen.attempts


def test_evaluate_help_says_what_it_takes(process: Run) -> None:
    shown = " ".join(process("evaluate", "--help").out.split())
    for words in (
        "[default: superni]",
        "A folder of `dynosaur finetune`",
        "`smollm2-135m`",
        "instruction, input, output",
        "of other models tk-instruct",
        "[default: 100]",
        "[default: 1024]",
        "[default: 128]",
    ):
        assert words in shown
