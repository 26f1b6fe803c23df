"""What overlaps with a suite, and what a suite's files may be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynosaur_core.continual.overlap import NGRAM, OVERLAPS, SuiteIndex, runs_of, words_of
from dynosaur_core.continual.suite import SuiteTask, read_suite
from dynosaur_core.errors import Code, DynosaurError

LONG = " ".join(f"word{number}" for number in range(NGRAM))
SUITE = (
    SuiteTask("task1_boolq_answer", "Say yes or no.", (("Is it so?", ("yes", "Yes indeed")), (f"{LONG} end", ("no",)))),
    SuiteTask("task2_super_glue_x", f"Now {LONG}.", (), ()),
    SuiteTask("task3_boolq_y", "Name it.", (), ("imdb",)),
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


def write(path: Path, *items: Any) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(json.dumps(item) for item in items))
    return str(path)


def test_suite_reads_natural_instructions(tmp_path: Path) -> None:
    for number in (1, 2):
        write(
            tmp_path / f"tasks/task{number}_x.json",
            {
                "Definition": ["Do it."],
                "Source": ["squad"],
                "Positive Examples": [{"input": "a", "output": "b", "explanation": "so"}],
                "Instances": [{"id": "1", "input": "c", "output": ["d", "e"]}],
            },
        )
    task = SuiteTask("task1_x", "Do it.", (("a", ("b",)), ("c", ("d", "e"))), ("squad",))
    assert read_suite(str(tmp_path / "tasks/task1_x.json")) == (task,)
    assert [each.task_id for each in read_suite(str(tmp_path))] == ["task1_x", "task2_x"]
    (tmp_path / "splits/default").mkdir(parents=True)
    (tmp_path / "splits/default/test_tasks.txt").write_text("task2_x\n")
    assert [each.task_id for each in read_suite(str(tmp_path))] == ["task2_x"]


def test_suite_reads_lines_of_tasks_and_of_records(tmp_path: Path) -> None:
    tasks = {"task": "t", "definition": "Do.", "positive_example": {"input": "a", "output": "b"}, "source": "where@1"}
    assert read_suite(write(tmp_path / "a.jsonl", tasks)) == (SuiteTask("t", "Do.", (("a", ("b",)),)),)
    records = [{"instruction": "Do.", "input": text, "output": 3} for text in "xy"]
    [task] = read_suite(write(tmp_path / "b.jsonl", *records))
    assert task.examples == (("x", ("3",)), ("y", ("3",)))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "is not JSON"),
        ("[1]", "line 1 is no task"),
        ('{"a": 1}', "line 1 has no definition"),
        ('{"definition": "x"}\n\n{"x": 1}', "line 3 has no definition"),
        ("[" * 100_000, "is not JSON"),
    ],
)
def test_suite_says_where_it_is_none(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "x.jsonl").write_text(text)
    with pytest.raises(DynosaurError, match=words) as caught:
        read_suite(str(tmp_path / "x.jsonl"))
    assert caught.value.code is Code.BAD_SETTING


def test_suite_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DynosaurError, match="cannot be read"):
        read_suite(str(tmp_path / "x.jsonl"))
    with pytest.raises(DynosaurError, match="holds no task files"):
        read_suite(str(tmp_path))


@pytest.mark.corpus
def test_suite_reads_the_corpus(corpus: Path) -> None:
    suite = read_suite(str(corpus / "superni/test_tasks.jsonl"))
    assert len(suite) == 119 and all(task.examples for task in suite)
    found = SuiteIndex(suite).of_source("nyu-mll/glue", "default")
    assert found and found.test_task == "task1344_glue_entailment_classification"
