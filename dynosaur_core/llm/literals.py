"""A tolerant reader of JSON and Python literals inside other text. Nothing is evaluated.

It reads objects, lists, tuples, texts in either quotes, numbers and the words for true, false and null, allows a
trailing comma, and is bounded in size and depth.
"""

from __future__ import annotations

import json
import re
from typing import Any

from dynosaur_core.plain_json import is_deep
from dynosaur_core.text import storable, storable_values

MAX_CHARS = 60_000
MAX_DEPTH = 16
MAX_STEPS = 200_000
"""Tokens read of one text, over all beginnings tried: hostile nesting ends early."""

_OPENING = re.compile(r"[{\[]")
_AFTER_LAST = re.compile(r"[\s`]*(?:<[^<>]{1,20}>[\s`]*){0,3}")
"""What may follow a text's last value: the end of a code block, a closing mark."""
_SPACE = re.compile(r"\s*")
_TEXT = re.compile(r'"((?:[^"\\]|\\.)*)"|\'((?:[^\'\\]|\\.)*)\'', re.DOTALL)
_ATOM = re.compile(r"[-+\w.]+")
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|x[0-9a-fA-F]{2}|.)", re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}
_WORDS: dict[str, Any] = {"true": True, "false": False, "null": None, "none": None}
_CLOSING = {"{": "}", "[": "]", "(": ")"}


class _NotOneError(Exception):
    """No whole literal begins here."""


def find_literals(text: str) -> list[Any]:
    """Every outermost whole object or list in `text`, in order; of one that is cut off, its whole parts.

    Texts in them are storable: half an emoji, or a NUL, that an escape hides is replaced. A text that is a JSON text as
    a whole is read as what it says: some endpoints encode an answer twice.
    """
    text = text[:MAX_CHARS]
    try:
        value = json.loads(text)
        if isinstance(value, str):
            return find_literals(value)
        if not isinstance(value, dict | list):
            return []
        if not is_deep(value):
            return [storable_values(value)]
    except (ValueError, RecursionError):
        pass  # it is no JSON as a whole; what is too deep for it is read like any other text, too
    reader, found, at = Reader(text), [], 0
    while (start := next_opening(text, at)) is not None and not reader.spent:
        try:
            value, at = reader.value(start, 0)
            found.append(value)
        except _NotOneError:
            at = start + 1
    return found


def closing_literal(text: str) -> str:
    """The whole object or list that `text` ends with, as it is written; "" where it ends otherwise."""
    text = text[-MAX_CHARS:]
    reader, at = Reader(text), 0
    while (start := next_opening(text, at)) is not None and not reader.spent:
        end = reader.end_of(start)
        if end is not None and _AFTER_LAST.fullmatch(text, end):
            return text[start:end]
        at = start + 1 if end is None else end
    return ""


def next_opening(text: str, at: int) -> int | None:
    """The position of the next brace or bracket, from `at` on."""
    found = _OPENING.search(text, at)
    return found.start() if found else None


class Reader:
    """Reads one value at a position; returns the value and the position after it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.steps = 0

    @property
    def spent(self) -> bool:
        """Whether it has read as much as it may: hostile nesting ends here."""
        return self.steps >= MAX_STEPS

    def end_of(self, start: int) -> int | None:
        """The position after the whole value that begins at `start`; None where none does."""
        try:
            return self.value(start, 0)[1]
        except _NotOneError:
            return None

    def value(self, at: int, depth: int) -> tuple[Any, int]:
        self.steps += 1
        at = self._skip(at)
        first = self.text[at : at + 1]
        if depth > MAX_DEPTH or self.steps > MAX_STEPS or not first:
            raise _NotOneError
        if first == "{":
            return self._object(at, depth)
        if first in "[(":
            return self._list(at, depth)
        if first in "\"'":
            return self._text(at)
        return self._atom(at)

    def _object(self, at: int, depth: int) -> tuple[dict[str, Any], int]:
        result: dict[str, Any] = {}
        at = self._skip(at + 1)
        while self.text[at : at + 1] != "}":
            key, at = self.value(at, depth + 1)
            at = self._skip(at)
            if self.text[at : at + 1] != ":" or isinstance(key, dict | list):
                raise _NotOneError
            value, at = self.value(at + 1, depth + 1)
            result.setdefault(str(key), value)
            at = self._separator(at, "}")
        return result, at + 1

    def _list(self, at: int, depth: int) -> tuple[list[Any], int]:
        closing = _CLOSING[self.text[at]]
        result: list[Any] = []
        at = self._skip(at + 1)
        while self.text[at : at + 1] != closing:
            value, at = self.value(at, depth + 1)
            result.append(value)
            at = self._separator(at, closing)
        return result, at + 1

    def _text(self, at: int) -> tuple[str, int]:
        match = _TEXT.match(self.text, at)
        if not match:
            raise _NotOneError
        raw = match[1] if match[1] is not None else match[2]
        return storable(_ESCAPE.sub(_unescape, raw)), match.end()

    def _atom(self, at: int) -> tuple[Any, int]:
        match = _ATOM.match(self.text, at)
        if not match:
            raise _NotOneError
        word = match[0].lower()
        if word in _WORDS:
            return _WORDS[word], match.end()
        try:
            return (int(word) if word.lstrip("+-").isdecimal() and len(word) < 20 else float(word)), match.end()
        except ValueError as error:
            raise _NotOneError from error

    def _separator(self, at: int, closing: str) -> int:
        at = self._skip(at)
        if self.text[at : at + 1] == ",":
            return self._skip(at + 1)
        if self.text[at : at + 1] != closing:
            raise _NotOneError
        return at

    def _skip(self, at: int) -> int:
        match = _SPACE.match(self.text, at)
        return match.end() if match else at


def _unescape(match: re.Match[str]) -> str:
    code = match[1]
    if len(code) > 1:
        return chr(min(int(code[1:], 16), 0x10FFFF))
    return _ESCAPES.get(code, code)
