"""The default recipe: one task over a subset's rows, as columns of inputs and outputs and a reason per row."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dynosaur_core.models import InstructionTask
from dynosaur_core.reasons import Reason
from dynosaur_core.rendering.columns import Column, Columns, Mask, longer, mask, replaced
from dynosaur_core.rendering.values import cut, quote
from dynosaur_core.settings import Publishing

REASONS: tuple[Reason | None, ...] = (
    None,
    Reason.OUTPUT_NULL,
    Reason.UNRENDERABLE,
    Reason.OUTPUT_EMPTY,
    Reason.OUTPUT_TOO_LONG,
    Reason.OUTPUT_OUTSIDE_LABELS,
    Reason.INPUT_NULL,
    Reason.INPUT_EMPTY,
    Reason.INPUT_TOO_LONG,
    Reason.DUPLICATE_RECORD,
)
"""What the numbers of `Rendered.codes` mean; 0 is a record."""
CODES = {reason: code for code, reason in enumerate(REASONS)}
MIN_PART = 16
"""Characters that a shortened input keeps at least; a row that needs less is rejected."""


@dataclass(frozen=True)
class Rendered:
    """One task over all rows of its subset. Arrays have one entry a row, rejected ones too."""

    instruction: str
    inputs: pa.Array
    outputs: pa.Array
    codes: npt.NDArray[np.int8]
    """Positions in REASONS: a row has the first reason that holds."""
    references: pa.Array | None = None
    """Lists of right answers, where rows have several."""


class RowCodes:
    """Reasons of rows; the first one stays."""

    def __init__(self, rows: int) -> None:
        self.codes = np.zeros(rows, dtype=np.int8)

    def mark(self, where: Mask, reason: Reason) -> None:
        self.codes[where & (self.codes == 0)] = CODES[reason]


def render(task: InstructionTask, columns: Columns, settings: Publishing) -> Rendered:
    """Renders `task`; every row of the subset comes out as a record or with a reason.

    A row needs all of its inputs: the instruction speaks of them. One that is there and empty stays, unless all are.
    Tasks with the same inputs, or with the same output and labels, share the work.
    """
    output = columns.output(task.output_field, task.list_output)
    inputs = [columns.input(name, output) for name in task.input_fields]
    unanswered = columns.once((output, task.labels), lambda: _judge_output(output, task.labels, settings))
    text, unasked = columns.once((*inputs,), lambda: _join_inputs(task.input_fields, inputs, settings))
    codes = np.where(unanswered, unanswered, unasked)
    return Rendered(instruct(task, settings), text, output.text, codes, output.references)


def _judge_output(output: Column, labels: tuple[str, ...], settings: Publishing) -> npt.NDArray[np.int8]:
    codes = RowCodes(len(output.text))
    if not output.clean:
        codes.mark(output.null, Reason.OUTPUT_NULL)
        codes.mark(output.bad, Reason.UNRENDERABLE)
        codes.mark(output.empty, Reason.OUTPUT_EMPTY)
    codes.mark(longer(output.text, settings.max_output_chars), Reason.OUTPUT_TOO_LONG)
    if labels:
        known = pc.is_in(output.text, value_set=pa.array(labels, pa.string()))
        codes.mark(~mask(known), Reason.OUTPUT_OUTSIDE_LABELS)
    return codes.codes


def _join_inputs(
    names: tuple[str, ...], inputs: list[Column], settings: Publishing
) -> tuple[pa.Array, npt.NDArray[np.int8]]:
    """The input of every row, and the reasons of those that have none."""
    codes = RowCodes(len(inputs[0].text))
    faulty = [column for column in inputs if not column.clean]
    for column in faulty:
        codes.mark(column.null, Reason.INPUT_NULL)
        codes.mark(column.bad, Reason.UNRENDERABLE)
    if len(faulty) == len(inputs):
        codes.mark(np.logical_and.reduce([column.empty for column in inputs]), Reason.INPUT_EMPTY)
    text = join(names, [column.beside for column in inputs]) if len(inputs) > 1 else inputs[0].text
    long = longer(text, settings.max_input_chars) & (codes.codes == 0)
    if long.any():
        text = replaced(text, long, shorten(names, inputs, np.flatnonzero(long), settings.max_input_chars))
        codes.mark(long & mask(text.is_null()), Reason.INPUT_TOO_LONG)
    return text, codes.codes


def join(names: tuple[str, ...], texts: list[pa.Array]) -> pa.Array:
    """`field is 'value'. ` for each field, in one step for all rows."""
    parts: list[str | pa.Array] = []
    for name, text in zip(names, texts, strict=True):
        parts += [f"{'. ' if parts else ''}{name} is ", text]
    return pc.binary_join_element_wise(*parts, ". ", "")


def instruct(task: InstructionTask, settings: Publishing) -> str:
    """The instruction, with its allowed answers in the data's own order where they are few and short."""
    instruction = task.instruction.strip()
    labels = task.labels
    if not labels or len(labels) > settings.max_labels or max(map(len, labels)) > settings.max_label_chars:
        return instruction
    shown = map(quote, labels) if any("," in label for label in labels) else labels
    return f"{instruction}{'' if instruction[-1:] in '.?!:' else '.'} Answer with one of: {', '.join(shown)}."


def shorten(names: tuple[str, ...], inputs: list[Column], rows: npt.NDArray[np.intp], size: int) -> list[str | None]:
    """Texts of `rows` cut to `size` characters, the longest input first; None where that leaves too little."""
    texts = [column.text.take(pa.array(rows)).to_pylist() for column in inputs]
    whole = [column.whole for column in inputs]
    if len(inputs) == 1:
        return [None if whole[0] else cut(text, size) for text in texts[0]]
    marks = [column.plain for column in inputs]
    frame = sum(len(name) + len(" is . ") for name in names)
    return [_shorten_row(names, list(row), whole, marks, size - frame, size) for row in zip(*texts, strict=True)]


def _shorten_row(
    names: tuple[str, ...], texts: list[str], whole: list[bool], plain: list[bool], room: int, size: int
) -> str | None:
    fences = [len(quote(text)) - len(text) if is_plain else 0 for text, is_plain in zip(texts, plain, strict=True)]
    room -= sum(fences) + sum(len(text) for text, fixed in zip(texts, whole, strict=True) if fixed)
    lengths = sorted(len(text) for text, fixed in zip(texts, whole, strict=True) if not fixed)
    limit = level(lengths, room)
    if limit < MIN_PART:
        return None
    kept = [text if fixed else cut(text, limit) for text, fixed in zip(texts, whole, strict=True)]
    parts = [quote(text) if is_plain else text for text, is_plain in zip(kept, plain, strict=True)]
    row = "".join(f"{name} is {part}. " for name, part in zip(names, parts, strict=True))
    return row if len(row) <= size else None


def level(lengths: list[int], room: int) -> int:
    """The largest limit with `sum(min(length, limit)) <= room`; `lengths` ascend. Only the longest are cut by it."""
    for position, length in enumerate(lengths):
        share = room // (len(lengths) - position)
        if share < length:
            return share
        room -= length
    return lengths[-1] if lengths else 0
