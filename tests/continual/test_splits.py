"""Synthetic splits: nothing leaks, nothing is lost, and the seed decides."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynosaur_core.continual.splits import NGRAM, split
from dynosaur_core.errors import Code, DynosaurError


def rows_of(inputs: dict[str, list[str]]) -> list[dict[str, str]]:
    return [
        {"task_id": task, "instruction": f"Do {task}.", "input": text}
        for task, texts in inputs.items()
        for text in texts
    ]


@settings(max_examples=50)
@given(
    inputs=st.dictionaries(
        st.sampled_from("abcdefgh"), st.lists(st.sampled_from("uvwxyz"), min_size=1, max_size=9), min_size=3
    ),
    parts=st.integers(1, 3),
    held_out=st.integers(0, 5),
    seed=st.integers(0, 3),
)
def test_split_loses_nothing_and_leaks_nothing(
    inputs: dict[str, list[str]], parts: int, held_out: int, seed: int
) -> None:
    rows = rows_of(inputs)
    found = split(rows, parts, held_out, seed)
    assert sorted(at for each in (*found.train, *found.held_out) for at in each) == list(range(len(rows)))
    tasks = [
        {rows[at]["task_id"] for at in (*train, *held)} for train, held in zip(found.train, found.held_out, strict=True)
    ]
    assert sum(map(len, tasks)) == len(inputs) and max(map(len, tasks)) - min(map(len, tasks)) <= 1
    for train, held in zip(found.train, found.held_out, strict=True):
        taught = {(rows[at]["task_id"], rows[at]["input"]) for at in train}
        asked = [(rows[at]["task_id"], rows[at]["input"]) for at in held]
        assert taught.isdisjoint(asked) and {task for task, _ in asked} <= {task for task, _ in taught}
        assert all(sum(task == each for each, _ in asked) <= held_out for task in inputs)
    assert found == split(rows, parts, held_out, seed)


def test_split_leaves_out_what_a_test_task_holds() -> None:
    long = " ".join(f"word{number}" for number in range(NGRAM))
    rows = rows_of({"a": ["x"], "b": ["y", f"Before {long} after"], "c": ["z"]})
    found = split(rows, 1, 1, 0, [("do  A", ["other"]), ("unlike", [f"so {long.upper()}!"])])
    assert [rows[at]["task_id"] for at in found.train[0]] == ["c"]
    assert found.left_out == {"the same instruction as a test task": 1, "13 words in a row of a test input": 1}


def test_split_counts_near_copies() -> None:
    long = " ".join(f"word{number}" for number in range(NGRAM))
    assert split(rows_of({"a": [f"{long} {number}" for number in range(4)]}), 1, 2, 0).near == 2


def test_split_needs_a_task_for_each_part() -> None:
    with pytest.raises(DynosaurError, match="1 tasks are too few for 2 parts") as caught:
        split(rows_of({"a": ["x"]}), 2, 1, 0)
    assert caught.value.code is Code.BAD_SETTING
