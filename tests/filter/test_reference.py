"""The recipe of 2023, with its constants and its faults."""

from __future__ import annotations

import pytest

from dynosaur_core.filter.stage import filter_tasks
from dynosaur_core.models import FilterResult, Proposal
from dynosaur_core.reasons import Reason
from dynosaur_core.settings import Filtering
from tests.filter.tables import Data, design, proposal, sentence

REFERENCE = Filtering(recipe="reference")


def run(data: Data, *proposals: Proposal) -> FilterResult:
    return filter_tasks("someone/data", [data.subset], proposals, lambda _: data.table, REFERENCE)


def verdict(values: list[object]) -> tuple[str, ...] | str:
    """Labels of the task, or the reason of its rejection."""
    data = Data({"text": [sentence(i) for i in range(len(values))], "out": values})
    result = run(data, proposal(design("Do it.", "text", "out")))
    return result.tasks[0].labels if result.tasks else result.rejections[0].reason


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["b"] * 70 + ["a"] * 30, ("b", "a")),
        (["b"] * 71 + ["a"] * 29, Reason.IMBALANCED),
        (["c"] * 50 + ["a"] * 25 + ["b"] * 25, ("c", "a", "b")),
        (["c"] * 51 + ["a"] * 25 + ["b"] * 24, Reason.IMBALANCED),
        (["a"] * 100, Reason.CONSTANT_OUTPUT),
        # Only the first 100 rows count: later answers fall outside the list.
        (["b"] * 50 + ["a"] * 50 + ["late"] * 20, ("b", "a")),
        # More than ten answers: kept as it is, however uneven.
        (["a"] * 89 + [f"v{i}" for i in range(10)], ()),
        (["a"] * 60 + [f"v{i}" for i in range(9)], Reason.IMBALANCED),
        (["x" * 15, "y"] * 10, ("x" * 15, "y")),
        (["x" * 16, "y"] * 10, ()),
        # Ten rows print their answers.
        ([f"answer {i}" for i in range(10)], tuple(f"answer {i}" for i in range(10))),
        (["a", "b"] * 5 + [None], Reason.OUTPUT_NOT_TEXT),
    ],
)
def test_answers_of_the_first_hundred_rows(values: list[object], expected: tuple[str, ...] | str) -> None:
    assert verdict(values) == expected


def data() -> Data:
    rows = range(120)
    return Data(
        {"a": [sentence(i) for i in rows], "b": [sentence(i + 200) for i in rows], "c": [[sentence(i)] for i in rows]}
    )


def test_first_of_several_outputs_and_no_other_rule() -> None:
    result = run(data(), proposal(design("Natalia?", "a", "b,c"), design("Nest.", "a", "c"), design("Free.", "", "b")))
    assert [(task.instruction, task.output_field) for task in result.tasks] == [("Natalia?", "b"), ("Free.", "b")]
    assert [rejection.reason for rejection in result.rejections] == [Reason.OUTPUT_NOT_TEXT]


def test_repeats_as_they_were_counted() -> None:
    """Within one answer the text bars, even that of a rejected design; across answers the whole record does."""
    first = proposal(design("One.", "gone", "b"), design("One.", "a", "b"), design("Two.", "a", "b"))
    second = proposal(design("Two.", "a", "b"), design("Three.", "a", "b"))
    result = run(data(), first, second)
    assert [task.instruction for task in result.tasks] == ["Two.", "Three."]
    assert [r.reason for r in result.rejections] == [
        Reason.UNKNOWN_FIELD,
        Reason.DUPLICATE_INSTRUCTION,
        Reason.DUPLICATE_MAPPING,
    ]
