"""A synthetic split as a folder: stages of tasks that nothing leaks between, with a report of what was left out.

README.md                                data card: stages, licences, sources, overlaps
stage-1/data/train-00000.parquet         rows to train on: a release's columns, and `stage`
stage-1/held-out/held-out-00000.parquet  rows to measure with, of the same tasks
stage-1/exports/<form>.jsonl             rows to train on as others read them; held-out/exports/ has the others
tasks.parquet                            every task: its stage and rows, or why it was left out
split.json                               the manifest, written last

`dynosaur replay` takes `FOLDER@2` for a stage: the stages are its versions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from dynosaur_core.continual.card import CARD
from dynosaur_core.continual.choice import SplitChoice
from dynosaur_core.continual.encoders import needed
from dynosaur_core.continual.facts import Count, Facts, read_facts
from dynosaur_core.continual.folder import made_before, made_whole
from dynosaur_core.continual.overlap import SuiteIndex
from dynosaur_core.continual.record_files import open_records
from dynosaur_core.continual.row_files import RowFiles, in_schema
from dynosaur_core.continual.split_card import split_card
from dynosaur_core.continual.splits import Split, split
from dynosaur_core.continual.stages import SPLIT_MANIFEST, Records
from dynosaur_core.digest import digest
from dynosaur_core.publish.records import SCHEMA
from dynosaur_core.results import Result
from dynosaur_core.settings import Settings
from dynosaur_core.suites.suite import open_suite

SPLIT_VERSION = 2
"""Raised when the same choice over the same rows yields another split."""
_SCHEMA = SCHEMA.append(pa.field("stage", pa.int64(), nullable=False))
_TASKS = pa.schema(
    [
        *((name, pa.string()) for name in ("task_id", "instruction", "repo_id", "license")),
        *((name, pa.int64()) for name in ("stage", "rows", "train", "held_out", "left_out", "overlapping")),
        *((name, pa.string()) for name in ("why_left_out", "test_task", "example")),
    ]
)


class SplitStage(Result):
    """One stage of a split."""

    tasks: int
    train: int
    """Rows."""
    held_out: int
    """Rows."""


class SplitSummary(Result):
    """What `dynosaur split` made, or found made."""

    out: str
    changed: bool
    """False where the split stood there already."""
    records: str
    test_tasks: int
    tasks: int
    """Of all that were read."""
    rows: int
    """Of all that were read, with `rows` drawn of each task."""
    stages: list[SplitStage]
    left_out_tasks: dict[str, int]
    """Tasks that overlap with the test's, by the kind of their first overlap."""
    left_out_rows: int
    """Rows of the other tasks that belong to held-out ones, and so are in neither."""
    without_held_out: int
    """Tasks all of whose rows belong together, so that none could be held out."""

    def sentence(self) -> str:
        done = "made" if self.changed else "stood there already"
        train, held_out = (sum(getattr(each, name) for each in self.stages) for name in ("train", "held_out"))
        kept = self.tasks - sum(self.left_out_tasks.values())
        return (
            f"split {done}: {len(self.stages)} stages of {kept:,} tasks, {train:,} rows to train on, {held_out:,} held "
            f"out; {self.left_out_rows:,} rows and {self.tasks - kept:,} tasks left out"
        )


def make_split(choice: SplitChoice, settings: Settings, count: Count = lambda _done, _total: None) -> SplitSummary:
    """Makes the split, unless it stands there already.

    Raises DynosaurError: BadSetting for rows, a suite or a place that are none, or fewer tasks than stages; or what the
    release's sink raises.
    """
    needed("scipy.sparse", "replay")
    suite = open_suite(choice.test, settings) if choice.test else None
    tests = suite.tasks() if suite else ()
    records = open_records(choice.records, settings)
    how = choice.model_dump(exclude={"records", "test", "out"})
    key = digest("split", SPLIT_VERSION, records.digest, suite.digest if suite else None, how)
    if made := made_before(choice.out, SPLIT_MANIFEST, key):
        return SplitSummary(**{**made.summary, "out": choice.out, "changed": False})
    facts = read_facts(records, choice.rows, choice.seed, SuiteIndex(tests) if tests else None, count)
    found = split(facts.rows, choice.stages, choice.held_out, choice.seed)
    summary: dict[str, Any] = {}
    with made_whole(choice.out, SPLIT_MANIFEST, key, summary) as folder:
        _write_rows(folder, records, facts, found, choice.stages)
        tasks = _tasks(facts, found)
        pq.write_table(pa.Table.from_pylist(tasks, _TASKS), folder / "tasks.parquet", compression="zstd")
        stages = [
            SplitStage(
                tasks=len(mine := [task for task in tasks if task["stage"] == stage]),
                train=sum(task["train"] for task in mine),
                held_out=sum(task["held_out"] for task in mine),
            )
            for stage in range(1, choice.stages + 1)
        ]
        made_now = SplitSummary(
            out=choice.out,
            changed=True,
            records=records.name,
            test_tasks=len(tests),
            tasks=len(tasks),
            rows=sum(task["rows"] for task in tasks),
            stages=stages,
            left_out_tasks=dict(Counter(task["why_left_out"] for task in tasks if task["why_left_out"])),
            left_out_rows=sum(task["left_out"] for task in tasks if task["stage"]),
            without_held_out=sum(not task["held_out"] for task in tasks if task["stage"]) if choice.held_out else 0,
        )
        summary |= made_now.model_dump(mode="json", exclude={"out", "changed"})
        (folder / CARD).write_text(split_card(made_now.as_json(), tasks, choice, key), encoding="utf-8")
    return made_now


def _tasks(facts: Facts, found: Split) -> list[dict[str, Any]]:
    """A row of `_TASKS` for each task of the set, by id."""
    size = len(facts.rows.tasks)
    at = {task_id: number for number, task_id in enumerate(facts.rows.tasks)}
    counts = {
        name: np.bincount(facts.rows.task[flags], minlength=size).tolist()
        for name, flags in (
            ("train", found.train),
            ("held_out", found.held_out),
            ("left_out", ~found.train & ~found.held_out),
        )
    }
    rows = []
    for task in facts.tasks:
        number, overlap = at.get(task.task_id), facts.left_out.get(task.task_id)
        mine = {name: 0 if number is None else each[number] for name, each in counts.items()}
        drawn = facts.drawn[task.task_id]
        rows.append(
            {
                **{name: getattr(task, name) for name in ("task_id", "instruction", "repo_id", "license")},
                "stage": None if number is None else int(found.part[number]) + 1,
                "rows": drawn,
                **(mine if overlap is None else {**mine, "left_out": drawn}),
                "overlapping": facts.overlapping_rows.get(task.task_id, 0),
                "why_left_out": overlap.kind if overlap else None,
                "test_task": overlap.test_task if overlap else None,
                "example": overlap.example if overlap else None,
            }
        )
    return rows


def _write_rows(folder: Path, records: Records, facts: Facts, found: Split, stages: int) -> None:
    stage = found.part[facts.rows.task] + 1
    where = {
        place: (int(stage[at]), bool(found.held_out[at]))
        for at, place in enumerate(facts.places)
        if found.train[at] or found.held_out[at]
    }
    with ExitStack() as stack:
        files = {
            (number, held): stack.enter_context(_files(folder / f"stage-{number}", held=held))
            for number in range(1, stages + 1)
            for held in (False, True)
        }
        for key, table in _parts(records, where):
            files[key].write(table)


def _files(folder: Path, *, held: bool) -> RowFiles:
    if held:
        folder /= "held-out"
        return RowFiles(folder / "held-out-00000.parquet", folder / "exports", _SCHEMA)
    return RowFiles(folder / "data/train-00000.parquet", folder / "exports", _SCHEMA)


def _parts(
    records: Records, where: Mapping[tuple[int, int], tuple[int, bool]]
) -> Iterator[tuple[tuple[int, bool], pa.Table]]:
    """(stage, whether held out) and its rows, part by part of the set."""
    for part, table in enumerate(records.tables(SCHEMA.names)):
        takes: dict[tuple[int, bool], list[int]] = {}
        for place, at in enumerate(table["at"].to_pylist()):
            if key := where.get((part, at)):
                takes.setdefault(key, []).append(place)
        for key in sorted(takes):
            rows = table.take(takes[key])
            yield key, in_schema(rows.append_column("stage", pa.array([key[0]] * rows.num_rows, pa.int64())), _SCHEMA)
