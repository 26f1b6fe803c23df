"""Sampled rows: oversized rows leave, two rows are chosen to be shown."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa

from dynosaur_core.models import ROW_COLUMN, SPLIT_COLUMN

MAX_SHOWN_CHARS = 4_000
"""Characters of one value kept for showing; a prompt shortens further."""


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


def choose_shown(table: pa.Table, count: int = 2) -> tuple[dict[str, Any], ...]:
    """The rows to show, as JSON values: those with the fewest empty values, in row order, the first of equals."""
    names = [name for name in table.column_names if name not in (SPLIT_COLUMN, ROW_COLUMN)]
    rows = table.select(names).slice(0, 50).to_pylist()
    order = sorted(range(len(rows)), key=lambda index: sum(not _says_something(v) for v in rows[index].values()))
    return tuple({key: _plain(value) for key, value in rows[index].items()} for index in sorted(order[:count]))


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
