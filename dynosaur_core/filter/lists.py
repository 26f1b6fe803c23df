"""How a list is an output: one of several references, all of its items, or an item for each item of an input."""

from __future__ import annotations

import re

import numpy as np

from dynosaur_core.filter.case import Case
from dynosaur_core.filter.wording import word_set
from dynosaur_core.models import FieldKind, ListOutput
from dynosaur_core.reasons import Finding, Reason

ALONG = 0.98
"""Share of rows in which two lists have equally many items, from which on they run along."""
ITEMS_PER_VALUE = 10
"""Items that each distinct one has on average before they count as a closed set: tags, not answers."""

# Wordings that ask for several things.
_SEVERAL = word_set(
    """
    all each every list several multiple various both two three four five six seven eight nine ten alternatives
    """
)
_NUMBER = re.compile(r"\b(?:[2-9]|1\d)\b")


def list_output(case: Case) -> ListOutput | None:
    """How the output is written: as its designer said, else as the rows and the instruction let one think; None where
    no row has several items."""
    items = case.rows.items(case.output.name)
    if items is None or not (items > 1).any():
        return None
    if case.design.list_output is not None:
        return case.design.list_output
    if _runs_along(case):
        return ListOutput.SEQUENCE
    field = case.fields[case.output.name]
    if field.kind is FieldKind.STRUCT:
        return ListOutput.REFERENCES  # answers, and where they stand
    if field.children and field.children[0].kind is FieldKind.STRUCT:
        return ListOutput.ALL  # the turns of a dialogue, and other things of several parts
    if case.instruction.words & _SEVERAL or _NUMBER.search(case.instruction.text) or is_closed_list(case):
        return ListOutput.ALL
    return ListOutput.REFERENCES


def no_sequence(case: Case) -> Finding | None:
    """The designer says that the list runs along with an input, and it does not."""
    if case.design.list_output is not ListOutput.SEQUENCE or list_output(case) is None or _runs_along(case):
        return None
    return Reason.MISMATCH, f"{case.output.name} has no item for each item of an input"


def _runs_along(case: Case) -> bool:
    mine = case.rows.items(case.output.name)
    for field in case.inputs:
        theirs = case.rows.items(field.name)
        if mine is None or theirs is None:
            continue
        both = (mine >= 0) & (theirs >= 0)
        if both.any() and float(np.mean(mine[both] == theirs[both])) >= ALONG:
            return True
    return False


def is_closed_list(case: Case) -> bool:
    """Few different items come again and again."""
    count, distinct = case.rows.item_counts(case.output.name)
    return count >= ITEMS_PER_VALUE * distinct
