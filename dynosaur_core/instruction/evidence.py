"""What a subset's fields and rows show of themselves: what the rule-based designer goes by."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from functools import cached_property
from statistics import fmean
from typing import Any

import pyarrow as pa

from dynosaur_core.models import FieldKind, FieldSpec

_ROWS = 200
"""Rows that are looked at; more would not change the picture."""
_MAX_LABELS, _MAX_LABEL_CHARS, _MAX_LABEL_SHARE = 20, 40, 1 / 3
"""A text column with at most that many distinct values, so short, over so large a share of its rows, is a label."""


def plain(name: str) -> str:
    """A name without what writers of names vary: `Answer_Key` and `answerKey` are `answerkey`."""
    return re.sub(r"[\W_]+", "", name.lower())


class Column:
    """One field with its values (nulls and blank texts left out)."""

    def __init__(self, spec: FieldSpec, values: list[Any]) -> None:
        self.spec = spec
        self.name = spec.name
        self.plain_name = plain(spec.name)
        self.values = [value for value in values if value is not None and not _blank(value)]

    @cached_property
    def distinct(self) -> list[str]:
        """The values' texts, each once, in the order of the rows."""
        return list(dict.fromkeys(map(str, self.values)))

    @cached_property
    def numbers(self) -> list[float]:
        """The values of a column of numbers, some of which are texts, as they are written in their file."""
        numbers = map(float, self.values) if self.spec.kind in (FieldKind.FLOAT, FieldKind.INTEGER) else ()
        return [number for number in numbers if math.isfinite(number)]

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """Label names in their own order; for a text column with few short values those, sorted; else none."""
        if self.spec.kind is FieldKind.LABEL:
            return self.spec.label_names
        few = 2 <= len(self.distinct) <= min(_MAX_LABELS, len(self.values) * _MAX_LABEL_SHARE)
        if self.spec.kind is FieldKind.TEXT and few and max(map(len, self.distinct)) <= _MAX_LABEL_CHARS:
            return tuple(sorted(self.distinct))
        return ()

    @cached_property
    def texts(self) -> list[str]:
        """One text per value: a text itself, the turns of a list, the first text of nested answers."""
        return [_text(value) for value in self.values]

    @cached_property
    def words(self) -> float:
        """Mean number of words of a value."""
        return fmean([len(text.split()) for text in self.texts] or [0])

    @cached_property
    def says_nothing(self) -> bool:
        """A constant, or a key: one token a row, all different."""
        keys = self.spec.kind is FieldKind.TEXT and not any(" " in text for text in self.distinct)
        return len(self.distinct) <= 1 or (keys and len(self.distinct) == len(self.values))


def columns(fields: tuple[FieldSpec, ...], rows: pa.Table) -> list[Column]:
    """The fields that `rows` holds, in their order."""
    head = rows.slice(0, rows.num_rows)
    if rows.num_rows > _ROWS:  # spread, as rows are often sorted
        head = rows.take(pa.array([index * rows.num_rows // _ROWS for index in range(_ROWS)]))
    present = set(rows.column_names)
    return [Column(spec, head.column(spec.name).to_pylist()) for spec in fields if spec.name in present]


def share(texts: list[str], holds: Callable[[str], object]) -> float:
    """The share of `texts` for which `holds` is true; 0 of none."""
    return sum(bool(holds(text)) for text in texts) / len(texts) if texts else 0.0


def _blank(value: Any) -> bool:
    return isinstance(value, str | list | dict) and not (value.strip() if isinstance(value, str) else value)


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return _text(value.get("text", ""))
    if isinstance(value, list):
        return " ".join(map(_text, value))
    return str(value)
