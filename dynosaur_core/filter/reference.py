"""The filter and task rules of 2023 (Yin et al., arXiv 2305.14327), for comparison: faults kept, order made firm."""

from __future__ import annotations

from collections import Counter

from dynosaur_core.filter.case import TEXT_LIKE, Case
from dynosaur_core.filter.form import empty_instruction, malformed, overlap, unknown_field
from dynosaur_core.reasons import Finding, Reason

FIRST_ROWS = 100
MAX_LABELS = 10
MAX_LABEL_CHARS = 15
MOST_OF_TWO = 70
"""Rows that one of two answers may have; a count, whatever the number of rows."""
MOST_OF_MORE = 50


def form_findings(case: Case) -> list[Finding]:
    """Unparsable, no output, unknown fields, overlap, nested output. Of several outputs the first one counts."""
    found = [finding for check in (malformed, empty_instruction, unknown_field, overlap) if (finding := check(case))]
    if not case.design.output_fields:
        found.append((Reason.NO_OUTPUT, "no output field is named"))
    elif not found and case.fields[case.output.name].kind not in TEXT_LIKE:
        found.append((Reason.OUTPUT_NOT_TEXT, f"{case.output.name} ({case.output.type})"))
    return found


def row_findings(case: Case) -> list[Finding]:
    """Over the first 100 rows: none without output, and few answers must not be too uneven."""
    values = case.rows.column(case.output.name).slice(0, FIRST_ROWS).to_pylist()
    if any(value is None for value in values):
        return [(Reason.OUTPUT_NOT_TEXT, "a row of the first 100 has no output")]
    counts = Counter(values)
    most = max(counts.values(), default=0)
    if len(counts) <= 1:
        return [(Reason.CONSTANT_OUTPUT, "the first 100 rows have one answer")]
    allowed = MOST_OF_TWO if len(counts) == 2 else MOST_OF_MORE
    if len(counts) <= MAX_LABELS and most > allowed:
        return [(Reason.IMBALANCED, f"{most} of the first 100 rows have one answer")]
    return []


def labels(case: Case) -> tuple[str, ...]:
    """At most ten distinct answers of the first 100 rows, each of at most 15 characters, as they first appear."""
    values = case.rows.column(case.output.name).slice(0, FIRST_ROWS).to_pylist()
    names = tuple(dict.fromkeys(str(value) for value in values))
    return names if len(names) <= MAX_LABELS and all(len(name) <= MAX_LABEL_CHARS for name in names) else ()
