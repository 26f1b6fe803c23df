"""Inputs cut to a size: the longest first, at words' ends, and never what a cut would spoil."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dynosaur_core.rendering.columns import Column
from dynosaur_core.rendering.layout import Layout, Writer
from dynosaur_core.rendering.values import cut

MIN_PART = 16
"""Characters that a shortened input keeps at least; a row that needs less is rejected."""


def shorten(
    columns: Sequence[Column],
    writers: Sequence[Writer],
    layout: Layout,
    rows: npt.NDArray[np.intp],
    size: int,
) -> list[str | None]:
    """Inputs of `rows` in at most `size` characters, one writer a column; None where that leaves too little."""
    texts = [column.text.take(pa.array(rows)).to_pylist() for column in columns]
    whole = [column.whole for column in columns]
    return [_shorten_row(each, whole, writers, layout, size) for each in zip(*texts, strict=True)]


def _shorten_row(
    texts: Sequence[str],
    whole: Sequence[bool],
    writers: Sequence[Writer],
    layout: Layout,
    size: int,
) -> str | None:
    # what is cut away anyway needs no room for its quotes
    texts = [text if fixed else cut(text, size) for text, fixed in zip(texts, whole, strict=True)]
    parts = [writer.write(text) for writer, text in zip(writers, texts, strict=True)]
    cuttable = [len(text) for text, fixed in zip(texts, whole, strict=True) if not fixed]
    limit = level(sorted(cuttable), size - len(layout.row(parts)) + sum(cuttable))
    if limit < MIN_PART:
        return None
    kept = [text if fixed else cut(text, limit) for text, fixed in zip(texts, whole, strict=True)]
    found = layout.row([writer.write(text) for writer, text in zip(writers, kept, strict=True)])
    return found if len(found) <= size else None


def level(lengths: list[int], room: int) -> int:
    """The largest limit with `sum(min(length, limit)) <= room`; `lengths` ascend. Only the longest are cut by it."""
    for position, length in enumerate(lengths):
        share = room // (len(lengths) - position)
        if share < length:
            return share
        room -= length
    return lengths[-1] if lengths else 0
