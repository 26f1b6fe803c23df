"""What a split has to know of rows: read part by part, so that memory holds numbers and no texts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from dynosaur_core.continual.overlap import Overlap, SuiteIndex, number_of, runs_of, words_of
from dynosaur_core.continual.pool import Candidate
from dynosaur_core.continual.rows import Drawn, draw
from dynosaur_core.continual.splits import Rows
from dynosaur_core.continual.stages import Records
from dynosaur_core.errors import Code, DynosaurError

Count = Callable[[int, int], None]
"""Called with how many rows are read, and of how many."""
_COLUMNS = ("task_id", "repo_id", "config", "split", "row", "input", "output")


@dataclass(frozen=True)
class Facts:
    """The tasks of a set, what of them overlaps with a suite, and what is known of the rows of the others."""

    tasks: tuple[Candidate, ...]
    """By id; `records` counts all rows."""
    left_out: Mapping[str, Overlap]
    """task id -> its first overlap with a test task."""
    drawn: Mapping[str, int]
    """task id -> how many of its rows were drawn."""
    overlapping_rows: Mapping[str, int]
    """task id -> how many of all its rows overlap, where some do."""
    rows: Rows
    """Of the tasks that are not left out."""
    places: tuple[tuple[int, int], ...]
    """[N]: (part of the set, place in it) of each of these rows."""


def read_facts(
    records: Records, most: int | None, seed: int, suite: SuiteIndex | None, count: Count = lambda _done, _total: None
) -> Facts:
    """Reads the set, and takes of each task at most `most` rows, which are drawn by `seed`. Raises what reading it
    raises, and BadSetting for a set without rows."""
    drawn = draw(records, most, seed)
    if not drawn.tasks:
        raise DynosaurError(Code.BAD_SETTING, f"{records.name} holds no rows")
    left_out: dict[str, Overlap] = {}
    if suite is not None:
        for task in drawn.tasks:
            if found := suite.of_instruction(task.instruction):
                left_out[task.task_id] = found
    seen = _Seen({task.task_id: at for at, task in enumerate(drawn.tasks)})
    wanted = {place for places in drawn.places.values() for place in places}
    total = sum(task.records for task in drawn.tasks)
    for done, (part, row) in enumerate(_rows(records)):
        if not done % 10_000:
            count(done, total)
        task_id = str(row["task_id"])
        # also of rows that were not drawn: how many are taken does not change which tasks are
        if suite is not None and (found := _of_suite(suite, row)):
            left_out.setdefault(task_id, found)
            seen.overlapping[task_id] += 1
        if (part, row["at"]) in wanted:
            seen.add(part, row)
    count(total, total)
    return seen.facts(drawn, left_out)


def _rows(records: Records) -> Iterator[tuple[int, dict[str, object]]]:
    for part, table in enumerate(records.tables(_COLUMNS)):
        for batch in table.to_batches(max_chunksize=10_000):
            for row in batch.to_pylist():
                yield part, row


def _of_suite(suite: SuiteIndex, row: Mapping[str, object]) -> Overlap | None:
    given = {name: str(row[name]) for name in ("repo_id", "config", "input", "output")}
    return suite.of_source(given["repo_id"], given["config"]) or suite.of_row(given["input"], given["output"])


@dataclass
class _Seen:
    """The rows read so far."""

    numbers: Mapping[str, int]
    overlapping: Counter[str] = field(default_factory=Counter)
    places: list[tuple[int, int]] = field(default_factory=list)
    _task: list[int] = field(default_factory=list)
    _source: list[int] = field(default_factory=list)
    _text: list[int] = field(default_factory=list)
    _runs: list[np.ndarray[tuple[int], np.dtype[np.uint64]]] = field(default_factory=list)

    def add(self, part: int, row: Mapping[str, object]) -> None:
        words = words_of(str(row["input"]))
        self.places.append((part, int(str(row["at"]))))
        self._task.append(self.numbers[str(row["task_id"])])
        self._source.append(number_of("\x1f".join(str(row[name]) for name in ("repo_id", "config", "split", "row"))))
        self._text.append(number_of(" ".join(words)))
        self._runs.append(np.unique(runs_of(words)))

    def facts(self, drawn: Drawn, left_out: Mapping[str, Overlap]) -> Facts:
        tasks = drawn.tasks
        kept = [task.task_id for task in tasks if task.task_id not in left_out]
        renamed = np.full(len(tasks), -1, dtype=np.int64)
        renamed[[self.numbers[task_id] for task_id in kept]] = np.arange(len(kept))
        task = renamed[np.array(self._task, dtype=np.int64)]
        rows = np.flatnonzero(task >= 0)
        runs = [self._runs[at] for at in rows]
        found = Rows(
            tuple(kept),
            task[rows],
            np.array(self._source, dtype=np.uint64)[rows],
            np.array(self._text, dtype=np.uint64)[rows],
            np.concatenate([np.empty(0, dtype=np.uint64), *runs]),
            np.repeat(np.arange(len(rows)), [len(each) for each in runs]),
        )
        places = tuple(self.places[at] for at in rows)
        counts = {task_id: len(places) for task_id, places in drawn.places.items()}
        return Facts(tasks, left_out, counts, dict(self.overlapping), found, places)
