"""A subset's columns as text, each rendered once for all tasks that use it; plain ones without a step in Python."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar
from zlib import crc32

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dynosaur_core.models import ROW_COLUMN, SPLIT_COLUMN, ListOutput
from dynosaur_core.reading.nested import member
from dynosaur_core.rendering.outputs import lines, references, sequence, single
from dynosaur_core.rendering.styles import TOKENS, option_style, token_style
from dynosaur_core.rendering.values import UnrenderableError

Mask = npt.NDArray[np.bool_]
T = TypeVar("T")
Words = tuple[tuple[str, str], ...]
"""Labels, and the words in which each is written."""
Nested = Callable[..., str | None]
"""Text of a value that Arrow does not write, given the value and perhaps a style."""
_OUTPUTS: dict[ListOutput | None, Nested] = {
    None: single,
    ListOutput.ALL: lines,
    ListOutput.SEQUENCE: sequence,
}


@dataclass(frozen=True, eq=False)
class Column:
    """One column as text. Rows without text are `null` (the value is missing) or `bad` (it cannot be written)."""

    text: pa.Array
    bad: Mask
    plain: bool = True
    """A scalar, as it is; the text of a nested value has a form of its own already."""
    whole: bool = False
    """Options or JSON: a cut would take away answers, or the form."""
    references: pa.Array | None = None
    """Where the text is one of several right answers: all of them."""

    @cached_property
    def null(self) -> Mask:
        return mask(self.text.is_null()) & ~self.bad

    @cached_property
    def empty(self) -> Mask:
        """Rows whose text holds nothing but spaces."""
        nothing: Mask = byte_lengths(self.text) == 0
        nothing |= mask(pc.utf8_is_space(self.text))
        return nothing

    @cached_property
    def clean(self) -> bool:
        """Every row has a text."""
        return not self.text.null_count and not self.empty.any()

    @cached_property
    def multiline(self) -> bool:
        """Some text may have several lines."""
        held = self.text.buffers()[2]
        data = held.to_pybytes() if held is not None else b""
        return b"\n" in data or b"\r" in data

    @cached_property
    def median_bytes(self) -> float:
        """Of the texts that are there."""
        lengths = byte_lengths(self.text)
        return float(np.median(lengths)) if len(lengths) else 0.0


class Columns:
    """The columns of one subset's sampled rows, by field name. A field that is not there is null in every row."""

    def __init__(self, table: pa.Table) -> None:
        self.rows = table.num_rows
        self._table = table
        self._made: dict[Hashable, Any] = {}

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """Returns what `make` returned for the first task that asked for `key`."""
        if key not in self._made:
            self._made[key] = make()
        made: T = self._made[key]
        return made

    def values(self, name: str) -> pa.Array:
        """The field's values; `answers.text` is the member `text` of the struct `answers`."""
        return self.once(("values", name), lambda: self._read(name))

    def _read(self, name: str) -> pa.Array:
        found = member(self._table, name)
        return pa.nulls(self.rows) if found is None else found

    def output(self, name: str, how: ListOutput | None = None, words: Words = ()) -> Column:
        """The field as an output; `how` says what becomes of a list with several items. Labels are written in words."""
        if how is ListOutput.REFERENCES:
            return self.once(("output", name, how, words), lambda: self._one_reference(name, dict(words)))
        if words and how is None:
            return self.once(("output", name, how, words), lambda: _worded(self.output(name), words))
        render, known = _OUTPUTS[how], dict(words)
        return self.once(
            ("output", name, how, words), lambda: render_column(self.values(name), lambda value: render(value, known))
        )

    def _one_reference(self, name: str, words: dict[str, str]) -> Column:
        """In each row one of its answers, drawn by the row's place in the dataset: the same one in every growth."""
        drawn: list[str | None] = []
        known: list[list[str]] = []
        bad = np.zeros(self.rows, dtype=bool)
        places = zip(self.values(SPLIT_COLUMN).to_pylist(), self.values(ROW_COLUMN).to_pylist(), strict=True)
        for number, (value, (split, row)) in enumerate(zip(self.values(name).to_pylist(), places, strict=True)):
            try:
                answers = references(value, words)
            except UnrenderableError:
                answers, bad[number] = [], True
            known.append(answers)
            drawn.append(answers[crc32(f"{split} {row}".encode()) % len(answers)] if answers else None)
        return Column(pa.array(drawn, pa.string()), bad, references=pa.array(known, pa.list_(pa.string())))

    def input(self, name: str, output: Column, nested: Nested, scalars: bool = True) -> Column:
        """The field as an input; a list of options gets the marks that `output` answers with. Without `scalars`,
        `nested` writes all that is no text."""
        values = self.values(name)
        style = self.once(("options", name, output), lambda: option_style(name, values, output.text))
        style = style or self.once(("tokens", name), lambda: token_style(values))
        return self.once(("input", name, style, nested), lambda: render_column(values, nested, style, scalars))


def render_column(values: pa.Array, render: Nested, style: str | None = None, scalars: bool = True) -> Column:
    """Text of every value; `render` does those that are neither text nor, with `scalars`, number or truth value."""
    kind = values.type
    if pa.types.is_dictionary(kind):
        values, kind = values.dictionary_decode(), kind.value_type
    none_bad = np.zeros(len(values), dtype=bool)
    if pa.types.is_string(kind):
        return Column(values, none_bad)
    if _is_text(kind):
        return Column(values.cast(pa.string()), none_bad)
    if pa.types.is_boolean(kind) and scalars:
        return Column(pc.if_else(values, "True", "False"), none_bad)
    if (pa.types.is_integer(kind) or pa.types.is_decimal(kind)) and scalars:
        return Column(values.cast(pa.string()), none_bad)
    return _render_each(values, render, style, scalars)


def _render_each(values: pa.Array, render: Nested, style: str | None, scalars: bool) -> Column:
    texts: list[str | None] = []
    bad = np.zeros(len(values), dtype=bool)
    for position, value in enumerate(_python(values)):
        try:
            texts.append(render(value) if style is None else render(value, style))
        except UnrenderableError:
            texts.append(None)
            bad[position] = True
    flat = scalars and not pa.types.is_nested(values.type)
    choices = pa.types.is_struct(values.type) and {"text", "label"} <= {field.name for field in values.type}
    whole = choices or style not in (None, TOKENS) or not scalars
    return Column(pa.array(texts, pa.string()), bad, plain=flat, whole=whole)


def _worded(labels: Column, words: Words) -> Column:
    """The column with its labels in words; texts that are no label stay."""
    raw, written = (pa.array(side, pa.string()) for side in zip(*words, strict=True))
    texts = pc.coalesce(written.take(pc.index_in(labels.text, raw)), labels.text)
    return Column(texts, labels.bad)


def _python(values: pa.Array) -> list[Any]:
    if pa.types.is_timestamp(values.type) and values.type.unit == "ns":
        values = values.cast(pa.timestamp("us", values.type.tz), safe=False)
    return values.to_pylist()  # type: ignore[no-any-return]


def replaced(texts: pa.Array, where: Mask, by: list[str | None]) -> pa.Array:
    """`texts` with the rows of `where` exchanged, in their order."""
    return pc.replace_with_mask(texts, pa.array(where), pa.array(by, pa.string())) if by else texts


def byte_lengths(texts: pa.Array) -> npt.NDArray[np.int32]:
    """Bytes of each text, from the offsets alone; a null has none."""
    offsets = np.frombuffer(texts.buffers()[1], dtype=np.int32) if len(texts) else np.zeros(1, np.int32)
    offsets = offsets[texts.offset : texts.offset + len(texts) + 1]
    return offsets[1:] - offsets[:-1]


def longer(texts: pa.Array, size: int) -> Mask:
    """Rows with more than `size` characters; those are counted only where there are as many bytes."""
    result: Mask = byte_lengths(texts) > size
    if result.any():
        result &= mask(pc.greater(pc.utf8_length(texts), size))
    return result


def mask(values: pa.Array) -> Mask:
    """Truth values as numpy; null is false."""
    if values.null_count:
        values = pc.fill_null(values, False)
    result: Mask = values.to_numpy(zero_copy_only=False)
    return result


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_large_string(kind) or pa.types.is_string_view(kind))
