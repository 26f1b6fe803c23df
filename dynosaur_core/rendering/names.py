"""Names of fields as people write them."""

from __future__ import annotations

import re
from collections.abc import Sequence

_WORD = re.compile(r"[A-Z]+(?![^\W\d_A-Z])|[A-Z]?[^\W\d_A-Z]+|[A-Z]|\d+(?:st|nd|rd|th)?")
_ACRONYM_CHARS = 4
_SAYS_NOTHING = ("text", "value")
"""Members of which the outer name alone says enough: `answers.text`."""


def written(names: Sequence[str]) -> tuple[str, ...]:
    """`sentence1` as `Sentence 1`, `QueryBody` as `Query body`, `answers.text` as `Answers`.

    Names of which two would be written alike stay as they are, on one line.
    """
    found = [_written(name) for name in names]
    if len({name.casefold() for name in found}) < len(found):
        found = [" ".join(name.split()) for name in names]
    return tuple(found)


def _written(name: str) -> str:
    words = _WORD.findall(_told(name))
    shouted = len(words) > 1 and all(word.isupper() for word in words)
    words = [word if _is_acronym(word) and not shouted else word.lower() for word in words]
    # a number belongs to a letter before it: `q1`, `A2`
    text = re.sub(r"\b([^\W\d_]) (?=\d)", r"\1", " ".join(words))
    return text[:1].upper() + text[1:] or " ".join(name.split())


def _told(name: str) -> str:
    """Of a dotted name what tells it apart: `context.contexts` is `contexts`, `answers.text` is `answers`."""
    outer, dot, inner = name.rpartition(".")
    if not dot or not outer or not inner:
        return name
    if inner.casefold() in _SAYS_NOTHING:
        return outer
    last = outer.rpartition(".")[2]
    return inner if inner.casefold().startswith(last.casefold()) else name


def _is_acronym(word: str) -> bool:
    return word.isupper() and len(word) <= _ACRONYM_CHARS
