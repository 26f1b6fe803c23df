"""Values of CSV and JSON files as columns: what is written there is what stands in the column."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

import pyarrow as pa
from datasets import Json, Value

from dynosaur_core.reading.features import item_of
from dynosaur_core.text import storable

WRITTEN = b"dynosaur.written"
"""Metadata of a field that was read from text: `number` where every value is one, else `value`."""
_NUMBER = re.compile(r"[+-]?(0|[1-9][0-9]{0,99})(\.[0-9]{1,99})?([eE][+-]?[0-9]{1,9})?")
_SPACE = re.compile(r"[ \t\r\n]*")
_DEEPEST = 32
_MOST_MEMBERS = 1_000
_LARGEST = 1 << 63


class Number(str):
    """A number that Python would write in another way than its file."""

    __slots__ = ()


def json_value(text: str) -> Any:
    """The value of a JSON text, with numbers as they are written; raises ValueError, also for what nests too deeply."""
    try:
        return _DECODER.decode(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def json_values(text: str) -> list[Any]:
    """The values of JSON texts that follow one another, as `json_value` reads them."""
    values: list[Any] = []
    at = _SPACE.match(text, 0).end()  # type: ignore[union-attr]
    while at < len(text):
        try:
            value, at = _DECODER.raw_decode(text, at)
        except RecursionError:
            raise ValueError("it is nested too deeply") from None
        values.append(value)
        at = _SPACE.match(text, at).end()  # type: ignore[union-attr]
    return values


def json_text(value: Any) -> str:
    """A value that `json_value` read, as JSON."""
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, dict):
        members = (f"{json.dumps(key, ensure_ascii=False)}: {json_text(part)}" for key, part in value.items())
        return "{" + ", ".join(members) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(json_text, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def csv_column(texts: list[str | None]) -> tuple[pa.Array, bool]:
    """Cells as numbers or truth values where those are written back the same, else as text; whether all are numbers."""
    present = [text for text in texts if text is not None]
    if present and all(_NUMBER.fullmatch(text) for text in present):
        array, _ = json_column([None if text is None else _number(text) for text in texts])
        return array, True
    if present and all(text in ("True", "False") for text in present):
        return pa.array([None if text is None else text == "True" for text in texts], pa.bool_()), False
    return _strings(texts), False


def json_column(values: list[Any], declared: Any = None, depth: int = 0) -> tuple[pa.Array, bool]:
    """Values that `json_value` read as a column; whether all are numbers.

    Values of unlike kinds, objects without members and what is declared as text become text: texts as they are, all
    else as its JSON.
    """
    present = [value for value in values if value is not None]
    kinds = {_kind(value) for value in present}
    as_text = isinstance(declared, Json) or (isinstance(declared, Value) and declared.dtype == "string")
    if not kinds:
        return pa.nulls(len(values)), False
    if kinds <= {"int", "float", "number"}:
        return _numbers(values, kinds, depth), True
    if kinds == {"list"} and not as_text and depth < _DEEPEST:
        return _list(values, declared, depth), False
    if kinds == {"dict"} and not as_text and depth < _DEEPEST:
        names = dict.fromkeys(name for value in present for name in value)
        if 0 < len(names) <= _MOST_MEMBERS:
            return _struct(values, list(names), declared, depth), False
    if kinds == {"bool"}:
        return pa.array(values, pa.bool_()), False
    return _strings([v if v is None or _kind(v) == "str" else json_text(v) for v in values]), False


def written_table(columns: Mapping[str, tuple[pa.Array, bool]]) -> pa.Table:
    """Columns of `csv_column` or `json_column`, marked as read from text."""
    fields = [
        pa.field(name, array.type, metadata={WRITTEN: b"number" if number else b"value"})
        for name, (array, number) in columns.items()
    ]
    return pa.Table.from_arrays([array for array, _ in columns.values()], schema=pa.schema(fields))


def json_table(rows: list[dict[str, Any]], names: Iterable[str], declared: Mapping[str, Any] | None = None) -> pa.Table:
    """Objects that `json_value` read as a table of the named columns."""
    known = declared or {}
    return written_table({name: json_column([row.get(name) for row in rows], known.get(name)) for name in names})


def _number(text: str) -> int | float | Number:
    if len(text) < 20 and text.removeprefix("-").isdigit() and str(whole := int(text)) == text and _fits(whole):
        return whole
    return real if len(text) < 30 and repr(real := float(text)) == text else Number(text)


def _fits(number: int) -> bool:
    return -_LARGEST <= number < _LARGEST


def _constant(text: str) -> Number | None:
    return None if text == "NaN" else Number(text)


_DECODER = json.JSONDecoder(strict=False, parse_int=_number, parse_float=_number, parse_constant=_constant)


def _kind(value: Any) -> str:
    if isinstance(value, Number):
        return "number"
    return type(value).__name__


def _numbers(values: list[Any], kinds: set[str], depth: int) -> pa.Array:
    if kinds == {"int"}:
        return pa.array(values, pa.int64())
    if kinds == {"float"}:
        return pa.array(values, pa.float64())
    if depth and all(v is None or Decimal(str(v)) == Decimal(repr(float(v))) for v in values):
        return pa.array([None if v is None else float(v) for v in values], pa.float64())  # a text would be quoted
    return pa.array([None if v is None else str(v) for v in values], pa.string())


def _list(values: list[Any], declared: Any, depth: int) -> pa.Array:
    found = [item for value in values if value is not None for item in value]
    items, _ = json_column(found, item_of(declared), depth + 1)
    offsets, total = [0], 0
    for value in values:
        total += len(value or ())
        offsets.append(total)
    mask = pa.array([value is None for value in values], pa.bool_())
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), items, mask=mask)


def _struct(values: list[Any], names: list[str], declared: Any, depth: int) -> pa.Array:
    known = declared if isinstance(declared, dict) else {}
    parts = [
        json_column([None if value is None else value.get(name) for value in values], known.get(name), depth + 1)[0]
        for name in names
    ]
    mask = pa.array([value is None for value in values], pa.bool_())
    return pa.StructArray.from_arrays(parts, [storable(name) for name in names], mask=mask)


def _strings(texts: list[Any]) -> pa.Array:
    try:
        return pa.array(texts, pa.string())
    except UnicodeEncodeError:  # half of a pair of surrogates
        return pa.array([None if text is None else storable(text) for text in texts], pa.string())
