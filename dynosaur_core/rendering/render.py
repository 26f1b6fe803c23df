"""The default recipe: one task over a subset's rows, as columns of inputs and outputs and a reason per row."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dynosaur_core.models import InstructionTask
from dynosaur_core.reasons import Reason
from dynosaur_core.rendering.closed import instruct, listed, options
from dynosaur_core.rendering.columns import Column, Columns, Mask, longer, mask, replaced
from dynosaur_core.rendering.layout import ALONE, LAYOUTS, Writer
from dynosaur_core.rendering.shorten import shorten
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
    layout = LAYOUTS[settings.layout]
    raw = columns.output(task.output_field, task.list_output)
    output = columns.output(task.output_field, task.list_output, task.label_words)
    # of a list every item is a label
    labels = () if task.list_output else task.labels
    names = task.input_fields
    inputs = [columns.input(name, raw, layout.nested, layout.scalars) for name in names]
    if task.labels and not listed(task, settings):
        names = (*names, "options" if not _named(names, "options") else "answer_options")
        inputs.append(
            columns.once(("options", task.task_id), lambda: options(task, columns, layout, settings.row_options))
        )
    unanswered = columns.once((raw, output, labels), lambda: _judge_output(raw, output, labels, settings))
    text, unasked = columns.once((names, *inputs), lambda: _join_inputs(names, inputs, columns, settings))
    codes = np.where(unanswered, unanswered, unasked)
    return Rendered(instruct(task, settings), text, output.text, codes, output.references)


def _named(names: tuple[str, ...], name: str) -> bool:
    return name in {each.casefold() for each in names}


def _judge_output(raw: Column, output: Column, labels: tuple[str, ...], settings: Publishing) -> npt.NDArray[np.int8]:
    codes = RowCodes(len(output.text))
    if not output.clean:
        codes.mark(output.null, Reason.OUTPUT_NULL)
        codes.mark(output.bad, Reason.UNRENDERABLE)
        codes.mark(output.empty, Reason.OUTPUT_EMPTY)
    codes.mark(longer(output.text, settings.max_output_chars), Reason.OUTPUT_TOO_LONG)
    if labels:
        known = pc.is_in(raw.text, value_set=pa.array(labels, pa.string()))
        codes.mark(~mask(known), Reason.OUTPUT_OUTSIDE_LABELS)
    return codes.codes


def _join_inputs(
    names: tuple[str, ...], inputs: list[Column], columns: Columns, settings: Publishing
) -> tuple[pa.Array, npt.NDArray[np.int8]]:
    """The input of every row, and the reasons of those that have none."""
    codes = RowCodes(len(inputs[0].text))
    faulty = [column for column in inputs if not column.clean]
    for column in faulty:
        codes.mark(column.null, Reason.INPUT_NULL)
        codes.mark(column.bad, Reason.UNRENDERABLE)
    if len(faulty) == len(inputs):
        codes.mark(np.logical_and.reduce([column.empty for column in inputs]), Reason.INPUT_EMPTY)
    layout = LAYOUTS[settings.layout]
    if len(inputs) == 1 and layout.alone:
        layout = ALONE
    order = layout.order(inputs)
    inputs = [inputs[place] for place in order]
    writers = layout.writers([names[place] for place in order], inputs)
    text = layout.join([_part(column, writer, columns) for column, writer in zip(inputs, writers, strict=True)])
    long = longer(text, settings.max_input_chars) & (codes.codes == 0)
    if long.any():
        short = shorten(inputs, writers, layout, np.flatnonzero(long), settings.max_input_chars)
        text = replaced(text, long, short)
        codes.mark(long & mask(text.is_null()), Reason.INPUT_TOO_LONG)
    return text, codes.codes


def _part(column: Column, writer: Writer, columns: Columns) -> pa.Array:
    """The column as it stands in the input."""
    if writer.key is None:
        return column.text

    def write() -> pa.Array:
        # a subset has some hundred rows: a loop beats Arrow's kernels
        return pa.array([None if text is None else writer.write(text) for text in column.text.to_pylist()], pa.string())

    return columns.once((column, writer.key), write)
