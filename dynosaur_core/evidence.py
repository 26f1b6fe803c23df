"""What the rows of one subset tell, worked out once per column and shared by all designs of the subset."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cached_property
from typing import Any, TypeVar, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dynosaur_core.models import ROW_COLUMN, SPLIT_COLUMN
from dynosaur_core.reading.lists import is_list
from dynosaur_core.reading.nested import member
from dynosaur_core.reading.texts import filled, held, is_text, joined, texts

T = TypeVar("T")
Codes = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Places = npt.NDArray[np.int64]

CELL_CHARS = 2_000
"""Characters of a cell that word searches read: enough to know it by, and a bound on the work."""

LOOKED_AT = 200
"""Distinct values whose shape is looked at."""

# Lower case, and one space for every ASCII character that is no letter or digit: searches then need no regex.
_PLAIN = bytes(
    byte if chr(byte).isalnum() or byte >= 128 else 32
    for byte in (ord(chr(i).lower()) if i < 128 else i for i in range(256))
)


def plain_text(text: str) -> str:
    """Lower case, with a space for every ASCII character that is no letter or digit: as `Evidence.find` reads rows."""
    return text.encode().translate(_PLAIN).decode()


class Evidence:
    """Statistics of a table's columns. Columns that hold no scalar have none of their own (`scalar` is false)."""

    def __init__(self, table: pa.Table) -> None:
        self.table = table
        self.rows: int = table.num_rows
        self._memo: dict[tuple[Any, ...], Any] = {}

    def has(self, name: str) -> bool:
        """Whether there is such a column, or member of a struct."""
        return self._member(name) is not None

    def column(self, name: str) -> pa.Array:
        """The column, or the member of a struct under its dotted name, as one array. Raises KeyError where there is
        neither."""
        found = self._member(name)
        if found is None:
            raise KeyError(name)
        return found

    def _member(self, name: str) -> pa.Array | None:
        return self._once(("column", name), lambda: member(self.table, name))

    def scalar(self, name: str) -> bool:
        return self.has(name) and not pa.types.is_nested(self.column(name).type)

    def codes(self, name: str) -> Codes:
        """Per row a number that is equal for equal values; -1 for null. Nested values count by their text."""
        return self._once(("codes", name), lambda: self._encode(name)[0])

    def values(self, name: str) -> pa.Array:
        """The distinct values without null, in order of first appearance: `codes` point into it."""
        return self._once(("values", name), lambda: self._encode(name)[1])

    def counts(self, name: str) -> Codes:
        """Rows of each of `values`."""
        codes = self.codes(name)
        return self._once(("counts", name), lambda: np.bincount(codes[codes >= 0], minlength=len(self.values(name))))

    def distinct(self, name: str) -> int:
        return len(self.values(name))

    def filled(self, name: str) -> Mask:
        """Rows in which the column is neither null, empty nor blank. A list is blank when all of its items are."""

        def look() -> Mask:
            array = held(self.column(name))
            scalars = is_list(array.type) and not pa.types.is_nested(array.type.value_type)
            return filled(self.text(name) if scalars else array)

        return self._once(("filled", name), look)

    def text(self, name: str) -> pa.Array:
        """The column as strings, as `reading.texts` writes them."""
        return self._once(("text", name), lambda: texts(self.column(name)))

    def items(self, name: str) -> Codes | None:
        """Items of each row's list, or of the `text` of its struct, -1 for null; None where the column has no lists."""

        def count() -> Codes | None:
            array = held(self.column(name))
            if not is_list(array.type):
                return None
            return np.asarray(pc.fill_null(pc.list_value_length(array), -1).to_numpy(zero_copy_only=False), np.int64)

        return self._once(("items", name), count)

    def item_counts(self, name: str) -> tuple[int, int]:
        """Items in all lists of a column of lists, and how many different ones they are; structs by their text."""
        items = joined(pc.list_flatten(held(self.column(name))))
        return len(items), len(pc.unique(items))

    def item_values(self, name: str) -> list[str]:
        """The different items in all lists of a column of lists of texts, without null."""
        found: list[str] = pc.unique(pc.list_flatten(held(self.column(name)))).drop_null().to_pylist()
        return found

    def lengths(self, name: str) -> Codes:
        """Bytes of each cell's text."""

        def count() -> Codes:
            return np.asarray(pc.binary_length(self.text(name)).to_numpy(zero_copy_only=False), dtype=np.int64)

        return self._once(("lengths", name), count)

    def median_words(self, name: str) -> float:
        """Words of a filled cell, counted by the spaces between them; 0 where no cell is filled."""

        def median() -> float:
            text = self.text(name).filter(pa.array(self.filled(name)))
            spaces = pc.count_substring(text, " ").to_numpy(zero_copy_only=False)
            return float(np.median(spaces)) + 1 if len(spaces) else 0.0

        return self._once(("words", name), median)

    def share_matching(self, name: str, pattern: str) -> float:
        """Share of the distinct texts (the first `LOOKED_AT` of them) that match `pattern` as a whole."""

        def share() -> float:
            texts = self._once(("texts", name), lambda: [str(v) for v in self.values(name)[:LOOKED_AT].to_pylist()])
            shape = re.compile(pattern)
            # Where the first few are of another shape, the share is low anyhow.
            if not any(shape.fullmatch(text) for text in texts[:8]):
                return 0.0
            return sum(shape.fullmatch(text) is not None for text in texts) / len(texts)

        return self._once(("matching", name, pattern), share)

    def joint(self, names: tuple[str, ...]) -> Codes:
        """Per row a number that is equal for equal values of all the columns together; -1 where one is empty."""

        def combine() -> Codes:
            codes: Codes = np.zeros(self.rows, dtype=np.int64)
            filled = np.ones(self.rows, dtype=bool)
            for name in names:
                part = self.codes(name)
                codes = np.unique(codes * (int(part.max(initial=0)) + 2) + part + 1, return_inverse=True)[1]
                filled &= self.filled(name)
            return np.where(filled, codes, -1)

        return self._once(("joint", names), combine)

    @cached_property
    def pages(self) -> tuple[bytes, npt.NDArray[np.int64]]:
        """All texts of all rows as one lower-case searchable run of bytes, and where each row begins in it."""
        names = [n for n in self.table.column_names if n not in (SPLIT_COLUMN, ROW_COLUMN) and self._readable(n)]
        if not names or not self.rows:
            return b"", np.zeros(1, dtype=np.int64)
        cells = [_cut(self.text(name)) for name in names]
        row = _one(pc.binary_join_element_wise("", *cells, "", " | "))
        offsets = np.frombuffer(row.buffers()[1], dtype=np.int32)[row.offset : row.offset + len(row) + 1].astype(
            np.int64
        )
        data = row.buffers()[2].to_pybytes() if row.buffers()[2] is not None else b""
        return data.translate(_PLAIN), offsets

    def find(self, phrase: str, limit: int) -> Places | None:
        """Where the phrase begins in `pages` (at a word's start); None when in more than `limit` places."""
        return self._once(("find", phrase, limit), lambda: self._find(phrase, limit))

    def holds(self, phrase: str) -> bool:
        """Whether the phrase stands anywhere in `pages`, at a word's start."""
        return f" {phrase}".encode() in self.pages[0]

    def rows_of(self, places: Places) -> Places:
        """The row of each place in `pages`."""
        return np.searchsorted(self.pages[1], places, side="right") - 1

    def _find(self, phrase: str, limit: int) -> Places | None:
        data, needle = self.pages[0], f" {phrase}".encode()
        places: list[int] = []
        at = data.find(needle)
        while at >= 0:
            if len(places) >= limit:
                return None
            places.append(at)
            at = data.find(needle, at + 1)
        return np.array(places, dtype=np.int64)

    def _readable(self, name: str) -> bool:
        kind = self.column(name).type
        return is_text(kind) or (is_list(kind) and is_text(kind.value_type))

    def _encode(self, name: str) -> tuple[Codes, pa.Array]:
        return self._once(("encode", name), lambda: _codes(self.column(name) if self.scalar(name) else self.text(name)))

    def _once(self, key: tuple[Any, ...], make: Callable[[], T]) -> T:
        if key not in self._memo:
            self._memo[key] = make()
        return cast(T, self._memo[key])


def _one(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    if isinstance(column, pa.Array):
        return column
    return (
        column.chunk(0)
        if column.num_chunks == 1
        else pa.concat_arrays(column.chunks)
        if column.chunks
        else pa.array([])
    )


def _codes(array: pa.Array) -> tuple[Codes, pa.Array]:
    if pa.types.is_null(array.type):
        return np.full(len(array), -1, dtype=np.int64), array.slice(0, 0)
    encoded = array.dictionary_encode()
    indices = np.asarray(pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False), dtype=np.int64)
    return indices, encoded.dictionary


def _cut(text: pa.Array) -> pa.Array:
    """The first `CELL_CHARS` of each cell; cutting is slow, and most columns need none."""
    longest = pc.max(pc.binary_length(text)).as_py() or 0
    return pc.utf8_slice_codeunits(text, 0, CELL_CHARS) if longest > CELL_CHARS else text
