"""Labels as their names, in whatever way a file holds them."""

from __future__ import annotations

import pyarrow as pa


def label_names(array: pa.Array, names: list[str]) -> pa.Array:
    """The name of each label: of a number (`1`, `1.0`), of its digits, or a name itself.

    -1, null and numbers without a name are null; a text that is no label stays as it is.
    """
    return pa.array([_name(value, names) for value in array.to_pylist()], pa.string())


def _name(value: object, names: list[str]) -> str | None:
    if isinstance(value, str):
        if value in names:
            return value
        if value.strip() in names:
            return value.strip()
        number = _whole(value)
        if number is None:
            return value
    elif isinstance(value, float):
        if value != value:  # NaN
            return None
        if not value.is_integer():
            return repr(value)
        number = int(value)
    elif isinstance(value, int):
        number = int(value)
    else:
        return None if value is None else str(value)
    return names[number] if 0 <= number < len(names) else None


def _whole(text: str) -> int | None:
    """The whole number that a text of at most 20 characters writes, with or without `.0`."""
    digits = text.strip().removesuffix(".0")
    plain = len(digits) <= 20 and digits.removeprefix("-").isascii() and digits.removeprefix("-").isdigit()
    return int(digits) if plain else None
