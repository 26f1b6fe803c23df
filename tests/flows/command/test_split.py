"""`dynosaur split` and `dynosaur subset` as a person or a script runs them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.flows.command.conftest import Run


@pytest.fixture
def records(tmp_path: Path) -> str:
    rows = [{"instruction": f"Do {at % 4}.", "input": f"x {at}", "output": f"y {at}"} for at in range(24)]
    (tmp_path / "mine.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "suite.jsonl").write_text(json.dumps({"task": "t", "definition": "do 1", "instances": []}))
    return "mine.jsonl"


def test_split_prints_what_was_made(run: Run, records: str) -> None:
    command = ("split", records, "--stages", "2", "--held-out", "1", "--test", "suite.jsonl", "--out", "split")
    done = run(*command)
    assert done.status == 0 and done.out == ""
    assert done.err.startswith("split made: 2 stages of 3 tasks, 15 rows to train on, 3 held out; 0 rows and 1 tasks")
    assert "next: look at split/README.md" in done.err
    again = run(*command, "--json").json()
    assert again["changed"] is False and again["left_out_tasks"] == {"same_instruction": 1}
    assert set(again) == {
        *("out", "changed", "records", "test_tasks", "tasks", "rows", "stages", "left_out_tasks", "left_out_rows"),
        "without_held_out",
    }
    assert {name for stage in again["stages"] for name in stage} == {"tasks", "train", "held_out"}


def test_subset_prints_what_was_made(run: Run, records: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DYNOSAUR_EMBEDDING__ENCODER", "hashing")
    command = ("subset", records, "--suite", "suite.jsonl", "--tasks", "2", "--store", "store", "--out", "subset")
    done = run(*command)
    assert done.status == 0 and done.err.startswith("subset made: 12 rows of 2 tasks for 1 of 1 test tasks; 1 tasks")
    again = run(*command, "--json").json()
    assert again["embedding"] == {"requests": 0, "prompt_tokens": 0, "cost_usd": 0.0} and not again["changed"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["split", "mine.jsonl"], "Missing option '--out'"),
        (["split", "mine.jsonl", "--stages", "0", "--out", "x"], "stages: "),
        (["split", "nowhere", "--out", "x"], "no versions of a release"),
        (["split", "--out", "x"], "no release is set"),
        (["split", "mine.jsonl", "--test", "nowhere.jsonl", "--out", "x"], "there is no suite nowhere.jsonl"),
        (["subset", "mine.jsonl", "--out", "x"], "Missing option '--suite'"),
    ],
)
def test_split_ends_with_a_sentence_for_what_is_wrong(
    run: Run, records: str, tmp_path: Path, arguments: list[str], words: str
) -> None:
    done = run(*arguments)
    assert done.status == 2 and words in done.err and not (tmp_path / "x").exists()
