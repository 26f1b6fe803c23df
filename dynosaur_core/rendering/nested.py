"""Lists and structs as texts: in one line with quotes, as lines of their own, or as JSON."""

from __future__ import annotations

import json
import math
from typing import Any

from dynosaur_core.rendering.styles import TOKENS, marks
from dynosaur_core.rendering.values import literal, members, scalar, turns

_SHORT_ITEM = 40
"""Characters of an item that may stand beside others, with commas between them."""


def nested(value: Any, style: str | None = None) -> str | None:
    """Text of a list or struct in one line; None for a null. `style` marks a list's items as options.

    Choices `{text: [...], label: [...]}` become options, answers `{text: [...], answer_start: [...]}` their distinct
    texts, turns of a speaker and a text one line each; all else is a list of literals or `member: literal` pairs.
    """
    if (marked := _options(value, style)) is not None:
        return ", ".join(f"{mark}. {literal(text)}" for mark, text in marked)
    if isinstance(value, (list, tuple)):
        said = turns(value)
        return ", ".join(literal(item) for item in value) if said is None else "\n".join(said)
    if not isinstance(value, dict):
        return scalar(value)
    answers = _answers(value)
    return members(value) if answers is None else ", ".join(literal(text) for text in answers)


def block(value: Any, style: str | None = None) -> str | None:
    """As `nested`, for lines: options, turns and items on lines of their own; words and short items beside one
    another."""
    if not isinstance(value, (list, tuple, dict)):
        return scalar(value)
    if (marked := _options(value, style)) is not None:
        return "\n".join(f"{mark}. {_plain(text)}" for mark, text in marked)
    if (said := turns(value)) is not None:
        return "\n".join(said)
    answers = _answers(value) if isinstance(value, dict) else value
    if isinstance(value, dict) and answers is None:
        return members(value)
    texts = [_plain(item) for item in answers or ()]
    if style == TOKENS:
        return " ".join(texts)
    if len(texts) == 1 or all(len(text) <= _SHORT_ITEM and not {",", "\n"} & {*text} for text in texts):
        return ", ".join(texts)
    return "\n".join("- " + text.strip().replace("\n", "\n  ") for text in texts)


def json_text(value: Any, style: str | None = None) -> str | None:
    """JSON of any value, "" for an empty list or struct; None for a null. Options are an object, by their marks."""
    if marked := _options(value, style):
        value = dict(marked)
    value = _json(value)
    return None if value is None else "" if value in ([], {}) else json.dumps(value, ensure_ascii=False)


def _options(value: Any, style: str | None) -> list[tuple[str, Any]] | None:
    """Marks and options of a list that `style` makes one, or of choices `{text: [...], label: [...]}`."""
    if isinstance(value, (list, tuple)):
        return (
            list(zip(marks(style, len(value)), value, strict=True)) if style not in (None, TOKENS) and value else None
        )
    texts, labels = (value.get("text"), value.get("label", value.get("labels"))) if isinstance(value, dict) else (0, 0)
    if isinstance(texts, list) and isinstance(labels, list) and len(texts) == len(labels):
        return list(zip(labels, texts, strict=True))
    return None


def _answers(value: dict[str, Any]) -> list[Any] | None:
    """The distinct texts of answers `{text: [...], answer_start: [...]}`."""
    texts = value.get("text")
    if not isinstance(texts, list) or "answer_start" not in value:
        return None
    return list(dict.fromkeys(text for text in texts if text is not None))


def _plain(item: Any) -> str:
    return item if isinstance(item, str) else literal(item)


def _json(value: Any) -> Any:
    """The value in types that JSON has; UnrenderableError for bytes and the like."""
    if isinstance(value, (list, tuple)):
        return [_json(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _json(item) for key, item in value.items()}
    if isinstance(value, (bool, int)) or (isinstance(value, float) and math.isfinite(value)):
        return value
    return scalar(value)
