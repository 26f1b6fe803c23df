"""`dynosaur subset`: which tasks are taken for a suite, and why the others are not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from dynosaur_core.continual.choice import SubsetChoice
from dynosaur_core.continual.encoders import normalised
from dynosaur_core.continual.likeness import most_alike
from dynosaur_core.continual.row_files import EXPORTS
from dynosaur_core.continual.subset_folder import SubsetSummary, make_subset
from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.settings import Settings
from dynosaur_core.store import Store
from tests.continual.conftest import ROWS

SUITE = (
    {"task": "t1", "definition": "Translate the English sentence into Spanish."},
    {"task": "t2", "definition": "Answer a question about the passage."},
    {"task": "t3_math_x", "definition": "Name the mood."},
)


def made(grown: Settings, out: Path, suite: tuple[dict[str, Any], ...] = SUITE, **choice: Any) -> SubsetSummary:
    path = out.parent / "suite.jsonl"
    path.write_text("\n".join(json.dumps(task) for task in suite))
    given = {"suite": str(path), "out": str(out), "tasks": 3, "rows": 4, **choice}
    return make_subset(SubsetChoice(**given), grown, Store(grown.store))


def tasks_of(out: Path) -> list[dict[str, Any]]:
    return list(pq.read_table(out / "tasks.parquet").to_pylist())


def test_most_alike_takes_turns() -> None:
    """Worked by hand: three tasks near the first test task, one at some distance from the second."""
    angles = np.array([0.0, 0.1, 0.2, 1.2])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    tests = np.array([[1.0, 0.0], [0.0, 1.0]], dtype=np.float32)
    taken = most_alike(["a", "b", "c", "d"], vectors, tests, 3)
    assert [(each.at, each.test, each.turn) for each in taken] == [(0, 0, 1), (3, 1, 1), (1, 0, 2)]
    assert taken[1].cosine == pytest.approx(np.cos(np.pi / 2 - 1.2), abs=1e-6)


def test_most_alike_takes_copies_last() -> None:
    vectors = np.array([[1, 0], [1, 0], [0, 1]], dtype=np.float32)
    taken = most_alike(["Do it.", "do IT", "Other."], vectors, vectors[:1], 3)
    assert [each.at for each in taken] == [0, 2, 1]


@settings(max_examples=50)
@given(count=st.integers(1, 30), tests=st.integers(1, 8), most=st.integers(1, 40), seed=st.integers(0, 99))
def test_most_alike_serves_every_test_task(count: int, tests: int, most: int, seed: int) -> None:
    draw = np.random.default_rng(seed)
    vectors, theirs = (normalised(draw.normal(size=(size, 5))) for size in (count, tests))
    taken = most_alike([str(at) for at in range(count)], vectors, theirs, most)
    assert len({each.at for each in taken}) == len(taken) == min(most, count)
    turns = np.bincount([each.test for each in taken], minlength=tests)
    assert turns.max() - turns.min() <= 1
    cosines = vectors @ theirs.T
    for number, each in enumerate(taken):
        left = [at for at in range(count) if at not in {before.at for before in taken[:number]}]
        assert each.cosine == pytest.approx(max(cosines[left, each.test]), abs=2e-6)


def test_what_overlaps_is_left_out_whatever_number_of_rows_is_taken(grown: Settings, tmp_path: Path) -> None:
    copied = {"input": "c/french 3", "output": ["label of c/french 3"], "id": "1"}
    suite = ({"task": "t1", "definition": "Say something else entirely.", "instances": [copied]},)
    for rows in (1, 2, ROWS):
        assert made(grown, tmp_path / str(rows), suite, rows=rows).left_out["same_row"] == 1


def test_a_subset_explains_every_task(grown: Settings, tmp_path: Path) -> None:
    out = tmp_path / "subset"
    summary = made(grown, out)
    assert (summary.tasks, summary.chosen_tasks, summary.chosen_rows, summary.served) == (7, 3, 12, 3)
    assert summary.left_out == {"same_source": 1, "less_alike": 3} and summary.embedding.requests == 0
    tasks = tasks_of(out)
    assert [task["rank"] for task in tasks] == [1, 2, 3, None, None, None, None]
    chosen = {task["taken_for"]: task["instruction"] for task in tasks[:3]}
    assert chosen["t1"].startswith("Translate the sentence into ")
    assert chosen["t2"] == "Answer the question about the passage."
    assert chosen["t3_math_x"] == "Name the mood of the review."
    assert all(task["why"].startswith(f"number 1 of those taken for {task['taken_for']}") for task in tasks[:3])
    for task in tasks[3:]:
        assert task["why_left_out"] == ("same_source" if task["repo_id"] == "b/math" else "less_alike")
        assert task["nearest_test_task"] or task["test_task"] == "t3_math_x"
    card = (out / "README.md").read_text()
    assert tasks[0]["why"].replace("_", "\\_") in card and "| b/math | same\\_source |" in card
    with Image.open(out / "map.png") as picture:
        assert picture.format == "PNG"


def test_a_subset_loads_in_datasets(grown: Settings, tmp_path: Path) -> None:
    out, cache = tmp_path / "subset", str(tmp_path / "cache")
    made(grown, out)
    loaded = datasets.load_dataset(str(out), cache_dir=cache)["train"]
    assert loaded.num_rows == 12
    assert set(loaded["task_id"]) == {task["task_id"] for task in tasks_of(out)[:3]}
    for form in EXPORTS:
        found = datasets.load_dataset("json", data_files=str(out / f"exports/{form}.jsonl"), cache_dir=cache)["train"]
        assert found.num_rows == 12


def test_a_subset_made_again_changes_nothing(grown: Settings, tmp_path: Path) -> None:
    first = made(grown, tmp_path / "subset")
    assert made(grown, tmp_path / "subset") == first.model_copy(update={"changed": False})
    assert made(grown, tmp_path / "subset", tasks=2).changed
    assert made(grown, tmp_path / "subset", SUITE[:2], tasks=2).changed


def test_a_subset_of_few_tasks_is_all_of_them(grown: Settings, tmp_path: Path) -> None:
    summary = made(grown, tmp_path / "subset", SUITE[:1], tasks=681, rows=100)
    assert (summary.chosen_tasks, summary.chosen_rows, summary.left_out) == (7, 7 * ROWS, {})
    assert [task["instruction"] for task in tasks_of(tmp_path / "subset")].count(
        "Say whether the review is positive or negative."
    ) == 2


def test_a_subset_of_tasks_that_all_overlap_says_so(grown: Settings, tmp_path: Path) -> None:
    names = ("sentiment", "copy", "math", "french", "facts", "german")
    suite = tuple({"task": f"task{at}_{name}_x", "definition": str(at)} for at, name in enumerate(names))
    with pytest.raises(DynosaurError, match=r"all 7 tasks of .* overlap with the suite") as caught:
        made(grown, tmp_path / "subset", suite)
    assert caught.value.code is Code.BAD_SETTING
