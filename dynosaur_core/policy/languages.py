"""Languages: what a tag means, and what a text is written in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from py3langid import classify

_ALIASES = {"eng": "en", "english": "en", "false": "no"}  # YAML reads the tag `no` (Norwegian) as a boolean
_PLACEHOLDERS = {"", "none", "unknown", "n/a", "other", "und"}
MIN_CHARS = 40
"""Texts shorter than this are not judged: names and numbers look like any language."""


def normalise(tag: object) -> str:
    """`en-US` and `English` -> `en`; "" where the tag says nothing."""
    text = str(tag if tag is not None else "").strip().lower().replace("_", "-").split("-")[0]
    text = _ALIASES.get(text, text)
    return "" if text in _PLACEHOLDERS else text


def detect(texts: Iterable[str]) -> str | None:
    """The language of more than half of the texts (ISO 639-1), or None: too short to tell, or mixed."""
    votes = Counter(str(classify(text[:2_000])[0]) for text in texts if len(text) >= MIN_CHARS)
    if not votes:
        return None
    language, count = votes.most_common(1)[0]
    return language if 2 * count > votes.total() else None
