"""`dynosaur split` as a folder: its stages, its report, what reads it, and what is wrong with it said."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dynosaur_core.continual.choice import ReplayChoice, SplitChoice
from dynosaur_core.continual.mixture import replay
from dynosaur_core.continual.row_files import EXPORTS
from dynosaur_core.continual.split_folder import SplitSummary, make_split
from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.settings import Settings
from dynosaur_core.store import Store
from tests.continual.conftest import ROWS

TASKS = 7
LONG = "one two three four five six seven eight nine ten eleven twelve thirteen"


def made(settings: Settings, out: Path | str, **choice: Any) -> SplitSummary:
    return make_split(SplitChoice(**{"stages": 3, "held_out": 2, "out": str(out), **choice}), settings)


def rows_of(out: Path) -> dict[tuple[int, str], list[dict[str, Any]]]:
    """(stage, train or held-out) -> rows"""
    found = {}
    for path in sorted(out.glob("stage-*/*/*.parquet")):
        name = "train" if path.parent.name == "data" else "held-out"
        found[int(path.parts[-3].removeprefix("stage-")), name] = pq.read_table(path).to_pylist()
    return found


def tasks_of(out: Path) -> list[dict[str, Any]]:
    return list(pq.read_table(out / "tasks.parquet").to_pylist())


def suite(path: Path, *tasks: dict[str, Any]) -> str:
    path.write_text("\n".join(json.dumps(task) for task in tasks))
    return str(path)


def test_split_has_every_task_in_one_stage(grown: Settings, tmp_path: Path) -> None:
    out = tmp_path / "split"
    summary = made(grown, out)
    rows = rows_of(out)
    assert set(rows) == {(stage, name) for stage in (1, 2, 3) for name in ("train", "held-out")}
    owners = Counter((row["task_id"], stage) for (stage, _), each in rows.items() for row in each)
    assert len(owners) == len({task for task, _ in owners}) == TASKS
    assert {row["stage"] for row in rows[2, "train"]} == {2}
    kept = sum(map(len, rows.values()))
    assert kept + summary.left_out_rows == summary.rows == TASKS * ROWS and summary.tasks == TASKS
    for stage, each in enumerate(summary.stages, start=1):
        assert (each.train, each.held_out) == (len(rows[stage, "train"]), len(rows[stage, "held-out"]))
        assert each.held_out == 2 * each.tasks
    trained, held = (
        {(row["repo_id"], row["row"]) for (_, each), found in rows.items() if each == name for row in found}
        for name in ("train", "held-out")
    )
    assert trained.isdisjoint(held)
    assert sum(task["train"] + task["held_out"] + task["left_out"] for task in tasks_of(out)) == summary.rows


def test_split_loads_in_datasets(grown: Settings, tmp_path: Path) -> None:
    out, cache = tmp_path / "split", str(tmp_path / "cache")
    summary = made(grown, out)
    loaded = datasets.load_dataset(str(out), "stage-2", cache_dir=cache)
    assert {name: each.num_rows for name, each in loaded.items()} == {
        "train": summary.stages[1].train,
        "held_out": summary.stages[1].held_out,
    }
    for form in EXPORTS:
        files = {"train": f"exports/{form}.jsonl", "held_out": f"held-out/exports/{form}.jsonl"}
        found = datasets.load_dataset(
            "json", data_files={name: str(out / "stage-2" / path) for name, path in files.items()}, cache_dir=cache
        )
        assert {name: each.num_rows for name, each in found.items()} == {
            name: each.num_rows for name, each in loaded.items()
        }
    card = (out / "README.md").read_text()
    assert "| mit | 7 |" in card and "a/sentiment" in card and "| 2 | " in card


def test_split_made_again_changes_nothing(grown: Settings, tmp_path: Path) -> None:
    out = tmp_path / "split"

    def files() -> dict[str, tuple[int, bytes]]:
        return {str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in out.rglob("*.*") if path.is_file()}

    first, before = made(grown, out), files()
    again = made(grown, out)
    assert first.changed and again == first.model_copy(update={"changed": False}) and files() == before
    assert made(grown, out, seed=1).changed and made(grown, out).changed
    assert {name: data for name, (_, data) in files().items()} == {name: data for name, (_, data) in before.items()}
    (out / "stage-1/data/train-00000.parquet").unlink()
    assert made(grown, out).changed


def test_split_leaves_out_what_overlaps_with_a_test(grown: Settings, tmp_path: Path) -> None:
    test = suite(
        tmp_path / "suite.jsonl",
        {"task": "t1", "definition": "Say whether the review is POSITIVE or negative", "instances": []},
        {"task": "t2_math_solving", "definition": "Calculate.", "instances": []},
        {"task": "t3", "definition": "Do.", "instances": [{"input": "d/facts 3", "output": ["label of d/facts 3"]}]},
    )
    summary = made(grown, tmp_path / "split", test=test, stages=2)
    assert summary.left_out_tasks == {"same_instruction": 2, "same_source": 1, "same_row": 1}
    assert summary.test_tasks == 3 and sum(each.tasks for each in summary.stages) == TASKS - 4
    left = [task for task in tasks_of(tmp_path / "split") if task["stage"] is None]
    assert {(task["repo_id"], task["test_task"]) for task in left} == {
        ("a/sentiment", "t1"),
        ("a/copy", "t1"),
        ("b/math", "t2_math_solving"),
        ("d/facts", "t3"),
    }
    assert all(task["left_out"] == task["rows"] == ROWS and task["example"] for task in left)
    assert {row["repo_id"] for each in rows_of(tmp_path / "split").values() for row in each} == {
        "a/sentiment",
        "c/french",
        "e/german",
    }
    card = (tmp_path / "split/README.md").read_text()
    assert "Left out are 4 of 7 tasks" in card and "| d/facts | same\\_row | t3 | d facts 3 |" in card


def test_split_stages_are_replayed_from(grown: Settings, tmp_path: Path) -> None:
    summary = made(grown, tmp_path / "split")
    url = str(tmp_path / "split")
    choice = ReplayChoice(
        stage=f"{url}@3", earlier=f"{url}@1-2", strategy="instr-diverse", tasks=2, rows=3, out=str(tmp_path / "mix")
    )
    mixture = replay(choice, grown, Store(grown.store))
    assert (mixture.new_tasks, mixture.new_rows) == (summary.stages[2].tasks, summary.stages[2].train)
    assert mixture.earlier_tasks == summary.stages[0].tasks + summary.stages[1].tasks
    rows = pq.read_table(tmp_path / "mix/data/train-00000.parquet").to_pylist()
    assert {row["version"] for row in rows if row["replayed"]} <= {1, 2}
    assert {row["version"] for row in rows if not row["replayed"]} == {3}
    with pytest.raises(DynosaurError, match="has the versions 1 to 3"):
        replay(choice.model_copy(update={"stage": f"{url}@4"}), grown, Store(grown.store))


def test_split_is_of_what_is_named(grown: Settings, tmp_path: Path) -> None:
    assert made(grown, tmp_path / "a", records="1", stages=1).tasks == 4
    assert made(grown, tmp_path / "b", records=grown.release[0], stages=1).tasks == TASKS
    whole = made(grown, tmp_path / "c", records=f"{grown.release[0]}@2-3", stages=1)
    assert whole.tasks == 3
    part = made(grown, tmp_path / "d", records=str(tmp_path / "c/stage-1"), stages=1)
    assert (part.tasks, part.rows) == (3, whole.stages[0].train)
    assert made(grown, tmp_path / "e", records=str(tmp_path / "c"), stages=1).rows == part.rows
    assert made(grown, tmp_path / "f", rows=3, stages=1).rows == 3 * TASKS


def test_split_is_of_files(tmp_path: Path) -> None:
    settings = Settings(store=str(tmp_path / "store"))
    records = [{"instruction": f"Do {at % 3}.", "input": f"x {at}", "output": at} for at in range(12)]
    file = suite(tmp_path / "mine.jsonl", *records)
    summary = made(settings, tmp_path / "a", records=file)
    assert (summary.tasks, summary.rows) == (3, 12)
    [row, *_] = rows_of(tmp_path / "a")[1, "train"]
    assert (row["license"], row["repo_id"]) == ("unknown", "mine") and row["output"].isdigit()
    tasks = [
        {
            "task": name,
            "definition": f"Do {name}.",
            "instances": [{"input": f"{name} {at}", "output": ["p", "q"]} for at in range(4)],
        }
        for name in "ab"
    ]
    made(settings, tmp_path / "b", records=suite(tmp_path / "tasks.jsonl", *tasks), stages=2)
    [row, *_] = rows_of(tmp_path / "b")[2, "train"]
    assert row["references"] == ["p", "q"] and row["output"] == "p" and row["task_id"] in ("a", "b")
    pq.write_table(pa.Table.from_pylist(records), tmp_path / "mine.parquet")
    assert made(settings, tmp_path / "c", records=str(tmp_path / "mine.parquet")).stages == summary.stages


def test_split_without_held_out_rows(grown: Settings, tmp_path: Path) -> None:
    summary = made(grown, tmp_path / "split", held_out=0)
    assert summary.without_held_out == 0 and {name for _, name in rows_of(tmp_path / "split")} == {"train"}
    datasets.load_dataset(str(tmp_path / "split"), "stage-1", cache_dir=str(tmp_path / "cache"))


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        ({"records": "nowhere"}, "names no versions"),
        ({"records": "nowhere.jsonl"}, "cannot be read"),
        ({"records": "nowhere.parquet"}, "cannot be read"),
        ({"records": "empty"}, "holds no rows"),
        ({"records": "odd.jsonl"}, "has no input"),
        ({"records": "odd.parquet"}, "has no instruction"),
        ({"records": "nothing.jsonl"}, "has no instruction"),
        ({"records": "4"}, "has the versions 1 to 3"),
        ({"stages": 9}, "7 tasks are too few for 9 stages"),
        ({"test": "nowhere.jsonl"}, "there is no suite nowhere.jsonl"),
    ],
)
def test_split_says_what_is_wrong(
    grown: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, choice: dict[str, Any], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    suite(tmp_path / "odd.jsonl", {"instruction": "x", "output": "y"})
    (tmp_path / "nothing.jsonl").write_text("\n")
    pq.write_table(pa.table({"a": [1]}), tmp_path / "odd.parquet")
    with pytest.raises(DynosaurError, match=words) as caught:
        made(grown, tmp_path / "split", **choice)
    assert caught.value.code is Code.BAD_SETTING and not (tmp_path / "split").exists()
