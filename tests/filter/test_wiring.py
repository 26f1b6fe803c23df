"""Designs that cannot be wired: each reason with a design as GPT-3.5 gave it, or as section 2 of the faults has it."""

from __future__ import annotations

import pytest

from dynosaur_core.filter.stage import judge_design
from dynosaur_core.models import TaskDesign
from dynosaur_core.reasons import Reason
from dynosaur_core.settings import Filtering
from tests.filter.tables import Data, nli, sentence

PARTS = "Given a complex sentence, the task is to split it into two simple sentences."


def split_data() -> Data:
    rows = range(40)
    return Data(
        {
            "complex_sentence": [sentence(i) + " " + sentence(i + 500) for i in rows],
            "simple_sentence_1": [sentence(i) for i in rows],
            "simple_sentence_2": [sentence(i + 500) for i in rows],
            "answers": [{"first": sentence(i)} for i in rows],
        }
    )


@pytest.mark.parametrize(
    ("instruction", "inputs", "output", "reason"),
    [
        ("", "complex_sentence", "simple_sentence_1", Reason.EMPTY_INSTRUCTION),
        (" ?! ", "complex_sentence", "simple_sentence_1", Reason.EMPTY_INSTRUCTION),
        ("Write a sentence.", "", "simple_sentence_1", Reason.NO_INPUT),
        ("Shorten the sentence.", "complex_sentence", "", Reason.NO_OUTPUT),
        (PARTS, "complex_sentence", "simple_sentence_1,simple_sentence_2", Reason.MULTIPLE_OUTPUTS),
        ("Shorten the sentence.", "complex_sentence,context", "simple_sentence_1", Reason.UNKNOWN_FIELD),
        ("Shorten the sentence.", "complex_sentence", "summary", Reason.UNKNOWN_FIELD),
        ("Rewrite the sentence.", "complex_sentence", "complex_sentence", Reason.OVERLAP),
        ("Find the answers in the sentence.", "complex_sentence", "answers", Reason.OUTPUT_NOT_TEXT),
    ],
)
def test_each_fault_has_its_reason(instruction: str, inputs: str, output: str, reason: Reason) -> None:
    assert reason in split_data().reasons(instruction, inputs, output)


def test_combining_two_parts_asks_for_one_thing() -> None:
    data = split_data()
    assert not data.judge(
        "Given two simple sentences, the task is to combine them into a complex sentence.",
        "simple_sentence_1,simple_sentence_2",
        "complex_sentence",
    )


def test_field_that_the_designer_was_not_shown() -> None:
    data, wording = nli(), "Given a premise and a hypothesis, determine whether the hypothesis is entailed."
    assert not data.judge(wording, "premise,hypothesis", "label", shown_fields=("premise", "hypothesis", "label"))
    assert data.reasons(wording, "premise,hypothesis", "label", shown_fields=("premise", "label")) == {
        Reason.FIELD_NOT_SHOWN
    }


def test_unreadable_task_keeps_what_its_reader_said() -> None:
    data = nli()
    found = judge_design("a/b", data.subset, TaskDesign(malformed="a bare string"), data.table, Filtering())
    assert (Reason.MALFORMED, "a bare string") in found


@pytest.mark.parametrize(
    ("example", "copied"),
    [
        ("Determine whether the hypothesis follows from the premise.", True),
        ("determine whether the hypothesis follows from the premise", True),
        ("Determine whether the answer follows from the passage and say why it does.", False),
    ],
)
def test_copied_example(example: str, copied: bool) -> None:
    found = nli().reasons(
        "Determine whether the hypothesis follows from the premise.", "premise,hypothesis", "label", examples=[example]
    )
    assert found == ({Reason.COPIED_EXAMPLE} if copied else set())
