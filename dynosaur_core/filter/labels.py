"""The allowed answers of an accepted task, when its output is a closed set or a list of items of one."""

from __future__ import annotations

from collections.abc import Sequence

from dynosaur_core.filter.case import Case
from dynosaur_core.filter.lists import is_closed_list, list_output
from dynosaur_core.models import FieldKind, FieldSpec, ListOutput

ROWS_PER_LABEL = 5
"""Rows that each distinct value has on average before the values count as a closed set."""
MAX_LABEL_CHARS = 100
"""A longer value is a text and no label."""
MAX_TAGS = 60
"""Different tags of a sequence, at most."""


def labels(case: Case) -> tuple[str, ...]:
    """Label names in ClassLabel order; of other scalars the distinct values of all rows, sorted; () when open.

    Of a list it is the set of its items. Of ClassLabels, and of labels with words in the design, any number will do;
    otherwise `filtering.max_labels`, and of a sequence `MAX_TAGS`, is the most.
    """
    names = [str(name) for name in _known(case)]
    return tuple(names) if all(0 < len(name) <= MAX_LABEL_CHARS for name in names) else ()


def _known(case: Case) -> Sequence[object]:
    if named := _item(case.fields[case.output.name]).label_names:
        return named
    how = list_output(case)
    if how is not None:
        most = MAX_TAGS if how is ListOutput.SEQUENCE else case.settings.max_labels
        texts = _item(case.fields[case.output.name]).kind is FieldKind.TEXT and is_closed_list(case)
        found = case.rows.item_values(case.output.name) if texts else []
        return sorted(found) if len(found) <= most else ()
    return _values(case)


def _values(case: Case) -> Sequence[object]:
    """A small table is no closed set: each value must have been seen twice, and `ROWS_PER_LABEL` times on average.

    Where the design has words for every value, it is closed, however many there are.
    """
    counts = case.rows.counts(case.output.name)
    worded = {label.casefold() for label, _ in case.design.label_words}
    if worded and len(counts) <= len(worded):
        values = case.rows.values(case.output.name).to_pylist()
        if worded.issuperset(str(value).casefold() for value in values):
            return sorted(values)
    if not len(counts) or len(counts) > case.settings.max_labels or counts.min() < 2 or counts.mean() < ROWS_PER_LABEL:
        return ()
    return sorted(case.rows.values(case.output.name).to_pylist())


def _item(field: FieldSpec) -> FieldSpec:
    return field.children[0] if field.kind is FieldKind.LIST and field.children else field
