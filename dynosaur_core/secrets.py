"""Secrets of the environment are struck out wherever text leaves for a database, a file, a log or a screen.

An endpoint that echoes the key it was sent, or an error that quotes an address with a password, would spread it
otherwise. Known are the variables with telling names (OPENAI_API_KEY, HF_TOKEN, AWS_SECRET_ACCESS_KEY...), passwords in
addresses, and what `remember` was given.
"""

from __future__ import annotations

import base64
import json
import logging
import os
import re
import string
import time
import traceback
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import quote, quote_plus, unquote

STRUCK = "[secret]"
"""Stands where a secret was."""
_MIN_CHARS = 8
"""A shorter value is not struck out: it may be a word of any text."""
_TAIL_CHARS = 20
"""Of a secret's end, which say as much as the whole."""
_MASKS = ("*", "..", "\u2026")
"""What stands for the rest of a secret after its beginning. One full stop may end a sentence."""
_ASCII_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
_TELLING = re.compile(
    r"(?:KEY|TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIALS?|AUTH_STRING|CONNECTION_STRING)$", re.I
)
_PASSWORD = re.compile(r"(?<=://)([^/@\s:]*:)([^/@\s]+)(?=@)")

_CACHED_S = 0.05
"""The environment is read anew no more often: texts are struck by the thousand."""

_remembered: set[str] = set()
_cached: tuple[float, frozenset[str]] = (-_CACHED_S, frozenset())


class _Form(NamedTuple):
    """A spelling of a secret."""

    text: str
    low: str
    head: str
    """The beginning and the end that are looked for, in lower case."""
    tail: str


def remember(*secrets: str | None) -> None:
    """Strikes these out from now on too: a token from a file, an address with a password from the settings."""
    global _cached
    for secret in filter(None, secrets):
        _remembered.update(_passwords(secret) if "://" in secret else [secret])
    _cached = (-_CACHED_S, frozenset())


def strike(text: str) -> str:
    """`text` with every known secret replaced by STRUCK, also where it is quoted, in base64, or shown in part."""
    forms = _forms(_known())
    for form in forms:
        text = text.replace(form.text, STRUCK)
    low = _lower(text)
    for form in forms:
        if form.head in low or form.tail in low:
            text = _without(text, _parts(low, form))
            low = _lower(text)
    return _PASSWORD.sub(rf"\1{STRUCK}", text) if "://" in text else text


def _parts(low: str, form: _Form) -> Iterator[tuple[int, int]]:
    """Where a text in lower case shows enough of a secret: half of it from its beginning (messages are quoted up to a
    length), less where a mask follows, or its end."""
    whole, done = form.low, 0
    half = max(_MIN_CHARS, (len(whole) + 1) // 2)
    for found in re.finditer(f"{re.escape(form.head)}|{re.escape(form.tail)}", low):
        start, end = found.span()
        if start < done:
            continue
        size = len(form.head)
        while size < len(whole) and low.startswith(whole[size], start + size):
            size += 1
        if found[0] == form.head and (size >= half or low.startswith(_MASKS, start + size)):
            end = start + size
        elif low.startswith(form.tail, start):
            end, size = start + len(form.tail), len(form.tail)
            while size < len(whole) and start > done and low[start - 1] == whole[-size - 1]:
                start, size = start - 1, size + 1
        else:
            continue
        yield start, end
        done = end


def _without(text: str, parts: Iterator[tuple[int, int]]) -> str:
    kept, at = [], 0
    for start, end in parts:
        kept += [text[at:start], STRUCK]
        at = end
    return "".join((*kept, text[at:]))


def _lower(text: str) -> str:
    """In lower case, each character at its place."""
    low = text.lower()
    return low if len(low) == len(text) else text.translate(_ASCII_LOWER)


def strike_logs() -> None:
    """Strikes known secrets out of every log record of this process from now on. Calling it again does no harm."""
    make = logging.getLogRecordFactory()
    if getattr(make, "strikes_secrets", False):
        return

    def struck(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = make(*args, **kwargs)
        if _known():
            record.msg, record.args = strike(record.getMessage()), ()
            if record.exc_info and record.exc_info[1]:
                record.exc_text = strike("".join(traceback.format_exception(record.exc_info[1])).rstrip("\n"))
        return record

    struck.strikes_secrets = True  # type: ignore[attr-defined]
    logging.setLogRecordFactory(struck)


def _known() -> frozenset[str]:
    global _cached
    moment, found = _cached
    if time.monotonic() - moment > _CACHED_S:
        found = frozenset(secret for secret in _remembered.union(_of_environment()) if len(secret) >= _MIN_CHARS)
        _cached = time.monotonic(), found
    return found


def _of_environment() -> Iterator[str]:
    for name, value in os.environ.items():
        if _TELLING.search(name):
            yield value.strip()
        if "://" in value:
            yield from _passwords(value)


def _passwords(address: str) -> list[str]:
    return [password for _, password in _PASSWORD.findall(address)]


@lru_cache(maxsize=16)
def _forms(secrets: frozenset[str]) -> tuple[_Form, ...]:
    """The spellings under which they are looked for, the longest first."""
    forms: set[str] = set()
    for secret in secrets:
        for text in {secret, unquote(secret)}:
            quoted = (quote(text, safe="", errors="replace"), quote_plus(text, errors="replace"))
            forms |= {text, *quoted, json.dumps(text)[1:-1], *_base64(text.encode("utf-8", "replace"))}
    long_enough = (form for form in forms if len(form) >= _MIN_CHARS)
    return tuple(map(_form, sorted(long_enough, key=lambda form: (-len(form), form))))


def _form(text: str) -> _Form:
    low = _lower(text)
    return _Form(text, low, low[:_MIN_CHARS], low[-max(_MIN_CHARS, min(_TAIL_CHARS, (len(low) + 1) // 2)) :])


def _base64(secret: bytes) -> set[str]:
    """What is the same in base64 whatever stands before and after: one form for each of the three places to begin."""
    forms: set[str] = set()
    for before in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            whole = encode(b"\0" * before + secret).decode()
            first = -(-8 * before // 6)
            last = 8 * (before + len(secret)) // 6
            forms.add(whole[first:last])
    return forms
