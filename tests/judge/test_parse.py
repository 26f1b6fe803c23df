"""Verdicts in answers: read whatever their form, of the tasks that were asked about alone, never guessed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynosaur_core.judge.parse import Fields, Said, read_verdicts
from dynosaur_core.judge.schema import FAULTS, VERDICTS, verdict_schema
from dynosaur_core.reasons import Reason


def verdict(task: Any = 1, reason: Any = "none", thought: Any = "It fits.", mended: Any = None) -> dict[str, Any]:
    return {"task": task, "thought": thought, "reason": reason, "mended": mended}


def whole(*verdicts: Any) -> str:
    return json.dumps({VERDICTS: list(verdicts)})


GOOD = whole(verdict(1), verdict(2, "swapped"))
TWO = {1: None, 2: Reason.SWAPPED}
ANSWERS: dict[str, tuple[str, dict[int, Reason | None]]] = {
    "as asked": (GOOD, TWO),
    "in a fence": (f"Here they are:\n```json\n{GOOD}\n```\nDone.", TWO),
    "encoded twice": (json.dumps(GOOD), TWO),
    "after thoughts": (f"<think>{whole(verdict(1, 'mismatch'))}</think>{GOOD}", TWO),
    "after a draft": (f"First: {whole(verdict(1, 'mismatch'), verdict(2))}\nNo: {GOOD}", TWO),
    "a bare list": (json.dumps([verdict(1), verdict(2, "swapped")]), TWO),
    "one value each": (f"{json.dumps(verdict(1))}\n{json.dumps(verdict(2, 'swapped'))}", TWO),
    "by number": (json.dumps({"1": {"reason": "none"}, "2": {"reason": "swapped"}}), TWO),
    "by name": (json.dumps({VERDICTS: {"task 1": {"reason": None}, "task 2": {"reason": "Swapped"}}}), TWO),
    "as Python": (str({VERDICTS: [verdict(1), verdict(2, "swapped")]}), TWO),
    "numbers as texts": (whole(verdict("1"), verdict("Task 2", "swapped")), TWO),
    "reasons in words": (whole(verdict(1, "valid"), verdict(2, "Multi-output")), {1: None, 2: Reason.MULTIPLE_OUTPUTS}),
    "cut off": (GOOD[: GOOD.index('{"task": 2')], {1: None}),
    "tasks of nobody": (whole(verdict(0), verdict(3), verdict(-1), verdict(True), verdict(1)), {1: None}),
    "a reason of its own": (whole(verdict(1, "boring"), verdict(2, "swapped")), {2: Reason.SWAPPED}),
    "a reason of another stage": (whole(verdict(1, "no_license")), {}),
    "two minds": (whole(verdict(1), verdict(1, "mismatch"), verdict(2, "swapped")), {2: Reason.SWAPPED}),
    "said twice": (whole(verdict(1), verdict(1)), {1: None}),
    "without reasons": (json.dumps({VERDICTS: [{"task": 1}]}), {}),
    "prose": ("All of them are fine.", {}),
    "nothing": ("", {}),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_is_read(name: str) -> None:
    text, reasons = ANSWERS[name]
    assert {number: said.reason for number, said in read_verdicts(text, 2).items()} == reasons


def test_what_would_be_right_is_an_instruction_or_fields_and_nothing_else() -> None:
    fields = {"input_fields": ["text", "text"], "output_field": "label"}
    odd: list[Any] = [3, [], {"input_fields": "text", "output_field": "label"}, {"input_fields": []}, " ", {}]
    for mended, expected in [
        (" Do it. ", "Do it."),
        (fields, Fields(("text",), "label")),
        ('inputs: ["text", "a, b"] -> output: "label"', Fields(("text", "a, b"), "label")),
        ('["text"] -> "label"', Fields(("text",), "label")),
        ('[text] -> "label"', None),
        ("[" * 1_500 + '] -> ""', None),
        ("Do it for inputs -> output.", "Do it for inputs -> output."),
        (None, None),
        *((value, None) for value in odd),
    ]:
        said = read_verdicts(whole(verdict(1, "mismatch", mended=mended)), 1)
        assert said == {1: Said(Reason.MISMATCH, "It fits.", expected)}


def test_what_is_said_is_one_bounded_line() -> None:
    said = read_verdicts(whole(verdict(1, thought="a\nb\u202e\x00" + "c" * 5_000)), 1)[1].thought
    assert "\n" not in said and "\u202e" not in said and "\x00" not in said and len(said) <= 400
    assert read_verdicts(whole(verdict(1, thought={"a": 1})), 1)[1].thought == ""


def test_the_schema_is_strict_and_names_each_fault_once() -> None:
    item = verdict_schema()["properties"][VERDICTS]["items"]
    assert item["required"] == list(item["properties"]) == ["task", "thought", "reason", "mended"]
    assert item["properties"]["reason"]["enum"] == ["none", *FAULTS]
    assert not item["additionalProperties"]


@given(st.text(max_size=300), st.integers(0, 5))
def test_any_text_is_read_without_an_error(text: str, tasks: int) -> None:
    assert set(read_verdicts(text, tasks)) <= set(range(1, tasks + 1))
