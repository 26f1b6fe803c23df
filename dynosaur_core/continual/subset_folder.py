"""Tasks for an evaluation suite as a folder, with the reason for every task that is in it or not.

README.md                   data card: which tasks, for which test tasks, what was left out
data/train-00000.parquet    their rows: a release's columns
exports/<form>.jsonl        the rows as others read them
tasks.parquet               every task: the test task it was taken for, or why it was left out
map.png                     the embeddings in two dimensions, with the suite and what was chosen
subset.json                 the manifest, written last

`dynosaur-sub-superni` of Yin et al. (Dynosaur, EMNLP 2023) is such a subset: 681 tasks, at most 100 rows each.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dynosaur_core.continual.card import CARD
from dynosaur_core.continual.choice import SubsetChoice
from dynosaur_core.continual.embeddings import Progress, embed
from dynosaur_core.continual.encoders import Billed, Vectors, needed, open_encoder
from dynosaur_core.continual.facts import Facts, read_facts
from dynosaur_core.continual.folder import made_before, made_whole
from dynosaur_core.continual.likeness import Taken, most_alike
from dynosaur_core.continual.overlap import SuiteIndex
from dynosaur_core.continual.picture import draw_points
from dynosaur_core.continual.record_files import open_records
from dynosaur_core.continual.row_files import RowFiles, in_schema
from dynosaur_core.continual.similarity import nearest_of
from dynosaur_core.continual.stages import Records
from dynosaur_core.continual.subset_card import subset_card
from dynosaur_core.digest import digest
from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.publish.records import SCHEMA
from dynosaur_core.results import Result
from dynosaur_core.settings import Settings
from dynosaur_core.store import Store
from dynosaur_core.suites.suite import SuiteTask, open_suite

MANIFEST = "subset.json"
SUBSET_VERSION = 2
"""Raised when the same choice over the same rows yields another subset."""
LESS_ALIKE = "less_alike"
"""Why a task is left out that overlaps with nothing."""
_TASKS = pa.schema(
    [
        ("rank", pa.int64()),
        *((name, pa.string()) for name in ("task_id", "instruction", "repo_id", "license")),
        ("rows", pa.int64()),
        *((name, pa.string()) for name in ("taken_for", "why_left_out", "test_task", "example")),
        ("cosine", pa.float64()),
        ("nearest_test_task", pa.string()),
        ("nearest_cosine", pa.float64()),
        ("why", pa.string()),
    ]
)


class SubsetSummary(Result):
    """What `dynosaur subset` made, or found made."""

    out: str
    changed: bool
    """False where the subset stood there already."""
    records: str
    encoder: str
    test_tasks: int
    tasks: int
    """Of all that were read."""
    chosen_tasks: int
    chosen_rows: int
    served: int
    """Test tasks for which at least one task was taken."""
    left_out: dict[str, int]
    """Tasks by reason."""
    embedding: Billed = Billed()

    def sentence(self) -> str:
        done = "made" if self.changed else "stood there already"
        overlapping = sum(count for name, count in self.left_out.items() if name != LESS_ALIKE)
        return (
            f"subset {done}: {self.chosen_rows:,} rows of {self.chosen_tasks:,} tasks for {self.served:,} of "
            f"{self.test_tasks:,} test tasks; {overlapping:,} tasks left out that overlap with these, "
            f"{self.left_out.get(LESS_ALIKE, 0):,} that are less alike{self.embedding.sentence()}"
        )


def make_subset(
    choice: SubsetChoice, settings: Settings, store: Store, progress: Progress = lambda _done, _total: None
) -> SubsetSummary:
    """Makes the subset, unless it stands there already.

    Raises DynosaurError: BadSetting for rows, a suite, an encoder or a place that are none, or where all tasks overlap;
    or what sink, encoder or store raise.
    """
    encoder = open_encoder(settings)
    needed("matplotlib.figure", "replay")  # before the work that the picture is of
    suite = open_suite(choice.suite, settings)
    tests = suite.tasks()
    records = open_records(choice.records, settings)
    how = choice.model_dump(exclude={"records", "suite", "out"})
    key = digest("subset", SUBSET_VERSION, records.digest, suite.digest, encoder.digest, how)
    if made := made_before(choice.out, MANIFEST, key):
        return SubsetSummary(**{**made.summary, "out": choice.out, "changed": False})
    facts = read_facts(records, choice.rows, choice.seed, SuiteIndex(tests), progress)
    tasks = [task for task in facts.tasks if task.task_id not in facts.left_out]
    if not tasks:
        message = f"all {len(facts.tasks)} tasks of {records.name} overlap with the suite {choice.suite}"
        raise DynosaurError(Code.BAD_SETTING, message)
    texts = [*(task.instruction for task in tasks), *(task.definition for task in tests)]
    vectors = embed(texts, encoder, store, progress)
    mine, theirs = vectors[: len(tasks)], vectors[len(tasks) :]
    taken = most_alike([task.instruction for task in tasks], mine, theirs, choice.tasks)
    summary: dict[str, Any] = {}
    with made_whole(choice.out, MANIFEST, key, summary) as folder:
        table = _tasks(facts, tests, taken, mine, theirs)
        wanted = {task_id for task_id, rank in zip(*_columns(table, "task_id", "rank"), strict=True) if rank}
        pq.write_table(table, folder / "tasks.parquet", compression="zstd")
        made_now = SubsetSummary(
            out=choice.out,
            changed=True,
            records=records.name,
            encoder=encoder.name,
            test_tasks=len(tests),
            tasks=len(facts.tasks),
            chosen_tasks=len(taken),
            chosen_rows=_write_rows(folder, records, facts, wanted),
            served=len({each.test for each in taken}),
            left_out=dict(Counter(filter(None, table["why_left_out"].to_pylist()))),
            embedding=Billed.of(encoder),
        )
        summary |= made_now.model_dump(mode="json", exclude={"out", "changed"})
        _draw(mine, theirs, taken, folder)
        (folder / CARD).write_text(subset_card(made_now.as_json(), table, choice, key), encoding="utf-8")
    return made_now


def _columns(table: pa.Table, *names: str) -> list[list[Any]]:
    return [table[name].to_pylist() for name in names]


def _tasks(facts: Facts, suite: tuple[SuiteTask, ...], taken: list[Taken], mine: Vectors, theirs: Vectors) -> pa.Table:
    """A row of `_TASKS` for each task: those that were taken in their order, then the others by id."""
    tasks = [task for task in facts.tasks if task.task_id not in facts.left_out]
    near = dict(zip((task.task_id for task in tasks), nearest_of(mine, theirs), strict=True))
    ranks = {tasks[each.at].task_id: (rank, each) for rank, each in enumerate(taken, start=1)}
    rows = []
    for task in facts.tasks:
        row: dict[str, Any] = {name: getattr(task, name) for name in ("task_id", "instruction", "repo_id", "license")}
        row["rows"] = facts.drawn[task.task_id]
        if overlap := facts.left_out.get(task.task_id):
            row |= {"why_left_out": overlap.kind, "test_task": overlap.test_task, "example": overlap.example}
            rows.append(row)
            continue
        test, cosine = near[task.task_id]
        row |= {"nearest_test_task": suite[test].task_id, "nearest_cosine": cosine}
        if found := ranks.get(task.task_id):
            rank, each = found
            name = suite[each.test].task_id
            row |= {"rank": rank, "taken_for": name, "cosine": each.cosine}
            row["why"] = f"number {each.turn} of those taken for {name}, cosine {each.cosine:.3f}"
        else:
            row |= {"why_left_out": LESS_ALIKE, "why": f"others are nearer; {suite[test].task_id} is {cosine:.3f} away"}
        rows.append(row)
    rows.sort(key=lambda row: (row.get("rank") is None, row.get("rank"), row["task_id"]))
    return pa.Table.from_pylist(rows, _TASKS)


def _write_rows(folder: Path, records: Records, facts: Facts, wanted: set[str]) -> int:
    places: dict[int, list[int]] = {}
    for at, (part, place) in enumerate(facts.places):
        if facts.rows.tasks[facts.rows.task[at]] in wanted:
            places.setdefault(part, []).append(place)
    with RowFiles(folder / "data/train-00000.parquet", folder / "exports", SCHEMA) as files:
        for part, table in enumerate(records.tables(SCHEMA.names)):
            if part in places:
                files.write(in_schema(table.filter(pc.is_in(table["at"], pa.array(places[part]))), SCHEMA))
        return files.rows


def _draw(mine: Vectors, theirs: Vectors, taken: list[Taken], folder: Path) -> None:
    groups = {"tasks": np.arange(len(mine)), "test tasks": np.arange(len(theirs)) + len(mine)}
    chosen = np.array([each.at for each in taken], dtype=np.int64)
    title = f"{len(taken):,} of {len(mine):,} tasks for {len(theirs):,} test tasks"
    draw_points(np.concatenate([mine, theirs]), {**groups, "chosen": chosen}, title, folder)
