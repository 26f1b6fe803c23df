"""The rows of a stage: which there are of each task, how long they are, and which of them are drawn."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dynosaur_core.continual.pool import Candidate
from dynosaur_core.continual.stages import Records

CHARS_PER_TOKEN = 4
"""Of English, for most tokenizers; the exact count is known to the trained model's own alone."""
_COLUMNS = ("task_id", "repo_id", "instruction", "license", "split", "row", "input", "output")
Whole = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Drawn:
    """The tasks of a stage, and the rows that would be taken of each."""

    tasks: tuple[Candidate, ...]
    """By task id; `records` counts all rows, `tokens` those that were drawn."""
    places: Mapping[str, tuple[tuple[int, int], ...]]
    """task id -> (part of the stage, place in its file) of the drawn rows, in the order of their draw."""


def draw(stage: Records, rows: int | None, seed: int) -> Drawn:
    """Draws at most `rows` rows of each task: the same for the same seed, in whatever files they lie."""
    found: dict[str, _Rows] = {}
    for part, table in enumerate(stage.tables(_COLUMNS)):
        keys = _keys(table, seed)
        lengths = sum(
            pc.utf8_length(table[name]).to_numpy().astype(np.int64) for name in ("instruction", "input", "output")
        )
        ids = table["task_id"].combine_chunks().dictionary_encode()
        codes, places = ids.indices.to_numpy(), table["at"].to_numpy()
        order = np.argsort(codes, kind="stable")
        for members in np.split(order, np.flatnonzero(np.diff(codes[order])) + 1):
            if not len(members):
                continue
            first = table.slice(int(members[0]), 1).to_pylist()[0]
            task = found.setdefault(first["task_id"], _Rows(first))
            task.add(part, places[members], keys[members], lengths[members], rows)
    tasks = tuple(found[task_id].candidate() for task_id in sorted(found))
    return Drawn(tasks, {task_id: tuple(task.places()) for task_id, task in found.items()})


class _Rows:
    """The rows of one task, of which the smallest keys are kept."""

    def __init__(self, first: dict[str, object]) -> None:
        self._first, self._records = first, 0
        self._kept = np.empty((0, 4), dtype=np.int64)

    def add(self, part: int, places: Whole, keys: Whole, lengths: Whole, most: int | None) -> None:
        self._records += len(places)
        more = np.stack([keys, np.full(len(places), part), places, lengths], axis=1)
        kept = np.concatenate([self._kept, more])
        self._kept = kept[np.lexsort((kept[:, 2], kept[:, 1], kept[:, 0]))][:most]

    def places(self) -> list[tuple[int, int]]:
        return [(int(part), int(at)) for part, at in self._kept[:, 1:3]]

    def candidate(self) -> Candidate:
        first = self._first
        return Candidate(
            task_id=str(first["task_id"]),
            instruction=str(first["instruction"]),
            repo_id=str(first["repo_id"]),
            license=str(first["license"]),
            stage=int(str(first["version"])),
            records=self._records,
            tokens=int((-(-self._kept[:, 3] // CHARS_PER_TOKEN)).sum()),
        )


def _keys(table: pa.Table, seed: int) -> Whole:
    """A pseudo-random number for each row, by the seed, its task, its split and its number in the source."""
    keys = np.full(table.num_rows, seed, dtype=np.uint64)
    for name in ("task_id", "split"):
        texts = table[name].combine_chunks().dictionary_encode()
        of = np.array([_number(text) for text in texts.dictionary.to_pylist()] or [0], dtype=np.uint64)
        keys = mixed(keys ^ of[texts.indices.to_numpy()])
    keys = mixed(keys ^ table["row"].to_numpy().astype(np.uint64))
    return (keys >> np.uint64(1)).astype(np.int64)


def _number(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode(errors="replace")).digest()[:8], "big")


def mixed(keys: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """The last steps of SplitMix64: Steele, Lea and Flood, OOPSLA 2014."""
    keys = (keys ^ (keys >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    keys = (keys ^ (keys >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return keys ^ (keys >> np.uint64(31))
