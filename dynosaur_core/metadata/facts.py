"""Facts of the fields: what the sampled rows tell of each, worked out once, column by column."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dynosaur_core.evidence import Evidence
from dynosaur_core.models import FieldFacts, FieldKind, FieldSpec, Shape, Span
from dynosaur_core.reading.lists import is_list

ROWS_PER_VALUE = 5
"""Rows that each value has on average before the values count as a closed set; each must come twice at least."""
ITEMS_PER_VALUE = 10
"""The same for the items of lists."""
MAX_VALUES = 200
MAX_VALUE_CHARS = 100
ALIKE = 0.98
"""Share of the rows from which on something is said of all."""
SHAPE_SHARE = 0.8
_SHAPES = {
    Shape.URL: r"(?:https?|ftp|s3|gs)://\S+|www\.\S+",
    Shape.PATH: r"(?:[\w.@+~-]*[\\/])+[\w.@+~ -]*\.\w{1,8}|/(?:[\w.@+-]+/)+[\w.@+-]*",
    Shape.HASH: r"(?:(?=.*[a-f])(?=.*\d)[0-9a-f]{16,}|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})",
    Shape.TIME: r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}[T ]\d{1,2}:\d{2}.*|\d{10}(?:\d{3})?(?:\.\d+)?",
    Shape.DATE: r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}",
    Shape.NUMBER: r"\s*[-+]?\d+(?:[.,]\d+)*%?\s*",
    Shape.CODE: r"(?s)(?=.*(?:[;{}]|:\n|\)\s*\n))(?=.*\w+\().*\n.*",
}
"""What a value of each shape looks like; the first that holds of nearly all counts."""
_ID_ROWS = 20
"""Fewer rows do not show that no value comes twice."""


def field_facts(fields: Sequence[FieldSpec], table: pa.Table | Evidence) -> tuple[FieldFacts, ...]:
    """One for each of `fields` (with dotted names, as `Subset.every_field`), in their order; `table` has their rows."""
    evidence = table if isinstance(table, Evidence) else Evidence(table)
    found: list[FieldFacts] = []
    for field in fields:
        alone = _alone(field, evidence)
        earlier = {other.name: other for other in found}
        found.append(alone.model_copy(update=_beside(alone, earlier, evidence)))
    return tuple(each.model_copy(update={"determined_by": _deciding(each, found, evidence)}) for each in found)


def _alone(field: FieldSpec, evidence: Evidence) -> FieldFacts:
    """What a field's own column tells."""
    name = field.name
    if not evidence.has(name) or not evidence.rows:
        return FieldFacts(name=name)
    array = evidence.column(name)
    known: dict[str, Any] = {"empty": round(1 - float(evidence.filled(name).mean()), 3)}
    if is_list(array.type):
        known |= _of_lists(field, array, evidence.filled(name))
    elif not pa.types.is_nested(array.type):
        known |= {"distinct": evidence.distinct(name), "values": _closed(field, evidence)}
        known["shape"] = _shape(field, evidence)
        known["numbers"] = _span(array) if field.kind in (FieldKind.INTEGER, FieldKind.FLOAT) else None
    if field.kind is FieldKind.TEXT:
        known["words"] = _words(evidence.text(name).filter(pa.array(evidence.filled(name))))
    return FieldFacts(name=name, **known)


def _of_lists(field: FieldSpec, array: pa.Array, filled: Any) -> dict[str, Any]:
    items = pc.list_flatten(array)
    known: dict[str, Any] = {"items": _span(pc.list_value_length(array.filter(pa.array(filled))))}
    if pa.types.is_nested(items.type) or pa.types.is_null(items.type):
        return known
    distinct = pc.unique(items).drop_null()
    if names := field.children[0].label_names if field.children else ():
        known["values"] = names
    elif len(distinct) * ITEMS_PER_VALUE <= len(items):
        known["values"] = _short(sorted(map(str, distinct.to_pylist())))
    if pa.types.is_string(items.type):
        known["words"] = _words(items.drop_null())
    return known


def _closed(field: FieldSpec, evidence: Evidence) -> tuple[str, ...]:
    """All values of a closed set, in the label's own order, else sorted; () where it is open."""
    if field.kind is FieldKind.LABEL:
        return field.label_names
    counts = evidence.counts(field.name)
    if not len(counts) or len(counts) > MAX_VALUES or counts.min() < 2 or counts.mean() < ROWS_PER_VALUE:
        return ()
    return _short([str(value) for value in sorted(evidence.values(field.name).to_pylist())])


def _short(values: list[str]) -> tuple[str, ...]:
    fits = len(values) <= MAX_VALUES and all(0 < len(value) <= MAX_VALUE_CHARS for value in values)
    return tuple(values) if fits else ()


def _shape(field: FieldSpec, evidence: Evidence) -> Shape | None:
    name = field.name
    if field.kind is FieldKind.TIME:
        return Shape.DATE if field.type.startswith("date") else Shape.TIME
    unique = evidence.rows >= _ID_ROWS and evidence.distinct(name) == int((evidence.codes(name) >= 0).sum())
    if field.kind is FieldKind.INTEGER:
        return Shape.ID if unique and _rises(evidence.column(name)) else None
    if field.kind is not FieldKind.TEXT or not evidence.distinct(name):
        return None
    for shape, pattern in _SHAPES.items():
        if evidence.share_matching(name, pattern) >= SHAPE_SHARE:
            return shape
    return Shape.ID if unique and evidence.share_matching(name, r"(?=.*\d)[\w.:/#@-]+") >= ALIKE else None


def _rises(array: pa.Array) -> bool:
    """Numbers that only go up from row to row."""
    values = array.drop_null().to_numpy(zero_copy_only=False).astype(np.float64)
    return len(values) >= _ID_ROWS and float(np.mean(np.diff(values) > 0)) >= ALIKE


def _words(texts: pa.Array) -> Span | None:
    return _span(pc.add(pc.count_substring(pc.utf8_trim_whitespace(texts), " "), 1))


def _span(array: pa.Array) -> Span | None:
    numbers = array.drop_null().cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    numbers = numbers[np.isfinite(numbers)]
    if not len(numbers):
        return None
    least, median, most = (float(f"{number:.6g}") for number in (numbers.min(), np.median(numbers), numbers.max()))
    return Span(least=least, median=median, most=most)


def _beside(field: FieldFacts, earlier: dict[str, FieldFacts], evidence: Evidence) -> dict[str, str | None]:
    """What it has in common with the fields before it."""
    return {
        "along": next((name for name, other in earlier.items() if _along(field, other, evidence)), None),
        "same_as": next((name for name, other in earlier.items() if _same(field, other, evidence)), None),
    }


def _along(field: FieldFacts, other: FieldFacts, evidence: Evidence) -> bool:
    """Two lists of one length in every row; lists that are all of one length say nothing."""
    if not field.items or not other.items or field.items.least == field.items.most:
        return False
    mine, theirs = evidence.items(field.name), evidence.items(other.name)
    if mine is None or theirs is None:
        return False
    both = (mine >= 0) & (theirs >= 0)
    return bool(both.any()) and float(np.mean(mine[both] == theirs[both])) >= ALIKE


def _same(field: FieldFacts, other: FieldFacts, evidence: Evidence) -> bool:
    """The same values in every row, or the same few classes by other names."""
    if field.distinct < 2 or field.distinct != other.distinct or field.empty != other.empty:
        return False
    one, two = evidence.codes(field.name), evidence.codes(other.name)
    if not np.array_equal(one < 0, two < 0):
        return False
    if field.distinct * ROWS_PER_VALUE <= evidence.rows:  # few classes, each seen often: one to one is no chance
        return _pairs(one, two) == field.distinct
    texts = (pc.utf8_trim_whitespace(evidence.text(name)) for name in (field.name, other.name))
    return float(pc.mean(pc.equal(*texts)).as_py() or 0) >= ALIKE


def _deciding(field: FieldFacts, every: list[FieldFacts], evidence: Evidence) -> tuple[str, ...]:
    """Finer closed sets each of which alone decides this one: `city` decides `country`."""
    if len(field.values) < 2 or not field.distinct or field.empty:
        return ()
    mine = evidence.codes(field.name)
    return tuple(
        other.name
        for other in every
        if other.distinct > field.distinct
        and other.values
        and not other.empty
        and _pairs(mine, evidence.codes(other.name)) == other.distinct
    )


def _pairs(one: Any, two: Any) -> int:
    """Different pairs of values over all rows."""
    width = int(two.max(initial=0)) + 2
    return len(np.unique(one * width + two + 1))
