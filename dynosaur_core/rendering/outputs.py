"""Nested values as outputs: the only text of a list, all items, a sequence, or the right answers that it holds."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from dynosaur_core.rendering.nested import json_text
from dynosaur_core.rendering.values import UnrenderableError, members, scalar, turns

Words = Mapping[str, str]
"""The words that stand for labels. Texts that are none of these labels stay as they are."""
NO_WORDS: Words = {}


def single(value: Any, words: Words = NO_WORDS) -> str | None:
    """The one text of a list or of answers; UnrenderableError where there are several."""
    if not isinstance(value, (list, tuple, dict)):
        return scalar(value)
    distinct = list(dict.fromkeys(text for text in items(value, words) or () if text is not None))
    if len(distinct) > 1:
        raise UnrenderableError("several outputs")
    return distinct[0] if distinct else None


def items(value: Any, words: Words = NO_WORDS) -> list[str | None] | None:
    """Texts of a list's items, of a dialogue's turns or of answers `{text: [...]}`; None for a null."""
    if (said := turns(value)) is not None:
        return [re.sub(r"\s*[\r\n]\s*", " ", turn) for turn in said]
    if isinstance(value, dict) and "text" in value:
        value = value["text"]
    if value is None:
        return None
    texts = [_item(item) for item in value] if isinstance(value, (list, tuple)) else [scalar(value)]
    return [words.get(text, text) if text is not None else None for text in texts]


def lines(value: Any, words: Words = NO_WORDS) -> str | None:
    """A list as one item a line. Raises UnrenderableError where an item has several lines."""
    texts = [text for text in items(value, words) or () if text is not None]
    if any("\n" in text for text in texts):
        raise UnrenderableError("an item has several lines")
    return "\n".join(texts) or None


def sequence(value: Any, words: Words = NO_WORDS) -> str | None:
    """A list from which every item can be read back, in its place: words beside one another, all else as JSON."""
    if isinstance(value, (list, tuple)) and any(isinstance(item, dict) for item in value):
        return json_text(value)
    texts = items(value, words) or []
    if all(text is None for text in texts):
        return None
    text = " ".join(text or " " for text in texts)
    if not text.startswith("[") and text.split() == texts:
        return text
    return json.dumps(texts, ensure_ascii=False)


def references(value: Any, words: Words = NO_WORDS) -> list[str]:
    """The different answers of a list, blank ones left out."""
    return list(dict.fromkeys(text for text in items(value, words) or () if text and not text.isspace()))


def _item(value: Any) -> str | None:
    """Text of a list's item: a struct as its pairs, unless it holds a text alone."""
    if not isinstance(value, dict):
        return scalar(value)
    if len(value) == 1:
        return _item(*value.values())
    return members(value) or None
