"""Text from outside (datasets, models, endpoints, file names) is made storable once, where it enters.

The nouns of `models` name these types for their fields, so that ledger, store, screen and artifacts never meet the
text as it came.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator

from dynosaur_core.secrets import strike

REPLACEMENT = "\ufffd"
"""U+FFFD stands where a character was that no database, file or terminal takes."""
MAX_ID_CHARS = 255
"""Length of a dataset id in the ledger."""
MAX_LINE_CHARS = 2_000
"""Length of a message or detail; the ledger, the report and the artifacts hold many of them."""
MAX_WHOLE = 2**63 - 1

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
"""NUL, which PostgreSQL refuses, and halves of surrogate pairs, which are no UTF-8."""
_SURROGATE = re.compile("[\ud800-\udfff]")
_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
"""Control characters, which a terminal obeys, and those that turn the direction of writing."""
_MARKUP = re.compile(r"([\\`*_\[\]|~!#$])")


def storable(text: str, max_chars: int | None = None) -> str:
    """`text` as every database, file and screen takes it: NULs and lone surrogates replaced, cut to `max_chars`.

    A pair of halves that a JSON reader left apart is joined first: `\\ud83d\\ude00` is one emoji.
    """
    if _UNSTORABLE.search(text):
        text = _UNSTORABLE.sub(REPLACEMENT, encodable(text))
    if max_chars is not None and len(text) > max_chars:
        text = f"{text[: max_chars - 3]}..."
    return text


def encodable(text: str) -> str:
    """`text` as UTF-8 takes it. For names of fields and configs: a NUL stays, since their data have it too."""
    if _SURROGATE.search(text):
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def storable_values(value: Any) -> Any:
    """A JSON value with all of its texts storable, keys too."""
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, dict):
        return {encodable(key) if isinstance(key, str) else key: storable_values(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [storable_values(item) for item in value]
    return value


def line(text: str, max_chars: int = MAX_LINE_CHARS) -> str:
    """A message about something: storable, bounded, and without known secrets."""
    return storable(strike(text), max_chars)


def printable(text: str) -> str:
    """`text` for a terminal: known secrets and control characters replaced; line breaks and tabs stay."""
    return _UNPRINTABLE.sub(REPLACEMENT, strike(text))


def one_line(text: str, max_chars: int = MAX_LINE_CHARS) -> str:
    """`text` for a log or a table: printable, bounded, and on one line."""
    return storable(" ".join(printable(text).split()), max_chars)


def markdown_text(text: str, max_chars: int = 500) -> str:
    """`text` as one line of Markdown that shows it as it is: no link, image, table cell, heading or HTML of its own."""
    flat = one_line(text, max_chars)
    return _MARKUP.sub(r"\\\1", flat.replace("&", "&amp;").replace("<", "&lt;"))


def is_storable_id(text: str) -> bool:
    """Whether the ledger can hold it as a dataset's id just as it is; under another spelling it would not be found."""
    return 0 < len(text) <= MAX_ID_CHARS and not _UNPRINTABLE.search(text) and "\n" not in text and "\t" not in text


def whole_number(value: Any) -> int | None:
    """A count or size from outside, at most what a database holds; None for what is none (NaN, -1, "12")."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
        return None
    return MAX_WHOLE if value >= MAX_WHOLE else int(value)


def _id(text: str) -> str:
    return storable(text, MAX_ID_CHARS)


def _name(text: str) -> str:
    return storable(text, 64)


Text = Annotated[str, AfterValidator(storable)]
"""Prose from outside, whatever its length."""
Said = Annotated[str, AfterValidator(lambda text: storable(strike(text)))]
"""What a model or an endpoint said, which may hold a secret that it was sent."""
Line = Annotated[str, AfterValidator(line)]
"""A message or detail."""
Name = Annotated[str, AfterValidator(encodable)]
"""The name of a field, config, split or label, by which data are found."""
Id = Annotated[str, AfterValidator(_id)]
"""A dataset's id. Catalogues list only those for which `is_storable_id` holds."""
Key = Annotated[str, AfterValidator(_name)]
"""A revision, licence or code: 64 characters at most."""
Values = Annotated[dict[str, Any], AfterValidator(storable_values)]
"""A row as JSON values."""
