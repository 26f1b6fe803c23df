"""Lists and structs as outputs: the filter lets pass what publishing can write as one text in every row."""

from __future__ import annotations

from typing import Any

import pytest

from dynosaur_core.filter.stage import filter_tasks
from dynosaur_core.reasons import Reason
from dynosaur_core.rendering.columns import Columns
from dynosaur_core.settings import Filtering
from tests.filter.tables import Data, N, design, proposal, question, sentence

WORDS = [sentence(i).split()[1] for i in range(N)]


def squad(answers: list[Any]) -> Data:
    contexts = [sentence(i) for i in range(N)]
    return Data({"context": contexts, "question": [question(i) for i in range(N)], "answers": answers})


@pytest.mark.parametrize(
    ("answers", "fine"),
    [
        ([[word] for word in WORDS], True),
        ([{"text": [word], "answer_start": [4]} for word in WORDS], True),
        ([{"text": word, "start": 4} for word in WORDS], True),
        ([[word, "it"] if i == 7 else [word] for i, word in enumerate(WORDS)], True),
        ([{"text": [word, "it"], "answer_start": [4, 9]} for word in WORDS], True),
        ([[len(word), 7] for word in WORDS], True),
        ([{"first": word, "last": word} for word in WORDS], False),
        ([[[word]] for word in WORDS], False),
    ],
)
def test_the_two_stages_agree(answers: list[Any], fine: bool) -> None:
    data = squad(answers)
    found = data.reasons("Answer the question.", "context,question", "answers")
    assert found == (set() if fine else {Reason.OUTPUT_NOT_TEXT})
    design_of = design("Answer the question.", "context,question", "answers")
    accepted = filter_tasks("me/x", [data.subset], [proposal(design_of)], lambda _: data.table, Filtering()).tasks
    assert len(accepted) == fine
    for task in accepted:
        assert Columns(data.table).output("answers", task.list_output).clean


def test_rows_without_an_answer_are_left_to_publishing() -> None:
    data = squad([{"text": [word] if i % 9 else [], "answer_start": [4]} for i, word in enumerate(WORDS)])
    assert data.judge("Answer the question.", "context,question", "answers") == []


def test_their_texts_are_judged_as_texts() -> None:
    held = [{"text": [sentence(i)], "answer_start": [0]} for i in range(N)]
    assert squad(held).reasons("Answer the question.", "context", "answers") == {Reason.TRIVIAL_COPY}
    constant = [{"text": ["same"], "answer_start": [0]}] * N
    assert squad(constant).reasons("Answer the question.", "context", "answers") == {Reason.CONSTANT_OUTPUT}


def test_the_rules_of_2023_take_no_nested_output() -> None:
    data = squad([[word] for word in WORDS])
    settings = Filtering(recipe="reference")
    assert data.reasons("Answer.", "question", "answers", settings=settings) == {Reason.OUTPUT_NOT_TEXT}
