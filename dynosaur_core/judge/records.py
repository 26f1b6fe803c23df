"""The rows that the judge is shown: the same ones for all tasks of a subset, with records as publish makes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from zlib import crc32

import numpy as np
import pyarrow as pa

from dynosaur_core.models import InstructionTask, Subset
from dynosaur_core.rendering.closed import listed, options
from dynosaur_core.rendering.columns import Columns
from dynosaur_core.rendering.layout import LAYOUTS
from dynosaur_core.rendering.recipes import RECIPES
from dynosaur_core.rendering.render import Rendered
from dynosaur_core.settings import Publishing

ROWS = 3
"""Rows that a task is judged by."""
Texts = tuple[str | None, ...]
"""One text for each row shown; None where the row has none."""


@dataclass(frozen=True)
class ShownTask:
    """A task with its records of the rows shown, as far as the rows themselves do not show them."""

    task: InstructionTask
    instruction: str
    """With the answers that publish adds to it."""
    inputs: dict[str, Texts]
    """Inputs that this task writes otherwise than the rows have them, such as options with its marks."""
    outputs: Texts
    """Empty where the rows have them under the output's name."""
    options: Texts = ()
    """Empty where the instruction lists all labels, or there are none."""


@dataclass(frozen=True)
class ShownRows:
    """Rows of one subset, each used field as text, and the tasks that are judged by them."""

    subset: Subset
    rows: tuple[dict[str, Any], ...]
    """In the fields' order: those that tasks use as text, the others as Python values."""
    used: frozenset[str]
    tasks: tuple[ShownTask, ...]


def show(subset: Subset, tasks: Sequence[InstructionTask], table: pa.Table, settings: Publishing) -> ShownRows:
    """`table`: the subset's sampled rows, as `models.RowsHandle` says."""
    columns = Columns(table)
    rendered = [RECIPES[settings.recipe](task, columns, settings) for task in tasks]
    places = pa.array(choose(rendered), pa.int64())
    whole = [_whole(task, made, columns, places, settings) for task, made in zip(tasks, rendered, strict=True)]
    fields: dict[str, Texts] = {}
    for each in whole:
        fields = each.inputs | fields
    for each in whole:
        fields.setdefault(each.task.output_field, each.outputs)
    values = table.take(places).to_pylist()
    return ShownRows(
        subset=subset,
        rows=tuple(row | {name: texts[at] for name, texts in fields.items()} for at, row in enumerate(values)),
        used=frozenset(fields),
        tasks=tuple(
            replace(
                each,
                inputs={name: texts for name, texts in each.inputs.items() if texts != fields[name]},
                outputs=() if each.outputs == fields[each.task.output_field] else each.outputs,
            )
            for each in whole
        ),
    )


def choose(rendered: Sequence[Rendered], count: int = ROWS) -> list[int]:
    """Positions of `count` rows: of which most tasks make a record, and with as many different outputs of each task as
    may be. Among equals their content decides, as chance would: rows are often sorted, and where one of them is edited
    the others shall stay."""
    made = np.sum([each.codes == 0 for each in rendered], axis=0)
    outputs = [each.outputs.to_pylist() for each in rendered]
    texts = [part.to_pylist() for each in rendered for part in (each.inputs, each.outputs)]
    left = sorted(map(int, np.flatnonzero(made)), key=lambda row: crc32(repr([of[row] for of in texts]).encode()))
    seen: list[set[str | None]] = [set() for _ in rendered]
    chosen: list[int] = []
    while left and len(chosen) < count:
        news = [sum(of[row] not in had for of, had in zip(outputs, seen, strict=True)) for row in left]
        row = left.pop(max(range(len(left)), key=lambda place: (made[left[place]], news[place])))
        chosen.append(row)
        for of, had in zip(outputs, seen, strict=True):
            had.add(of[row])
    return sorted(chosen)


def _whole(
    task: InstructionTask, made: Rendered, columns: Columns, places: pa.Array, settings: Publishing
) -> ShownTask:
    layout = LAYOUTS[settings.layout]
    output = columns.output(task.output_field, task.list_output)
    inputs = {
        name: _texts(columns.input(name, output, layout.nested, layout.scalars).text, places)
        for name in task.input_fields
    }
    drawn = () if listed(task, settings) else _texts(options(task, columns, layout, settings.row_options).text, places)
    return ShownTask(task, made.instruction, inputs, _texts(made.outputs, places), drawn)


def _texts(column: pa.Array, places: pa.Array) -> Texts:
    return tuple(column.take(places).to_pylist())
