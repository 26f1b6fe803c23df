"""Synthetic splits: nothing leaks, nothing is lost, and the seed decides."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynosaur_core.continual.overlap import NGRAM, number_of, runs_of, words_of
from dynosaur_core.continual.splits import Rows, split, together
from dynosaur_core.errors import Code, DynosaurError

LONG = " ".join(f"word{number}" for number in range(NGRAM))
Given = list[tuple[str, str, int]]
"""(task, input, row of the source)"""


def rows_of(given: Given) -> Rows:
    tasks = sorted({task for task, _, _ in given})
    runs = [np.unique(runs_of(words_of(text))) for _, text, _ in given]
    return Rows(
        tuple(tasks),
        np.array([tasks.index(task) for task, _, _ in given]),
        np.array([number_of(str(row)) for _, _, row in given], dtype=np.uint64),
        np.array([number_of(" ".join(words_of(text))) for _, text, _ in given], dtype=np.uint64),
        np.concatenate([np.empty(0, dtype=np.uint64), *runs]),
        np.repeat(np.arange(len(given)), [len(each) for each in runs]),
    )


def alike(one: tuple[str, str, int], other: tuple[str, str, int]) -> bool:
    """What no held-out row may have in common with one that is trained on, as the words say it."""
    mine, theirs = (
        {tuple(words[at : at + NGRAM]) for at in range(len(words) - NGRAM + 1)}
        for words in (words_of(one[1]), words_of(other[1]))
    )
    return one[2] == other[2] or words_of(one[1]) == words_of(other[1]) or bool(mine & theirs)


ROWS = st.lists(
    st.tuples(
        st.sampled_from("abcde"),
        st.one_of(
            st.integers(0, 40).map(lambda at: f"Text {at}!"),
            st.integers(0, 9).map(lambda at: " ".join(f"w{at + word}" for word in range(NGRAM + 1))),
        ),
        st.integers(0, 200),
    ),
    min_size=3,
    max_size=30,
)


@settings(max_examples=150)
@given(given=ROWS, parts=st.integers(1, 3), held_out=st.integers(0, 4), seed=st.integers(0, 3))
def test_split_loses_nothing_and_leaks_nothing(given: Given, parts: int, held_out: int, seed: int) -> None:
    rows = rows_of(given)
    if len(rows.tasks) < parts:
        return
    found = split(rows, parts, held_out, seed)
    sizes = np.bincount(found.part, minlength=parts)
    assert sizes.sum() == len(rows.tasks) and sizes.max() - sizes.min() <= 1
    assert not (found.train & found.held_out).any()
    held = np.bincount(rows.task[found.held_out], minlength=len(rows.tasks))
    assert held.max() <= held_out and (np.bincount(rows.task[found.train], minlength=len(rows.tasks)) >= 1).all()
    common = {  # the wording of a task's form: in more than half of its rows, and in more than three
        run
        for at in range(len(rows.tasks))
        for run, count in zip(*np.unique(rows.runs[rows.task[rows.run_row] == at], return_counts=True), strict=True)
        if count > max(3, (rows.task == at).sum() / 2)
    }
    for one in np.flatnonzero(~found.train):
        for other in np.flatnonzero(found.train):
            shared = set(runs_of(words_of(given[one][1]))) & set(runs_of(words_of(given[other][1])))
            assert not alike(given[one], given[other]) or shared & common


@settings(max_examples=50)
@given(given=ROWS, order=st.randoms(use_true_random=False))
def test_split_does_not_depend_on_the_order_of_rows(given: Given, order: object) -> None:
    given = list({(task, row): (task, text, row) for task, text, row in given}.values())  # a row is once in a task
    given = list({row: each for each in given for row in [each[2]]}.values())
    turned = given[:]
    order.shuffle(turned)  # type: ignore[attr-defined]
    one, other = split(rows_of(given), 1, 2, 0), split(rows_of(turned), 1, 2, 0)
    assert {each for each, held in zip(given, one.held_out, strict=True) if held} == {
        each for each, held in zip(turned, other.held_out, strict=True) if held
    }


def test_split_draws_by_the_seed() -> None:
    given = [(task, f"{task} {at}", 100 * at + ord(task)) for task in "abcdefgh" for at in range(20)]
    found = [split(rows_of(given), 3, 5, seed) for seed in (0, 0, 1)]
    assert (found[0].part == found[1].part).all() and (found[0].held_out == found[1].held_out).all()
    assert (found[0].part != found[2].part).any() and (found[0].held_out != found[2].held_out).any()
    assert found[0].held_out.sum() == 40 and found[0].train.sum() == 120


def test_split_holds_the_rows_of_one_source_row_out_together() -> None:
    """Two tasks over the same rows, as a question and its reverse are."""
    given = [(task, f"{task} {at}", at) for task in "ab" for at in range(10)]
    found = split(rows_of(given), 2, 3, 0)
    held = [{given[at][2] for at in np.flatnonzero(found.held_out) if given[at][0] == task} for task in "ab"]
    assert held[0] == held[1] and len(held[0]) == 3
    assert {given[at][2] for at in np.flatnonzero(found.train)}.isdisjoint(held[0])


def test_split_leaves_out_rows_that_belong_to_held_out_ones() -> None:
    """The other task's two rows of a passage, of which it wants one at most."""
    given = [("a", f"{LONG} a", 0), ("a", "x", 1), ("a", "y", 2)]
    given += [("b", f"{LONG} b{at}", 10 + at) for at in range(2)] + [("b", f"z{at}", 20 + at) for at in range(4)]
    for seed in range(20):
        found = split(rows_of(given), 1, 1, seed)
        if found.held_out[0]:
            assert not found.train[[3, 4]].any() and found.held_out[3:].sum() == 1
            assert (~found.train & ~found.held_out).sum() >= 1
            break
    else:
        raise AssertionError("no seed holds the passage out")


def test_together_ignores_the_wording_of_a_form() -> None:
    given = [("a", f"{LONG} {at}", at) for at in range(8)]
    assert len(set(together(rows_of(given)))) == 8
    assert len(set(together(rows_of(given[:3])))) == 1, "three rows have no form yet"


def test_split_needs_a_task_for_each_part() -> None:
    with pytest.raises(DynosaurError, match="1 tasks are too few for 2 stages") as caught:
        split(rows_of([("a", "x", 0)]), 2, 1, 0)
    assert caught.value.code is Code.BAD_SETTING
