"""What overlaps with a suite."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynosaur_core.continual.overlap import NGRAM, OVERLAPS, SuiteIndex, runs_of, words_of
from dynosaur_core.suites.suite import SuiteTask, find_suite

LONG = " ".join(f"word{number}" for number in range(NGRAM))
SUITE = (
    SuiteTask(
        "task1_boolq_answer",
        "Say yes or no.",
        examples=((f"{LONG} end", "no"),),
        instances=(("1", "Is it so?", ("yes", "Yes indeed")),),
    ),
    SuiteTask("task2_super_glue_x", f"Now {LONG}."),
    SuiteTask("task3_boolq_y", "Name it.", sources=("imdb", "y")),
    SuiteTask("task4_squad_answer", "Find it.", sources=("wikipedia",)),
)


def test_overlap_finds_the_instruction() -> None:
    index = SuiteIndex(SUITE)
    found = index.of_instruction("say  YES, or no")
    assert found and (found.kind, found.test_task) == ("same_instruction", "task1_boolq_answer")
    found = index.of_instruction(f"Then {LONG.upper()} and more")
    assert found and (found.kind, found.test_task, found.example) == ("instruction_words", "task2_super_glue_x", LONG)
    assert index.of_instruction("Say yes.") is None


def test_overlap_finds_rows() -> None:
    index = SuiteIndex(SUITE)
    found = index.of_row("is it SO", "yes!")
    assert found and found.kind == "same_row"
    assert index.of_row("Is it so?", "no") is None, "a short input alone says nothing"
    found = index.of_row(f"Before: {LONG}", "whatever")
    assert found and (found.kind, found.example) == ("row_words", LONG)
    assert index.of_row(LONG.replace("word5", "other"), "no") is None
    assert index.of_row("", "") is None


@pytest.mark.parametrize(
    ("repo_id", "config", "name"),
    [
        ("google/boolq", "default", "boolq"),
        ("canonical/super_glue", "cb", "super_glue"),
        ("x/superglue", "default", "superglue"),
        ("me/reviews", "imdb", "imdb"),
        ("me/imdb_reviews", "default", "imdb_reviews"),
        ("me/reviews", "large-imdb", "large-imdb"),
        ("me/timdb", "default", None),
        ("me/squad", "default", "squad"),
        ("canonical/glue", "default", "glue"),
        ("me/answers", "default", None),
        ("me/y", "default", None),
        ("me/default", "default", None),
    ],
)
def test_overlap_finds_the_source(repo_id: str, config: str, name: str | None) -> None:
    found = SuiteIndex(SUITE).of_source(repo_id, config)
    assert (found.example if found else None) == name
    assert found is None or found.kind in OVERLAPS


@given(words=st.lists(st.sampled_from(["a", "b", "c"]), max_size=40))
def test_runs_are_equal_where_the_words_are(words: list[str]) -> None:
    found = runs_of(words)
    runs = [tuple(words[at : at + NGRAM]) for at in range(len(words) - NGRAM + 1)]
    assert len(found) == len(runs)
    assert all(
        (found[one] == found[other]) == (runs[one] == runs[other]) for one in range(len(runs)) for other in range(one)
    )
    assert words_of("Don't-stop, ÄÖ 12") == ["don", "t", "stop", "äö", "12"]


@pytest.mark.corpus
def test_overlap_finds_a_source_of_the_real_test_tasks(corpus: Path) -> None:
    suite = find_suite(str(corpus / "superni/test_tasks.jsonl")).tasks()
    assert len(suite) == 119 and all(list(task.pairs()) for task in suite)
    found = SuiteIndex(suite).of_source("nyu-mll/glue", "default")
    assert found and found.test_task == "task1344_glue_entailment_classification"
    found = SuiteIndex(suite).of_source("canonical/e2e_nlg", "default")
    assert found and found.test_task == "task957_e2e_nlg_text_generation_generate"
