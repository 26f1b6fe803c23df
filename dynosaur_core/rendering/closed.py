"""Closed sets in a record: all labels listed in the instruction, or options drawn for each row."""

from __future__ import annotations

from zlib import crc32

import numpy as np
import pyarrow as pa

from dynosaur_core.models import ROW_COLUMN, SPLIT_COLUMN, InstructionTask, ListOutput
from dynosaur_core.rendering.columns import Column, Columns
from dynosaur_core.rendering.layout import Layout
from dynosaur_core.rendering.outputs import items
from dynosaur_core.rendering.values import UnrenderableError, quote
from dynosaur_core.settings import Publishing

_TOGETHER = (ListOutput.ALL, ListOutput.SEQUENCE)


def instruct(task: InstructionTask, settings: Publishing) -> str:
    """The instruction, with its allowed answers in the data's own order where they fit."""
    instruction = task.instruction.strip()
    if not task.labels or not listed(task, settings):
        return instruction
    stop = "" if instruction[-1:] in ".?!:" else "."
    lead = "The labels are" if task.list_output in _TOGETHER else "Answer with one of"
    return f"{instruction}{stop} {lead}: {_list(task)}."


def listed(task: InstructionTask, settings: Publishing) -> bool:
    """Whether all labels stand in the instruction."""
    return len(_list(task)) <= settings.max_listed_chars


def _list(task: InstructionTask) -> str:
    answers = _answers(task)
    return ", ".join(map(quote, answers) if any("," in answer for answer in answers) else answers)


def _answers(task: InstructionTask) -> tuple[str, ...]:
    """The labels as they are written."""
    words = dict(task.label_words)
    return tuple(words.get(label, label) for label in task.labels)


def options(task: InstructionTask, columns: Columns, layout: Layout, count: int) -> Column:
    """For every row `count` of the labels, all right ones among them, drawn by the row's place: the same in every
    growth. The right one stands at each place equally often."""
    known, words = _answers(task), dict(task.label_words)
    places = (columns.values(name).to_pylist() for name in (SPLIT_COLUMN, ROW_COLUMN))
    texts = []
    for value, split, row in zip(columns.values(task.output_field).to_pylist(), *places, strict=True):
        try:
            right = [text for text in dict.fromkeys(items(value, words) or ()) if text in known]
        except UnrenderableError:
            right = []  # the output's own reason is what the row is rejected for
        # the only generator of NumPy whose numbers stay the same from version to version
        drawn = np.random.RandomState(crc32(f"{split} {row} {task.task_id}".encode()))
        wrong = [label for label in known if label not in right]
        shown = right + [wrong[place] for place in drawn.permutation(len(wrong))[: max(count - len(right), 0)]]
        texts.append(layout.listed([shown[place] for place in drawn.permutation(len(shown))]))
    return Column(pa.array(texts, pa.string()), np.zeros(len(texts), dtype=bool), plain=False, whole=True)
