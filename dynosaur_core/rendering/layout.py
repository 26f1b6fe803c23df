"""How several inputs stand in a record's input: on lines of their own, in sentences as in 2023, or as a JSON object."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from dynosaur_core.rendering.columns import Column, Nested
from dynosaur_core.rendering.names import written
from dynosaur_core.rendering.nested import block, json_text, nested
from dynosaur_core.rendering.values import quote


class Writer(NamedTuple):
    """What becomes of one field's text beside the others."""

    key: Hashable
    """Writers of the same key write the same; None leaves the text as it is."""
    write: Callable[[str], str]
    """Text -> its part of the input, the name included."""


LONG_BYTES = 200
"""Half of a long column's texts have more than this, and more than twice what those of the shorter columns have."""
_FENCE = re.compile(r'^"{3,}', re.M)


@dataclass(frozen=True)
class Layout:
    """One way to write a row's inputs. All rows of a task have the same fields in the same order."""

    nested: Nested
    """Text of a list or struct, given its value and perhaps the marks of its options."""
    writers: Callable[[Sequence[str], Sequence[Column]], list[Writer]]
    """One for each field, given the names and columns of all."""
    order: Callable[[Sequence[Column]], list[int]] = lambda columns: list(range(len(columns)))
    begin: str = ""
    between: str = ""
    end: str = ""
    alone: bool = True
    """A single input is written without its name."""
    scalars: bool = True
    """Numbers, truth values and times are written by Arrow, and not by `nested`."""
    listed: Callable[[Sequence[str]], str | None] = nested
    """Options drawn for a row, as the text of a field."""

    def join(self, parts: Sequence[pa.Array]) -> pa.Array:
        """All rows in one step."""
        first, *others = parts
        pieces = [self.begin, first, *(piece for part in others for piece in (self.between, part)), self.end]
        pieces = [piece for piece in pieces if not isinstance(piece, str) or piece]
        return pc.binary_join_element_wise(*pieces, "") if len(pieces) > 1 else first

    def row(self, parts: Sequence[str]) -> str:
        return self.begin + self.between.join(parts) + self.end


def _sentences(names: Sequence[str], columns: Sequence[Column]) -> list[Writer]:
    """`field is 'value'`: scalars quoted, nested values with the quotes of their own."""

    def writer(name: str, plain: bool) -> Writer:
        return Writer(("is", name), lambda text: f"{name} is {quote(text) if plain else text}")

    return [writer(name, column.plain) for name, column in zip(names, columns, strict=True)]


def _objects(names: Sequence[str], columns: Sequence[Column]) -> list[Writer]:
    """`"field": value`; of numbers and nested values the text is JSON already, and empty for an empty list."""

    def writer(name: str, plain: bool) -> Writer:
        head = json.dumps(name, ensure_ascii=False)
        if plain:
            return Writer(("json", name), lambda text: f"{head}: {json.dumps(text, ensure_ascii=False)}")
        return Writer(("json", name), lambda text: f"{head}: {text or '[]'}")

    return [writer(name, column.plain) for name, column in zip(names, columns, strict=True)]


def _lines(names: Sequence[str], columns: Sequence[Column]) -> list[Writer]:
    """`Question: ...`; a text of several lines is a block below its name, with an empty line after it. Breaks at the
    ends of a text are left out.

    A reader splits the input at lines that begin with one of the names. A text in which such a line stands, or that
    begins as a fence does, is fenced by lines of quotation marks, more of them than any line of it begins with.
    """
    heads = written(names)
    another = re.compile(rf"^(?:{'|'.join(map(re.escape, heads))}):", re.M)

    def line(text: str, head: str) -> str:
        return f"{head}: {text}" if text else f"{head}:"

    def writer(head: str, column: Column, after: str) -> Writer:
        if not column.multiline:
            return Writer((head,), lambda text: line(text, head))

        def write(text: str) -> str:
            text = text.strip("\r\n")
            if "\n" not in text and "\r" not in text:
                return line(text, head)
            if another.search(text) or text.startswith('"""'):
                marks = '"' * (1 + max([2, *map(len, _FENCE.findall(text))]))
                text = f"{marks}\n{text}\n{marks}"
            return f"{head}:\n{text}{after}"

        return Writer((head, heads, after), write)

    last = len(heads) - 1
    return [
        writer(head, column, "\n" if place < last else "")
        for place, (head, column) in enumerate(zip(heads, columns, strict=True))
    ]


def _long_last(columns: Sequence[Column]) -> list[int]:
    """The fields in their order, the long ones after the short ones."""
    lengths = [column.median_bytes for column in columns]
    ascending = sorted(lengths)
    least = next((high for low, high in pairwise(ascending) if high > LONG_BYTES and high >= 2 * low), float("inf"))
    return sorted(range(len(columns)), key=lambda place: lengths[place] >= least)


def _semicolons(texts: Sequence[str]) -> str:
    return "; ".join(map(quote, texts) if any(";" in text or len(text.splitlines()) > 1 for text in texts) else texts)


LAYOUTS = {
    "lines": Layout(block, _lines, _long_last, between="\n", listed=_semicolons),
    "sentences": Layout(nested, _sentences, between=". ", end=". "),
    "json": Layout(json_text, _objects, begin="{", between=", ", end="}", alone=False, scalars=False, listed=json_text),
}
ALONE = Layout(nested, lambda names, columns: [Writer(None, str)])
"""A single input, as it is."""
