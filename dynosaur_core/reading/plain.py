"""Arrow columns of any type as plain ones, with the features that they then have."""

from __future__ import annotations

import json
import uuid
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from datasets import ClassLabel, List, Value
from datasets.features.features import generate_from_arrow_type

from dynosaur_core.reading.features import item_of
from dynosaur_core.reading.labels import label_names
from dynosaur_core.reading.lists import is_list, with_items
from dynosaur_core.reading.moments import countable
from dynosaur_core.reading.written import json_text

_DEEPEST = 32


class LeftOutError(ValueError):
    """A column cannot take part; the message says why."""


def plain(array: pa.Array, known: Any = None, depth: int = 0) -> tuple[pa.Array, Any]:
    """The array in plain types, and its feature.

    `known` is the feature as far as it is known: its labels become names. Raises LeftOutError for a type that has no
    plain form.
    """
    kind = array.type
    if depth > _DEEPEST:
        raise LeftOutError(f"it is nested more than {_DEEPEST} deep")
    if isinstance(kind, pa.BaseExtensionType):
        return _storage(array, known, depth)
    for is_packed, unpack in _PACKED:
        if is_packed(kind):
            return plain(unpack(array), known, depth)
    if pa.types.is_struct(kind):
        return _struct(array, known, depth)
    if is_list(kind):
        return _list(array, known, depth)
    if isinstance(known, ClassLabel):
        return label_names(array, [str(name) for name in known.names or ()]), known
    if pa.types.is_decimal(kind):
        return array.cast(pa.string()), Value(str(generate_from_arrow_type(kind).dtype))
    if pa.types.is_temporal(kind) and not pa.types.is_interval(kind):
        moments = countable(array)
        return moments, generate_from_arrow_type(kind if pa.types.is_string(moments.type) else moments.type)
    if any(is_plain(kind) for is_plain in _PLAIN):
        return array, generate_from_arrow_type(kind)
    raise LeftOutError(f"its type {kind} is not read")


def taken(table: pa.Table, rows: pa.Array) -> pa.Table:
    """The rows of the table, whose columns may be of types that Arrow's own `take` does not know."""
    try:
        return table.take(rows)
    except pa.ArrowNotImplementedError:
        columns = [plain(column.combine_chunks())[0].take(rows) for column in table.itercolumns()]
        return pa.Table.from_arrays(columns, names=table.column_names)


def _storage(array: pa.Array, known: Any, depth: int) -> tuple[pa.Array, Any]:
    name = array.type.extension_name
    if name == "arrow.json":
        return pa.array([_from_json(text) for text in array.storage.to_pylist()], pa.string()), Value("string")
    if name == "arrow.uuid":
        texts = [None if raw is None else str(uuid.UUID(bytes=raw)) for raw in array.storage.to_pylist()]
        return pa.array(texts, pa.string()), Value("string")
    if name == "arrow.bool8":
        return plain(array.storage.cast(pa.bool_()), known, depth)
    return plain(array.storage, known, depth)


def _from_json(text: str | None) -> str | None:
    """A text that is JSON's is that text, and every other value its JSON as it is written."""
    if text is None:
        return None
    try:
        value = json.loads(text, parse_int=str, parse_float=str) if text[:1] in '"n' else text
    except ValueError:
        return text
    return value if value is None or isinstance(value, str) else json_text(value)


def _struct(array: pa.Array, known: Any, depth: int) -> tuple[pa.Array, Any]:
    missing = array.is_null() if array.null_count else None
    if not array.type.num_fields:  # no file format holds a struct without members
        return pa.array([None if value is None else "{}" for value in array.to_pylist()], pa.string()), Value("string")
    members = known if isinstance(known, dict) else {}
    names = [field.name for field in array.type]
    if len(set(names)) < len(names):
        raise LeftOutError("two of its members have one name")
    parts = [plain(array.field(n), members.get(name), depth + 1) for n, name in enumerate(names)]
    made = pa.StructArray.from_arrays([part for part, _ in parts], names, mask=missing)
    return made, {name: feature for name, (_, feature) in zip(names, parts, strict=True)}


def _list(array: pa.Array, known: Any, depth: int) -> tuple[pa.Array, Any]:
    items, feature = plain(array.flatten(), item_of(known), depth + 1)
    return with_items(array, items), List(feature)


def _double(array: pa.Array) -> pa.Array:
    """Narrower floats as doubles of the same digits: 0.1 of 32 bits is 0.1, not 0.10000000149011612."""
    # numpy writes the shortest text that reads back as the same number of that width
    texts = pc.fill_null(array, 0).to_numpy(zero_copy_only=False).astype(str)
    missing = array.is_null().to_numpy(zero_copy_only=False)
    return pa.array(texts.astype(np.float64), mask=missing)


_PACKED: tuple[tuple[Any, Any], ...] = (
    (pa.types.is_dictionary, lambda array: array.dictionary_decode()),
    (pa.types.is_run_end_encoded, pc.run_end_decode),
    (pa.types.is_large_string, lambda array: array.cast(pa.string())),
    (pa.types.is_string_view, lambda array: array.cast(pa.string())),
    (pa.types.is_large_binary, lambda array: array.cast(pa.binary())),
    (pa.types.is_binary_view, lambda array: array.cast(pa.binary())),
    (pa.types.is_float16, _double),
    (pa.types.is_float32, _double),
)
_PLAIN = (
    pa.types.is_null,
    pa.types.is_boolean,
    pa.types.is_integer,
    pa.types.is_floating,
    pa.types.is_string,
    pa.types.is_binary,
    pa.types.is_fixed_size_binary,
)
