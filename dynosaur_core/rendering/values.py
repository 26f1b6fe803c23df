"""One value as text: quotes, cuts, turns of a dialogue. Columns of plain texts and numbers do not come here."""

from __future__ import annotations

import json
import math
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

ELLIPSIS = "…"
_FENCES = ("'", '"', "'''", '"""')
_SPEAKERS = ("speaker", "role", "from", "author", "user", "name")
_UTTERANCES = ("text", "content", "value", "utterance", "message", "sentence")


class UnrenderableError(ValueError):
    """The value cannot be written as text: bytes and the like."""


def quote(text: str) -> str:
    """`text` in the first fence that it does not hold, unchanged; only a text that holds all of them is escaped.

    What is quoted can be read back: an apostrophe moves the fence to double quotes instead of ending the value.
    """
    end = text[-1:]
    if end != "\\":
        for fence in _FENCES:
            if fence not in text and end != fence[0]:
                return f"{fence}{text}{fence}"
    return json.dumps(text, ensure_ascii=False)


def cut(text: str, size: int) -> str:
    """`text` itself when it has at most `size` characters, else its beginning up to a word's end, and an ellipsis."""
    if len(text) <= size:
        return text
    head = text[: size - 1]
    if not text[size - 1].isspace():
        words = head.rsplit(None, 1)
        # a text without spaces (Chinese, a long link) is cut where it must be
        head = words[0] if len(words) == 2 and len(words[0]) * 2 >= size else head
    return head.rstrip() + ELLIPSIS


def scalar(value: Any) -> str | None:
    """Text of a string, number, truth value or time; None for a null or NaN; UnrenderableError for all else."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, float):
        return None if math.isnan(value) else repr(value)
    if isinstance(value, (bool, int, Decimal, timedelta)):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, date | time):
        return value.isoformat()
    raise UnrenderableError(f"a {type(value).__name__} has no text")


def literal(value: Any) -> str:
    """A value inside another: strings quoted, lists in brackets, members without a value left out."""
    if isinstance(value, str):
        return quote(value)
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(literal(item) for item in value) + "]"
    if isinstance(value, dict):
        return "{" + members(value) + "}"
    return scalar(value) or "none"


def members(value: dict[str, Any]) -> str:
    """A struct as `member: literal` pairs, those without a value left out."""
    return ", ".join(f"{key}: {literal(item)}" for key, item in value.items() if item is not None)


def turns(value: Any) -> list[str] | None:
    """`speaker: text` of each turn of a dialogue; None where the value is none.

    A dialogue is a list of structs of a speaker and a text, or a struct of a list of each.
    """
    if isinstance(value, dict) and len(value) == 2:
        columns = [column if isinstance(column, list) else [] for column in value.values()]
        value = [dict(zip(value, pair, strict=True)) for pair in zip(*columns, strict=False)]
    if not isinstance(value, (list, tuple)) or not value or not isinstance(value[0], dict):
        return None
    said = [turn for item in value if (turn := _turn(item))]
    return said if len(said) == len(value) else None


def _turn(item: Any) -> str | None:
    """`speaker: text` of a dialogue's turn, or None where `item` is none."""
    if not isinstance(item, dict) or len(item) != 2:
        return None
    speaker = next((name for name in _SPEAKERS if name in item), None)
    said = next((name for name in _UTTERANCES if name in item), None)
    if speaker is None or said is None or not isinstance(item[said], str):
        return None
    return f"{item[speaker]}: {item[said]}"
