"""The allowed answers of an accepted task, when its output is a closed set."""

from __future__ import annotations

from dynosaur_core.filter.case import Case
from dynosaur_core.filter.lists import list_output
from dynosaur_core.models import FieldKind
from dynosaur_core.settings import Filtering

ROWS_PER_LABEL = 5
"""Rows that each distinct value has on average before the values count as a closed set."""


def labels(case: Case) -> tuple[str, ...]:
    """Label names in ClassLabel order; of other scalars the distinct values of all rows, sorted; () when open.

    A small table is no closed set: each value must have been seen twice, and `ROWS_PER_LABEL` times on average.
    """
    output, rows, settings = case.output, case.rows, case.settings
    if list_output(case) is not None:
        return ()
    if output.kind is FieldKind.LABEL:
        return _short(output.label_names, settings)
    counts = rows.counts(output.name)
    if not len(counts) or len(counts) > settings.max_labels or counts.min() < 2 or counts.mean() < ROWS_PER_LABEL:
        return ()
    values = rows.values(output.name).to_pylist()
    return _short(tuple(str(value) for value in sorted(values)), settings)


def _short(names: tuple[str, ...], settings: Filtering) -> tuple[str, ...]:
    listable = len(names) <= settings.max_labels and all(0 < len(name) <= settings.max_label_chars for name in names)
    return names if listable else ()
