"""Sampled rows: label numbers become names, oversized rows leave, two rows are chosen to be shown."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from datasets import ClassLabel, Features

from dynosaur_core.models import ROW_COLUMN, SPLIT_COLUMN

MAX_SHOWN_CHARS = 4_000
"""Characters of one value kept for showing; a prompt shortens further."""


def decode_labels(table: pa.Table, features: Features) -> pa.Table:
    """ClassLabel integers as label names, in nested columns too; -1, None and numbers without a name become null."""
    for name, feature in features.items():
        if name in table.column_names and _has_label(feature):
            index = table.column_names.index(name)
            column = table.column(name).combine_chunks()
            table = table.set_column(index, name, _decode(column, feature))
    return table


def _has_label(feature: Any) -> bool:
    if isinstance(feature, ClassLabel):
        return True
    if isinstance(feature, dict):
        return any(_has_label(part) for part in feature.values())
    inner = feature[0] if isinstance(feature, list) else getattr(feature, "feature", None)
    return inner is not None and _has_label(inner)


def _decode(array: pa.Array, feature: Any) -> pa.Array:
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    if isinstance(feature, ClassLabel):
        if not pa.types.is_integer(array.type):
            return array.cast(pa.string())  # the file holds names already
        names = pa.array([str(name) for name in feature.names or ()], pa.string())
        known = pc.and_(pc.greater_equal(array, 0), pc.less(array, len(names)))
        return names.take(pc.if_else(known, array, pa.scalar(None, array.type)).cast(pa.int64()))
    if isinstance(feature, dict) and pa.types.is_struct(array.type):
        parts = [_decode(array.field(part.name), feature[part.name]) for part in array.type]
        mask = array.is_null() if array.null_count else None
        return pa.StructArray.from_arrays(parts, [part.name for part in array.type], mask=mask)
    inner = feature[0] if isinstance(feature, list) else getattr(feature, "feature", None)
    if inner is not None and (pa.types.is_list(array.type) or pa.types.is_large_list(array.type)):
        # rebuilt from lengths: slices keep offsets into their parents, which flatten() has dropped
        items = _decode(array.flatten(), inner)
        lengths = pc.fill_null(pc.list_value_length(array), 0)
        offsets = pa.concat_arrays([pa.array([0], pa.int32()), pc.cumulative_sum(lengths.cast(pa.int32()))])
        mask = array.is_null() if array.null_count else None
        return pa.ListArray.from_arrays(offsets, items, mask=mask)
    return array


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
