"""One value as text: quotes, cuts, options and nested values. Columns of plain texts and numbers do not come here."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from string import ascii_lowercase, ascii_uppercase
from typing import Any

ELLIPSIS = "…"
OPTION_FIELD = re.compile(r"choice|option|candidate|alternative|ending|distractor", re.IGNORECASE)
"""Names of fields whose lists are the options of a question."""

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
        return "{" + ", ".join(f"{key}: {literal(item)}" for key, item in value.items() if item is not None) + "}"
    return scalar(value) or "none"


def marks(style: str, count: int) -> Sequence[str]:
    """`count` marks of options: letters (`A`, `a`) as far as they go, or numbers from `style`."""
    letters = {"A": ascii_uppercase, "a": ascii_lowercase}.get(style)
    if letters and count <= len(letters):
        return letters[:count]
    first = 1 if letters else int(style)
    return [str(number) for number in range(first, first + count)]


def options(texts: Sequence[Any], labels: Sequence[Any]) -> str:
    """`A. 'red', B. 'blue'`."""
    return ", ".join(f"{label}. {literal(text)}" for label, text in zip(labels, texts, strict=True))


def nested(value: Any, style: str | None = None) -> str | None:
    """Text of a list or struct, for reading; None for a null. `style` marks a list's items as options.

    Choices `{text: [...], label: [...]}` become options, answers `{text: [...], answer_start: [...]}` their distinct
    texts, turns of a speaker and a text one line each; all else is a list of literals or `member: literal` pairs.
    """
    if isinstance(value, (list, tuple)):
        if style is not None and value:
            return options(value, marks(style, len(value)))
        turns = [_turn(item) for item in value] if value and isinstance(value[0], dict) else []
        if turns and None not in turns:
            return "\n".join(turn for turn in turns if turn)
        return ", ".join(literal(item) for item in value)
    if not isinstance(value, dict):
        return scalar(value)
    texts, labels = value.get("text"), value.get("label", value.get("labels"))
    if isinstance(texts, list) and isinstance(labels, list) and len(texts) == len(labels):
        return options(texts, labels)
    if isinstance(texts, list) and "answer_start" in value:
        return ", ".join(literal(text) for text in dict.fromkeys(text for text in texts if text is not None))
    return ", ".join(f"{key}: {literal(item)}" for key, item in value.items() if item is not None)


def single(value: Any) -> str | None:
    """Text of a nested output: the one text of a list or of answers; UnrenderableError where there are several."""
    if isinstance(value, dict):
        value = value.get("text", value)
    if isinstance(value, (list, tuple)):
        distinct = list(dict.fromkeys(scalar(item) for item in value if item is not None))
        if len(distinct) > 1:
            raise UnrenderableError("several outputs")
        value = distinct[0] if distinct else None
    return scalar(value)


def items(value: Any) -> list[str | None] | None:
    """Texts of a list's items, or of those of answers `{text: [...]}`; None for a null."""
    if isinstance(value, dict):
        value = value.get("text", value)
    if not isinstance(value, (list, tuple)):
        return None if value is None else [scalar(value)]
    return [scalar(item) for item in value]


def lines(value: Any) -> str | None:
    """A list as one item a line. Raises UnrenderableError where an item has several lines."""
    texts = [text for text in items(value) or () if text is not None]
    if any("\n" in text for text in texts):
        raise UnrenderableError("an item has several lines")
    return "\n".join(texts) or None


def sequence(value: Any) -> str | None:
    """A list from which every item can be read back, in its place: words beside one another, all else as JSON."""
    texts = items(value) or []
    if all(text is None for text in texts):
        return None
    words = " ".join(text or " " for text in texts)
    if not words.startswith("[") and words.split() == texts:
        return words
    return json.dumps(texts, ensure_ascii=False)


def references(value: Any) -> list[str]:
    """The different answers of a list, blank ones left out."""
    return list(dict.fromkeys(text for text in items(value) or () if text and not text.isspace()))


def _turn(item: Any) -> str | None:
    """`speaker: text` of a dialogue's turn, or None where `item` is none."""
    if not isinstance(item, dict) or len(item) != 2:
        return None
    speaker = next((name for name in _SPEAKERS if name in item), None)
    said = next((name for name in _UTTERANCES if name in item), None)
    if speaker is None or said is None or not isinstance(item[said], str):
        return None
    return f"{item[speaker]}: {item[said]}"
