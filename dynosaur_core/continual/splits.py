"""A synthetic split for experiments: tasks in K parts, each with rows that are held out, and nothing that leaks.

Rows that belong together are held out together, whatever their tasks: those of the same row of a source, with the same
input, or with inputs that share a run of `overlap.NGRAM` words, and what follows from these pairs. So no held-out row
has a copy or near-copy among the rows that are trained on, in its own part or in another. A run that stands in more
than half of a task's rows is the wording of its form and joins nothing (Brown et al., 2020, leave out runs that many
documents have in common, too).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dynosaur_core.continual.encoders import needed
from dynosaur_core.continual.overlap import Runs, number_of
from dynosaur_core.continual.rows import mixed
from dynosaur_core.errors import Code, DynosaurError

_FORM_SHARE, _FORM_ROWS = 0.5, 3
Whole = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Rows:
    """What a split knows of N rows of T tasks."""

    tasks: tuple[str, ...]
    """[T]: ids."""
    task: Whole
    """[N]: place of the row's task in `tasks`."""
    source: Runs
    """[N]: a number for the row of the source that it is from."""
    text: Runs
    """[N]: a number for the words of its input."""
    runs: Runs
    """Runs of words of all inputs, one after the other, each once for a row."""
    run_row: Whole
    """The row of each run."""


@dataclass(frozen=True)
class Split:
    """Where each row goes. Rows are neither trained on nor held out that belong to held-out ones of another task."""

    part: Whole
    """[T]: the part of each task."""
    train: Flags
    """[N]"""
    held_out: Flags
    """[N]"""


def split(rows: Rows, parts: int, held_out: int, seed: int) -> Split:
    """Parts of nearly as many tasks each, drawn by `seed`; of each task at most `held_out` rows, which leave one at
    least to train on. The same whatever the order of tasks and rows. Raises BadSetting for fewer tasks than parts.
    """
    count = len(rows.tasks)
    if count < parts:
        raise DynosaurError(Code.BAD_SETTING, f"{count} tasks are too few for {parts} stages")
    order = sorted(range(count), key=lambda at: number_of(f"{seed} {rows.tasks[at]}"))
    part = np.empty(count, dtype=np.int64)
    part[order] = np.arange(count) % parts
    group = together(rows)
    turn = _turns(rows, group, seed)
    chosen = _held_groups(rows, group, turn, order, held_out)
    held = _first_of_each(rows, chosen[group], turn, held_out)
    return Split(part, ~chosen[group], held)


def together(rows: Rows) -> Whole:
    """[N]: a number for each row, equal for those that belong together."""
    sparse = needed("scipy.sparse", "replay")
    graph = needed("scipy.sparse.csgraph", "replay")
    every = np.arange(len(rows.task))
    kept = ~_of_form(rows)
    pairs = [
        _neighbours(keys, of)
        for keys, of in ((rows.source, every), (rows.text, every), (rows.runs[kept], rows.run_row[kept]))
    ]
    one, other = (np.concatenate(each) for each in zip(*pairs, strict=True))
    size = (len(every), len(every))
    joined = sparse.coo_matrix((np.ones(len(one), dtype=np.int8), (one, other)), shape=size)
    return np.asarray(graph.connected_components(joined, directed=False)[1], dtype=np.int64)


def _neighbours(keys: Runs, of: Whole) -> tuple[Whole, Whole]:
    """Pairs of rows that chain all those with the same key."""
    order = np.argsort(keys, kind="stable")
    same = keys[order][1:] == keys[order][:-1]
    return of[order][:-1][same], of[order][1:][same]


def _of_form(rows: Rows) -> Flags:
    """Which of the runs stand in most of the rows of their task."""
    if not len(rows.runs):
        return np.zeros(0, dtype=np.bool_)
    owner = rows.task[rows.run_row]
    order = np.lexsort((rows.runs, owner))
    new = np.ones(len(order), dtype=np.bool_)
    new[1:] = (owner[order][1:] != owner[order][:-1]) | (rows.runs[order][1:] != rows.runs[order][:-1])
    number = np.cumsum(new) - 1
    often = np.bincount(number)[number]
    most = np.maximum(_FORM_SHARE * np.bincount(rows.task, minlength=len(rows.tasks)), _FORM_ROWS)
    found = np.empty(len(order), dtype=np.bool_)
    found[order] = often > most[owner[order]]
    return found


def _turns(rows: Rows, group: Whole, seed: int) -> Runs:
    """[N]: when it is a row's turn: groups in the order of a draw, and so their rows. It depends on the rows alone."""
    drawn = mixed(rows.source ^ np.uint64(number_of(f"turn {seed}")))
    first = np.full(int(group.max(initial=-1)) + 1, np.iinfo(np.uint64).max, dtype=np.uint64)
    np.minimum.at(first, group, drawn)
    rank = np.empty(len(group), dtype=np.uint64)
    rank[np.lexsort((drawn, first[group]))] = np.arange(len(group), dtype=np.uint64)
    return rank


def _held_groups(rows: Rows, group: Whole, turn: Runs, order: Sequence[int], most: int) -> Flags:
    """Which groups are held out: task after task, one group after the other, as long as it has no more rows of the task
    than are wanted, and every task of the group keeps a row to train on."""
    sizes: defaultdict[int, defaultdict[int, int]] = defaultdict(lambda: defaultdict(int))  # group -> task -> rows
    turns: defaultdict[int, dict[int, None]] = defaultdict(dict)  # task -> its groups, by turn
    for at in np.argsort(turn).tolist():
        task, mine = int(rows.task[at]), int(group[at])
        sizes[mine][task] += 1
        turns[task][mine] = None
    left = np.bincount(rows.task, minlength=len(rows.tasks)).tolist()
    held = [0] * len(rows.tasks)
    chosen = np.zeros(int(group.max(initial=-1)) + 1, dtype=np.bool_)
    for task in order:
        for mine in turns[task]:
            if held[task] >= most:
                break
            fits = held[task] + sizes[mine][task] <= most
            if chosen[mine] or not fits or any(left[each] <= count for each, count in sizes[mine].items()):
                continue
            chosen[mine] = True
            for each, count in sizes[mine].items():
                left[each] -= count
                held[each] += count
    return chosen


def _first_of_each(rows: Rows, among: Flags, turn: Runs, most: int) -> Flags:
    """[N]: of the rows in `among` the first `most` of each task."""
    found = np.zeros(len(among), dtype=np.bool_)
    places = np.flatnonzero(among)
    places = places[np.lexsort((turn[places], rows.task[places]))]
    owner = rows.task[places]
    begins = np.searchsorted(owner, owner, side="left")
    found[places[np.arange(len(places)) - begins < most]] = True
    return found
