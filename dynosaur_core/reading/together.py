"""Tables of one config, from any files and splits, as one table with the features that they have in common."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from datasets import ClassLabel, Features, Value
from datasets.table import cast_array_to_feature

from dynosaur_core.models import ROW_COLUMN, SPLIT_COLUMN
from dynosaur_core.reading.features import has_label, is_media
from dynosaur_core.reading.plain import LeftOutError, plain
from dynosaur_core.reading.written import WRITTEN

_OURS = (SPLIT_COLUMN, ROW_COLUMN)
_CAST_ERRORS = (pa.ArrowException, TypeError, ValueError)
"""What a cast raises for values that do not fit."""


@dataclass(frozen=True)
class Together:
    """One table: its columns in `features` order, then those of ours (SPLIT_COLUMN, ROW_COLUMN)."""

    table: pa.Table
    features: Features
    """Labels keep their names here; in the table they are texts."""
    left_out: dict[str, str] = field(default_factory=dict)
    """Columns that are not read, and why."""


@dataclass(frozen=True)
class _Part:
    """One column of one table."""

    array: pa.Array
    feature: Any
    written: bytes | None = None


def together(tables: Sequence[pa.Table], declared: Features | None) -> Together:
    """All rows of the tables under one schema. Media columns stay in the features, and are null in the table."""
    known = [known_features(table.schema) for table in tables]
    names = list(declared) if declared is not None else _names(tables)
    columns: dict[str, pa.Array] = {}
    features: dict[str, Any] = {}
    left_out: dict[str, str] = {}
    for name in names:
        wanted = declared.get(name) if declared is not None else None
        seen = wanted if wanted is not None else next((own[name] for own in known if name in own), None)
        try:
            if seen is not None and is_media(seen):
                columns[name], features[name] = pa.nulls(sum(map(len, tables))), seen
                continue
            parts = [
                _part(table, name, own.get(name, seen) if wanted is None else wanted)
                for table, own in zip(tables, known, strict=True)
            ]
            columns[name], features[name] = _meet(parts, wanted)
        except LeftOutError as error:
            left_out[name] = str(error)
    for name in _OURS:
        if any(name in table.column_names for table in tables):
            columns[name] = pa.concat_arrays([_one(table.column(name)) for table in tables])
    return Together(pa.table(columns), Features(features), left_out)


def known_features(schema: pa.Schema) -> dict[str, Any]:
    """The features that a file of `datasets` carries in its schema; {} where it carries none that can be read."""
    try:
        found = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))["info"]["features"]
        features: dict[str, Any] = dict(Features.from_dict(found))
    except (KeyError, TypeError, ValueError, AttributeError):
        return {}
    return features


def with_features(table: pa.Table, features: Features) -> pa.Table:
    """The table with its features in the schema, for `known_features`."""
    metadata = {b"huggingface": json.dumps({"info": {"features": features.to_dict()}}).encode()}
    return table.replace_schema_metadata(metadata)


def _names(tables: Sequence[pa.Table]) -> list[str]:
    return [name for name in dict.fromkeys(n for table in tables for n in table.column_names) if name not in _OURS]


def _one(column: pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks()


def _part(table: pa.Table, name: str, known: Any) -> _Part:
    index = table.schema.get_all_field_indices(name)
    if not index:
        return _Part(pa.nulls(len(table)), None)
    if len(index) > 1:
        raise LeftOutError("a file has two columns of this name")
    array, feature = plain(_one(table.column(index[0])), known)
    return _Part(array, feature, (table.schema.field(index[0]).metadata or {}).get(WRITTEN))


def _meet(parts: list[_Part], declared: Any) -> tuple[pa.Array, Any]:
    """The parts' values in one array, and its feature."""
    here = [part for part in parts if not pa.types.is_null(part.array.type)]
    if not here:
        return _absent(sum(len(part.array) for part in parts), declared)
    written = all(part.written for part in here)
    if declared is not None and not has_label(declared):
        parts = [_as_declared(part, declared) for part in parts]
        here = [part for part in parts if not pa.types.is_null(part.array.type)]
    array = _joined([part.array for part in parts], written)
    return array, _feature(array, here, declared, written)


def _absent(count: int, declared: Any) -> tuple[pa.Array, Any]:
    """A column without a value."""
    if declared is None:
        return pa.nulls(count), Value("null")
    array, feature = plain(pa.nulls(0, Features({"_": declared}).arrow_schema.field(0).type), declared)
    return pa.nulls(count, array.type), feature


def _as_declared(part: _Part, declared: Any) -> _Part:
    """The part in the declared type, where its values are the same there; text never becomes a number."""
    if pa.types.is_null(part.array.type) or isinstance(part.feature, ClassLabel):
        return part
    want = Features({"_": declared}).arrow_schema.field(0).type
    have = part.array.type
    if have == want or isinstance(want, pa.BaseExtensionType):
        return part
    try:
        if pa.types.is_string(want) and not pa.types.is_nested(have):
            return _Part(_texts(part.array), declared, part.written)
        if pa.types.is_integer(have) and pa.types.is_integer(want):
            return _Part(part.array.cast(want), declared, part.written)
        if part.written and not pa.types.is_nested(have):
            return part
        if _is_number(have) and _is_number(want):
            return _Part(plain(part.array.cast(want))[0], declared, part.written)
        if pa.types.is_temporal(have) and pa.types.is_temporal(want):
            return _Part(part.array.cast(want), declared, part.written)
        if pa.types.is_nested(have) and pa.types.is_nested(want):
            return _Part(*plain(cast_array_to_feature(part.array, declared)), part.written)
    except _CAST_ERRORS:
        return part  # the file has other values than the card says
    return part


def _joined(arrays: list[pa.Array], written: bool) -> pa.Array:
    types = list(dict.fromkeys(array.type for array in arrays if not pa.types.is_null(array.type)))
    if len(types) == 1:
        return pa.concat_arrays([_filled(array, types[0]) for array in arrays])
    if any(map(pa.types.is_nested, types)):
        try:
            parts = [pa.table({"_": array}) for array in arrays]
            return _one(pa.concat_tables(parts, promote_options="permissive").column(0))
        except pa.ArrowException as error:
            raise LeftOutError("its files hold unlike types: " + ", ".join(map(str, types[:4]))[:200]) from error
    if all(map(_is_number, types)):
        wide = pa.int64() if all(map(pa.types.is_integer, types)) else pa.float64()
        if not (written and pa.types.is_floating(wide)):
            try:
                return pa.concat_arrays([_filled(array, wide) for array in arrays])
            except pa.ArrowInvalid:  # not every value has a place in it
                pass
    return pa.concat_arrays([_texts(array) for array in arrays])


def _filled(array: pa.Array, kind: pa.DataType) -> pa.Array:
    return pa.nulls(len(array), kind) if pa.types.is_null(array.type) else array.cast(kind)


def _texts(array: pa.Array) -> pa.Array:
    if pa.types.is_boolean(array.type):
        return pc.if_else(array, "True", "False")
    return array.cast(pa.string())


def _feature(array: pa.Array, parts: list[_Part], declared: Any, written: bool) -> Any:
    """What the array's values are; texts may be numbers and moments that no other type writes as they are written."""
    labels = [part.feature for part in parts if isinstance(part.feature, ClassLabel)]
    if labels and pa.types.is_string(array.type):
        return ClassLabel(names=list(dict.fromkeys(str(name) for label in labels for name in label.names or ())))
    if isinstance(declared, Value) and _is_said_by(declared, array, parts):
        return declared
    if written and pa.types.is_string(array.type):
        return Value("float64" if all(part.written == b"number" for part in parts) else "string")
    if all(part.feature == parts[0].feature for part in parts):
        return parts[0].feature
    return plain(array.slice(0, 0))[1]


def _is_said_by(declared: Value, array: pa.Array, parts: list[_Part]) -> bool:
    """Whether values that are stored in another type, or as text, are of the declared kind."""
    dtype = str(declared.dtype)
    if dtype.startswith(("timestamp", "date", "time", "duration")):
        return bool(pa.types.is_string(array.type) or pa.types.is_temporal(array.type))
    texts = all(part.written == b"number" or (_dtype(part) or "").startswith("decimal") for part in parts)
    return dtype.startswith(("float", "decimal")) and (_is_number(array.type) or texts)


def _dtype(part: _Part) -> str | None:
    return str(part.feature.dtype) if isinstance(part.feature, Value) else None


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))
