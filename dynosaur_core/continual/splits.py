"""A synthetic split for experiments: the tasks of a stage in K parts, each with held-out rows and nothing that leaks.

A task is in one part. Rows of a task with the same input are held out together, so that no held-out input is trained
on. A task is left out where it overlaps with a test task: the same words in the same order in instruction and
definition, or an input of both with a common run of `NGRAM` words (Brown et al., 2020, take 13, for web pages).
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from dynosaur_core.errors import Code, DynosaurError

NGRAM = 13
Row = Mapping[str, str]
"""At least task_id, instruction, input."""


@dataclass(frozen=True)
class Split:
    """Places of rows, by part; what was left out, by reason, in tasks; and what of it was only noticed."""

    train: tuple[tuple[int, ...], ...]
    held_out: tuple[tuple[int, ...], ...]
    left_out: Mapping[str, int]
    near: int
    """Held-out rows that share a run of `NGRAM` words with a training row of their task, as near-copies do."""


def split(
    rows: Sequence[Row], parts: int, held_out: int, seed: int, tests: Iterable[tuple[str, Sequence[str]]] = ()
) -> Split:
    """Parts of nearly as many tasks each, drawn by `seed`; of each task at most `held_out` rows, which leave one at
    least to train on. `tests` are (definition, inputs) of the test tasks.

    Raises BadSetting for fewer tasks than parts.
    """
    tasks: defaultdict[str, list[int]] = defaultdict(list)
    for at, row in enumerate(rows):
        tasks[row["task_id"]].append(at)
    definitions: set[str] = set()
    runs: set[tuple[str, ...]] = set()
    for definition, inputs in tests:
        definitions.add(_plain(definition))
        runs.update(run for text in inputs for run in _runs(text))
    left_out: Counter[str] = Counter()
    kept = []
    for task_id in sorted(tasks, key=lambda each: _drawn(seed, each)):
        mine = tasks[task_id]
        if _plain(rows[mine[0]]["instruction"]) in definitions:
            left_out["the same instruction as a test task"] += 1
        elif any(run in runs for at in mine for run in _runs(rows[at]["input"])):
            left_out[f"{NGRAM} words in a row of a test input"] += 1
        else:
            kept.append(mine)
    if len(kept) < parts:
        raise DynosaurError(Code.BAD_SETTING, f"{len(kept)} tasks are too few for {parts} parts")
    train: list[list[int]] = [[] for _ in range(parts)]
    held: list[list[int]] = [[] for _ in range(parts)]
    near = 0
    for number, mine in enumerate(kept):
        out = _held_out(rows, mine, held_out, seed)
        stay = [at for at in mine if at not in out]
        taught = {run for at in stay for run in _runs(rows[at]["input"])}
        near += sum(any(run in taught for run in _runs(rows[at]["input"])) for at in out)
        train[number % parts] += stay
        held[number % parts] += sorted(out)
    return Split(tuple(map(tuple, train)), tuple(map(tuple, held)), dict(left_out), near)


def _held_out(rows: Sequence[Row], mine: Sequence[int], count: int, seed: int) -> set[int]:
    """Whole groups of equal inputs, at most `count` rows."""
    groups: defaultdict[str, list[int]] = defaultdict(list)
    for at in mine:
        groups[_plain(rows[at]["input"])].append(at)
    found: set[int] = set()
    for text in sorted(groups, key=lambda each: _drawn(seed, each))[:-1]:
        if len(found) + len(groups[text]) <= count:
            found.update(groups[text])
    return found


def _plain(text: str) -> str:
    return " ".join(_words(text))


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold())


def _runs(text: str) -> Iterator[tuple[str, ...]]:
    words = _words(text)
    return (tuple(words[at : at + NGRAM]) for at in range(len(words) - NGRAM + 1))


def _drawn(seed: int, text: str) -> bytes:
    return hashlib.sha256(f"{seed} {text}".encode(errors="replace")).digest()
