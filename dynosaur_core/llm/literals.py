"""A tolerant reader of JSON and Python literals inside other text. Nothing is evaluated.

It reads objects, lists, tuples, texts in either quotes, numbers and the words for true, false and null, allows a
trailing comma, and is bounded in size and depth.
"""

from __future__ import annotations

import json
import re
from typing import Any

MAX_CHARS = 60_000
MAX_DEPTH = 16
MAX_STEPS = 200_000
"""Tokens read of one text, over all beginnings tried: hostile nesting ends early."""

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
    """Every outermost whole object or list in `text`, in order; what is cut off gives its whole parts."""
    text = text[:MAX_CHARS]
    try:
        value = json.loads(text)
        return [value] if isinstance(value, dict | list) else []
    except (ValueError, RecursionError):
        pass
    reader, found, at = _Reader(text), [], 0
    while (start := _next_opening(text, at)) is not None and reader.steps < MAX_STEPS:
        try:
            value, at = reader.value(start, 0)
            found.append(value)
        except _NotOneError:
            at = start + 1
    return found


def _next_opening(text: str, at: int) -> int | None:
    found = re.compile(r"[{\[]").search(text, at)
    return found.start() if found else None


class _Reader:
    """Reads one value at a position; gives it and the position after it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.steps = 0

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
        text = _ESCAPE.sub(_unescape, raw)
        if any("\ud800" <= char <= "\udfff" for char in text):  # JSON writes an emoji as two halves
            text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return text, match.end()

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
