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
import traceback
from functools import lru_cache
from typing import Any
from urllib.parse import quote, quote_plus, unquote

STRUCK = "[secret]"
"""Stands where a secret was."""
_MIN_CHARS = 8
"""A shorter value is not struck out: it may be a word of any text."""
_TELLING = re.compile(
    r"(?:KEY|TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIALS?|AUTH_STRING|CONNECTION_STRING)$", re.I
)
_PASSWORD = re.compile(r"(?<=://)([^/@\s:]*:)([^/@\s]+)(?=@)")

_remembered: set[str] = set()


def remember(*secrets: str | None) -> None:
    """Strikes these out from now on too: a token from a file, an address with a password from the settings."""
    for secret in filter(None, secrets):
        _remembered.update(_passwords(secret) if "://" in secret else [secret])


def strike(text: str) -> str:
    """`text` with every known secret replaced by STRUCK, also where it is quoted, in base64, or cut short."""
    for form in _forms(_known()):
        head = form[: max(_MIN_CHARS, (len(form) + 1) // 2)]
        start = text.find(head)
        while start >= 0:
            end = start + len(head)
            while end < len(text) and end - start < len(form) and text[end] == form[end - start]:
                end += 1
            text = text[:start] + STRUCK + text[end:]
            start = text.find(head, start + len(STRUCK))
    return _PASSWORD.sub(rf"\1{STRUCK}", text) if "://" in text else text


def strike_logs() -> None:
    """From now on no log record of this process holds a known secret, whoever writes it; may be called again."""
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
    found = set(_remembered)
    for name, value in os.environ.items():
        if len(value) < _MIN_CHARS:
            continue
        if _TELLING.search(name):
            found.add(value)
        if "://" in value:
            found.update(_passwords(value))
    return frozenset(secret for secret in found if len(secret) >= _MIN_CHARS)


def _passwords(address: str) -> list[str]:
    return [password for _, password in _PASSWORD.findall(address)]


@lru_cache(maxsize=16)
def _forms(secrets: frozenset[str]) -> tuple[str, ...]:
    """The spellings under which they are looked for, the longest first."""
    forms: set[str] = set()
    for secret in secrets:
        for text in {secret, unquote(secret)}:
            quoted = (quote(text, safe="", errors="replace"), quote_plus(text, errors="replace"))
            forms |= {text, *quoted, json.dumps(text)[1:-1], *_base64(text.encode("utf-8", "replace"))}
    return tuple(sorted((form for form in forms if len(form) >= _MIN_CHARS), key=lambda form: (-len(form), form)))


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
