"""The recipe of 2023, with its faults."""

from __future__ import annotations

import pyarrow as pa

from dynosaur_core.publish.stage import publish
from dynosaur_core.reasons import Reason
from dynosaur_core.settings import Publishing
from dynosaur_core.store import Store

from .conftest import Render, describe, design, sample


def test_rendering(render: Render) -> None:
    rows = pa.table(
        {
            "question": ["It's?", "q"],
            "choices": [["red", "blue"], ["x", "y"]],
            "tokens": [["a", "b"], ["c"]],
            "answer": [1, 0],
        }
    )
    pairs, _ = render(rows, design("question tokens choices", "answer"), recipe="reference")
    assert pairs[0] == ("question is 'It's?'. tokens is 'a', 'b'. choices is A. 'red', B. 'blue'.", "1")
    assert render(rows, design("choices", "answer"), recipe="reference")[0][0][0] == " A. 'red', B. 'blue'."
    assert render(rows, design("tokens", "answer"), recipe="reference")[0][1][0] == "'c'. "


def test_both_texts_are_cut_when_whole_and_the_question_is_lost(render: Render) -> None:
    rows = pa.table({"context": ["x" * 3000], "question": ["Who?"], "answer": ["y" * 3000]})
    (((text, answer),), rejected) = render(rows, design("context question", "answer"), recipe="reference")
    assert (len(text), len(answer), rejected) == (2000, 2000, {})
    assert "Who?" not in text


def test_answers_are_listed_when_short_and_not_checked(store: Store) -> None:
    rows = pa.table({"text": ["a", "a", "b"], "label": ["x", "x", ""]})
    tasks = [
        design("text", "label", "Say it", labels=("x", "y")),
        design("text", "label", "Do.", labels=("x" * 16, "y")),
    ]
    made = publish(describe(sample(store, rows)), tasks, store, Publishing(recipe="reference"))
    table = store.read_table("records", made.shard.digest)
    assert table["instruction"].to_pylist() == ["Say it Answers must be one of x, y."] * 3 + ["Do."] * 3


def test_a_missing_output_loses_the_rows_after_it_and_odd_inputs_lose_theirs(render: Render) -> None:
    rows = pa.table({"text": ["a", "b", "c", "d"], "label": ["x", "y", None, "z"]})
    assert render(rows, design("text", "label"), recipe="reference")[1] == {Reason.OUTPUT_NULL: 2}
    rows = pa.table({"counts": [[1], [2]], "label": ["x", "y"]})
    assert render(rows, design("counts", "label"), recipe="reference")[1] == {Reason.UNRENDERABLE: 2}


def test_a_task_without_inputs_has_records_with_an_empty_input(render: Render) -> None:
    rows = pa.table({"text": ["a", "b"], "label": ["x", "y"]})
    pairs, rejected = render(rows, design("", "label"), recipe="reference")
    assert (pairs, rejected) == ([("", "x"), ("", "y")], {})
