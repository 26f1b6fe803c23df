"""Dates, times and durations, as far as Python can count them; beyond that as text."""

from __future__ import annotations

from datetime import timedelta

import pyarrow as pa
import pyarrow.compute as pc

_PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
_DAY_S = 86_400
_FIRST_S, _LAST_S = -62_135_596_800, 253_402_300_799
"""Seconds from 1970 to the beginning of year 1 and to the end of year 9999."""


def countable(array: pa.Array) -> pa.Array:
    """The moments in a type that `to_pylist` reads without an error or a loss, or as text."""
    kind = array.type
    if pa.types.is_duration(kind):
        return pa.array([_duration(value, kind.unit) for value in array.cast(pa.int64()).to_pylist()], pa.string())
    if pa.types.is_time(kind):
        return _microseconds(array, pa.time64("us")) if kind.unit == "ns" else array
    if pa.types.is_timestamp(kind) and kind.tz is not None:
        array = _known_zone(array)
    if not _in_range(array):
        return _text(array)
    if pa.types.is_timestamp(array.type) and array.type.unit == "ns":
        return _microseconds(array, pa.timestamp("us", array.type.tz))
    return array


def _in_range(array: pa.Array) -> bool:
    kind = array.type
    if pa.types.is_date32(kind):
        numbers, per_second = array.cast(pa.int32()).cast(pa.int64()), None
    elif pa.types.is_date64(kind):
        numbers, per_second = array.cast(pa.int64()), 1_000
    else:
        numbers, per_second = array.cast(pa.int64()), _PER_SECOND[kind.unit]
    found = pc.min_max(numbers)
    least, most = found["min"].as_py(), found["max"].as_py()
    if least is None:
        return True
    if per_second is None:
        return bool(least >= _FIRST_S // _DAY_S and most <= _LAST_S // _DAY_S)
    margin = _DAY_S if pa.types.is_timestamp(kind) and kind.tz else 0  # a zone moves the day
    return bool(_FIRST_S + margin <= least // per_second and most // per_second <= _LAST_S - margin)


def _known_zone(array: pa.Array) -> pa.Array:
    """The same moments, in UTC where this machine does not know their zone."""
    try:
        pa.array([0], array.type).to_pylist()
        array.slice(0, 1).cast(pa.string())
    except (KeyError, ValueError, pa.ArrowException):
        return array.cast(pa.timestamp(array.type.unit, "UTC"))
    return array


def _microseconds(array: pa.Array, kind: pa.DataType) -> pa.Array:
    try:
        return array.cast(kind)
    except pa.ArrowInvalid:  # finer than microseconds
        return _text(array)


def _text(array: pa.Array) -> pa.Array:
    kind = array.type
    if pa.types.is_timestamp(kind) and kind.unit != "s":
        try:
            array = array.cast(pa.timestamp("s", kind.tz))  # without a fraction where there is none
        except pa.ArrowInvalid:
            return array.cast(pa.string())
    return array.cast(pa.string())


def _duration(value: int | None, unit: str) -> str | None:
    if value is None:
        return None
    seconds, rest = divmod(value, _PER_SECOND[unit])
    micro, fine = divmod(rest * 1_000_000_000 // _PER_SECOND[unit], 1_000)
    try:
        text = str(timedelta(seconds=seconds, microseconds=micro))
    except OverflowError:
        return f"{seconds} s"
    return text if not fine else f"{text}{'' if micro else '.000000'}{fine:03d}"
