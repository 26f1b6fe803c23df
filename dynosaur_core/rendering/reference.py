"""The recipe `reference`: rendering as the 2023 system did it, its faults included, for comparison.

Source: reference of Yin et al., arXiv 2305.14327, and its released data. Scalars, lists of strings and nothing else are
rendered; both texts are cut when they are whole; answers are listed when all are short, and no row is checked.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dynosaur_core.models import InstructionTask
from dynosaur_core.reasons import Reason
from dynosaur_core.rendering.columns import Column, Columns, render_column
from dynosaur_core.rendering.render import Rendered, RowCodes
from dynosaur_core.rendering.values import UnrenderableError, scalar
from dynosaur_core.settings import Publishing

MAX_LABELS = 10
MAX_LABEL_CHARS = 15
"""Answers are listed when there are at most so many, and the longest has at most so many characters."""
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def render(task: InstructionTask, columns: Columns, settings: Publishing) -> Rendered:
    """Renders `task`; a list keeps its own form beside other fields, after `field is `."""
    output = render_column(columns.values(task.output_field), scalar)
    inputs = [_input(columns, name) for name in task.input_fields]
    codes = RowCodes(columns.rows)
    # a missing output ended the task there: the rows after it were lost too
    codes.mark(np.logical_or.accumulate(output.null), Reason.OUTPUT_NULL)
    codes.mark(output.bad, Reason.UNRENDERABLE)
    for column in inputs:
        codes.mark(column.null, Reason.INPUT_NULL)
        codes.mark(column.bad, Reason.UNRENDERABLE)
    text = inputs[0].text if inputs else pa.repeat("", columns.rows)  # these rules accept a design without inputs
    if len(inputs) > 1:
        parts = [_beside(name, column) for name, column in zip(task.input_fields, inputs, strict=True)]
        text = pc.binary_join_element_wise(*parts, "")
    text = pc.utf8_slice_codeunits(text, 0, settings.max_input_chars)
    outputs = pc.utf8_slice_codeunits(output.text, 0, settings.max_output_chars)
    return Rendered(_instruct(task), text, outputs, codes.codes)


def _input(columns: Columns, name: str) -> Column:
    return render_column(columns.values(name), _choices if "choice" in name else _list)


def _beside(name: str, column: Column) -> pa.Array:
    if column.plain:
        return pc.binary_join_element_wise(f"{name} is '", column.text, "'. ", "")
    # options begin with a space of their own
    return pc.binary_join_element_wise(f"{name} is" if "choice" in name else f"{name} is ", column.text, "")


def _list(value: Any) -> str | None:
    if not isinstance(value, list):
        return scalar(value)
    return ", ".join(f"'{text}'" for text in _strings(value)) + ". "


def _choices(value: Any) -> str | None:
    if not isinstance(value, list):
        return scalar(value)
    texts = _strings(value)
    if len(texts) > len(_LETTERS):
        raise UnrenderableError("more options than letters")
    return " " + ", ".join(f"{letter}. '{text}'" for letter, text in zip(_LETTERS, texts, strict=False)) + "."


def _strings(value: list[Any]) -> list[str]:
    if not all(isinstance(item, str) for item in value):
        raise UnrenderableError("a list of other things than strings")
    return value


def _instruct(task: InstructionTask) -> str:
    short = task.labels and max(map(len, task.labels)) <= MAX_LABEL_CHARS
    if not short or len(task.labels) > MAX_LABELS:
        return task.instruction
    return f"{task.instruction} Answers must be one of {', '.join(task.labels)}."
