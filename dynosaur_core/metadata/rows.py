"""Sampled rows: oversized rows leave, two rows are chosen to be shown."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa

from dynosaur_core.models import ROW_COLUMN, SPLIT_COLUMN, FieldFacts

MAX_SHOWN_CHARS = 4_000
"""Characters of one value kept for showing; a prompt shortens further."""
_LOOKED_AT = 100
"""Rows among which those to show are chosen."""


def within_bytes(table: pa.Table, max_row: int, max_total: int) -> tuple[pa.Table, int, int]:
    """Rows within both limits (Arrow bytes), and how many left for the one and for the other."""
    if table.nbytes <= min(max_row, max_total):
        return table, 0, 0
    keep, oversized, beyond, total = [], 0, 0, 0
    for index in range(len(table)):
        size = table.slice(index, 1).nbytes
        if size > max_row:
            oversized += 1
        elif total + size > max_total:
            beyond += 1
        else:
            keep.append(index)
            total += size
    return table.take(pa.array(keep, pa.int64())), oversized, beyond


def choose_shown(table: pa.Table, facts: Sequence[FieldFacts], count: int = 2) -> tuple[dict[str, Any], ...]:
    """The rows to show, as JSON values, in their order.

    The first is one with the fewest empty values; each further one is, among those left with the fewest, the one that
    differs most from the others in the fields of closed sets: rows of one class would teach the other one badly.
    """
    names = [name for name in table.column_names if name not in (SPLIT_COLUMN, ROW_COLUMN)]
    places = list(spread(table.num_rows, _LOOKED_AT))
    rows = table.select(names).take(pa.array(places, pa.int64())).to_pylist()
    closed = [each.name for each in facts if len(each.values) > 1 and each.name in names]
    empty = [sum(not _says_something(value) for value in row.values()) for row in rows]
    chosen: list[int] = []
    while len(chosen) < min(count, len(rows)):
        left = [index for index in range(len(rows)) if index not in chosen]
        full = min(empty[index] for index in left)
        left = [index for index in left if empty[index] <= full]
        alike = [sum(rows[index][name] == rows[other][name] for name in closed for other in chosen) for index in left]
        chosen.append(left[alike.index(min(alike))])
    return tuple({key: _plain(value) for key, value in rows[index].items()} for index in sorted(chosen))


def spread(rows: int, most: int) -> Iterator[int]:
    """At most `most` row numbers, evenly over all: rows are often sorted."""
    return (index * rows // most for index in range(most)) if rows > most else iter(range(rows))


def _says_something(value: Any) -> bool:
    return value is not None and value != "" and value != [] and value != {}


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return value if len(value) <= MAX_SHOWN_CHARS else value[:MAX_SHOWN_CHARS] + "…"
    if isinstance(value, dict):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_plain(part) for part in value[:100]]
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if json.dumps(value) not in ("NaN", "Infinity", "-Infinity") else str(value)
    return str(value)
