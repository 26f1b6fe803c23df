"""Text from outside (datasets, models, endpoints, file names) is made storable once, where it enters."""

from __future__ import annotations

import re

REPLACEMENT = "\ufffd"
"""U+FFFD stands where a character was that no database, file or terminal takes."""

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
"""NUL, which PostgreSQL refuses, and halves of surrogate pairs, which are no UTF-8."""


def storable(text: str, max_chars: int | None = None) -> str:
    """`text` as every database, file and screen takes it: NULs and lone surrogates replaced, cut to `max_chars`.

    A pair of halves that a JSON reader left apart is joined first: `\\ud83d\\ude00` is one emoji.
    """
    if _UNSTORABLE.search(text):
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        text = _UNSTORABLE.sub(REPLACEMENT, text)
    if max_chars is not None and len(text) > max_chars:
        text = f"{text[: max_chars - 3]}..."
    return text
