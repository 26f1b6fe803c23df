"""What a column of lists holds: the options of a question, with the marks that answers use, or the words of a text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from string import ascii_lowercase, ascii_uppercase

import pyarrow as pa
import pyarrow.compute as pc

from dynosaur_core.reading.lists import is_list

TOKENS = " "
"""The style of lists whose items are the words and punctuation marks of a text."""
_OPTION_FIELD = re.compile(r"choice|option|candidate|alternative|ending|distractor", re.IGNORECASE)
"""Names of fields whose lists are the options of a question."""
_MAX_OPTIONS = 10
_MAX_ANSWERS = 300
"""Different outputs that are looked at: more are no marks."""
_LETTERS = {"A": re.compile(r"[A-Z]"), "a": re.compile(r"[a-z]")}
_NUMBER = re.compile(r"\d{1,2}")
_PUNCTUATION = frozenset(".,?!")


def option_style(name: str, values: pa.Array, outputs: pa.Array) -> str | None:
    """The marks of a column of options (`A`, `a`, `0`, `1`), or None for every other column.

    Its lists are options when its name says so, or when they have a few items, always as many, and the outputs count
    them.
    """
    if not is_list(values.type):
        return None
    lengths = pc.unique(pc.list_value_length(values)).drop_null().to_pylist()
    answered = _answer_style(outputs, max(lengths, default=0))
    if _OPTION_FIELD.search(name):
        return answered or "A"
    return answered if len(lengths) == 1 and 2 <= lengths[0] <= _MAX_OPTIONS else None


def token_style(values: pa.Array) -> str | None:
    """TOKENS for lists of words and punctuation marks, or None."""
    if not is_list(values.type) or not pa.types.is_string(values.type.value_type):
        return None
    distinct = {*pc.unique(values.flatten()).to_pylist()} - {None}
    return TOKENS if distinct & _PUNCTUATION and not any(len(item.split()) > 1 for item in distinct) else None


def marks(style: str, count: int) -> Sequence[str]:
    """`count` marks of options: letters (`A`, `a`) as far as they go, or numbers from `style`."""
    letters = {"A": ascii_uppercase, "a": ascii_lowercase}.get(style)
    if letters and count <= len(letters):
        return letters[:count]
    first = 1 if letters else int(style)
    return [str(number) for number in range(first, first + count)]


def _answer_style(outputs: pa.Array, count: int) -> str | None:
    """The marks that the outputs are drawn from, if they are marks of `count` options."""
    distinct = pc.unique(outputs).drop_null()
    if count > 26 or len(distinct) > _MAX_ANSWERS:
        return None
    # several right options stand on lines of their own
    answers = {answer for text in distinct.to_pylist() for answer in text.split("\n")}
    if not 0 < len(answers) <= count:
        return None
    for style, letter in _LETTERS.items():
        if all(letter.fullmatch(text) and ord(text) - ord(style) < count for text in answers):
            return style
    if all(_NUMBER.fullmatch(text) for text in answers):
        numbers = [int(text) for text in answers]
        if max(numbers) < count:
            return "0"
        return "1" if min(numbers) > 0 and max(numbers) == count else None
    return None
