"""The checks in their order, and what differs between today's rules and those of 2023."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass

from dynosaur_core.filter import labels, reference
from dynosaur_core.filter.case import Case, Check
from dynosaur_core.filter.codes import CODES, words_for_labels
from dynosaur_core.filter.form import FORM
from dynosaur_core.filter.harmless import HARMLESS
from dynosaur_core.filter.lists import list_output
from dynosaur_core.filter.purpose import PURPOSE
from dynosaur_core.filter.relations import RELATIONS
from dynosaur_core.filter.specific import SPECIFIC, copied_example
from dynosaur_core.filter.values import VALUES
from dynosaur_core.models import ListOutput, TaskDesign
from dynosaur_core.reasons import Finding, Reason

CHECKS: tuple[tuple[Check, ...], ...] = (
    FORM,
    HARMLESS,
    (*PURPOSE, copied_example),
    VALUES + CODES + RELATIONS + SPECIFIC,
)
"""The checks in order. A group is asked only about designs that all groups before it let pass; the last reads rows."""

Key = tuple[Reason, Hashable]
_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True)
class Recipe:
    """What differs between today's rules and those of 2023."""

    cheap: Callable[[Case], list[Finding]]
    """Findings from wiring and wording."""
    rows: Callable[[Case], list[Finding]]
    """Findings from the rows."""
    labels: Callable[[Case], tuple[str, ...]]
    list_output: Callable[[Case], ListOutput | None]
    words: Callable[[Case], tuple[tuple[str, str], ...]]
    """Each label with the words that stand for it."""
    keys: Callable[[TaskDesign, int], tuple[Key, ...]]
    """What must not come twice within a subset, given the design and the number of its answer."""
    rejected_count: bool
    """Whether a rejected design, too, bars later ones with its keys."""


def _cheap(case: Case) -> list[Finding]:
    """The findings of the first group that has any."""
    for group in CHECKS[:-1]:
        if found := _findings(case, group):
            return found
    return []


def _reference_cheap(case: Case) -> list[Finding]:
    """The rules of 2023; what would do harm is not accepted by them either."""
    return reference.form_findings(case) or _findings(case, HARMLESS)


def _row_findings(case: Case) -> list[Finding]:
    """Findings from the rows; without enough rows the others would mean nothing."""
    first, *others = CHECKS[-1]
    return _findings(case, (first,)) or _findings(case, tuple(others))


def _findings(case: Case, checks: Iterable[Check]) -> list[Finding]:
    return [finding for check in checks if (finding := check(case)) is not None]


def _keys(design: TaskDesign, number: int) -> tuple[Key, ...]:
    """The same mapping, however its inputs are ordered; the same words, whatever their case and punctuation."""
    words = " ".join(_WORD.findall(design.instruction.casefold()))
    return (
        (Reason.DUPLICATE_MAPPING, (frozenset(design.input_fields), design.output_fields)),
        (Reason.DUPLICATE_INSTRUCTION, words),
    )


def _reference_keys(design: TaskDesign, number: int) -> tuple[Key, ...]:
    """The same instruction within one answer, the same record in any."""
    return (
        (Reason.DUPLICATE_INSTRUCTION, (number, design.instruction)),
        (Reason.DUPLICATE_MAPPING, (design.instruction, design.input_fields, design.output_fields)),
    )


RECIPES = {
    "default": Recipe(_cheap, _row_findings, labels.labels, list_output, words_for_labels, _keys, rejected_count=False),
    "reference": Recipe(
        _reference_cheap,
        reference.row_findings,
        reference.labels,
        lambda _: None,
        lambda _: (),
        _reference_keys,
        rejected_count=True,
    ),
}
