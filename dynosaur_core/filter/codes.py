"""Labels in words, and labels that are codes without a key."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import pyarrow.compute as pc

from dynosaur_core.filter.case import Case, Check
from dynosaur_core.filter.labels import MAX_LABEL_CHARS, labels
from dynosaur_core.filter.lists import list_output
from dynosaur_core.filter.wording import word_set
from dynosaur_core.models import FieldKind
from dynosaur_core.reasons import Finding, Reason

MAX_CODE_CHARS = 4
"""Characters of an abbreviation."""

_NUMBER = re.compile(r"-?\d+(?:\.0)?")
_NUMBERED = re.compile(r"(?:label|class|category|cluster|group|type)[ _-]?\d+", re.I)
# Words as short as a code. One of them in a set of labels, and the others are words too.
_SHORT_WORDS = word_set(
    """
    yes no true none both pos neg neu low mid high good bad fair poor ok easy hard old new more less same up down left
    fact fake real true spam ham joy sad fear love hate hope male man men he she it win won loss lost tie draw hot cold
    big tall long late past pro con for call buy sell hold hit miss pass fail safe news blog art tv war car food book
    """
)
# Wordings that say that the answers are codes, or that one of two answers is yes.
_KEYS = word_set(
    """
    letter code abbreviation acronym initial symbol tag option choice mark iso binary boolean bit
    whether if is are does do did was can has have should true correct
    """
)
# Wordings that ask for a number.
_SCALES = word_set(
    """
    number digit score rate rating scale grade level star degree many much count rank position index probability
    """
)


def label_words(case: Case) -> Finding | None:
    """The words for the labels of a closed set are not one for each, or not fit to be written."""
    known, given = labels(case), case.design.label_words
    if not known or not given:
        return None
    words = in_words(case)
    missing = [label for label in known if label not in words]
    names = {label.casefold() for label in known}
    unknown = [label for label, _ in given if label.casefold() not in names]
    unfit = [text for text in words.values() if not text.strip() or len(text) > MAX_LABEL_CHARS or not _one_line(text)]
    twice = [text for text, count in Counter(map(str.casefold, words.values())).items() if count > 1]
    moved = [label for label, text in words.items() if text != label and text.casefold() in names]
    for labels_, what in (
        (missing, "has no words"),
        (unknown, "is no label of the output"),
        (unfit, "is no short text"),
        (twice, "stands for several labels"),
        (moved, "has another label for its words"),
    ):
        if labels_:
            return Reason.LABEL_WORDS, f"{labels_[0]!r} {what}"
    return None


def in_words(case: Case) -> dict[str, str]:
    """Each label of the closed set with the words that the design has for it, in the labels' order.

    Designers write `true` for `True`: where no label is written exactly so, case does not matter.
    """
    exact = dict(case.design.label_words)
    folded = {label.casefold(): words for label, words in case.design.label_words}
    found = ((label, exact.get(label, folded.get(label.casefold()))) for label in labels(case))
    return {label: words for label, words in found if words is not None}


def words_for_labels(case: Case) -> tuple[tuple[str, str], ...]:
    """Those of an accepted task; none where they are the labels themselves."""
    words = tuple(in_words(case).items()) if case.design.label_words else ()
    return words if any(label != text for label, text in words) else ()


def coded_labels(case: Case) -> Finding | None:
    """The answers are numbers or abbreviations, and neither words nor the instruction say what they stand for."""
    known = labels(case)
    if len(known) < 2 or case.design.label_words or list_output(case) is not None:
        return None
    numbers = all(_NUMBER.fullmatch(label) for label in known)
    if numbers and not _are_classes(case, known):
        return None
    if not (numbers or all(_NUMBERED.fullmatch(label) for label in known) or _are_abbreviations(case, known)):
        return None
    keys = _KEYS | _SCALES if numbers else _KEYS
    if not keys.isdisjoint(case.instruction.words) or _explained(case, known) or _has_options(case):
        return None
    return Reason.CODED_LABELS, f"nothing says what {', '.join(known[:3])} stand for"


def _one_line(text: str) -> bool:
    return len(text.splitlines()) == 1


def _are_classes(case: Case, known: Sequence[str]) -> bool:
    """Numbers that are names: those of a ClassLabel, or 0 and 1. Others may be a scale."""
    return case.output.kind is FieldKind.LABEL or {label.removesuffix(".0") for label in known} == {"0", "1"}


def _are_abbreviations(case: Case, known: Sequence[str]) -> bool:
    """Short letters, none of which is a word of its own: by the table, or by the texts of the inputs."""
    if not all(label.isalpha() and label.isascii() and len(label) <= MAX_CODE_CHARS for label in known):
        return False
    if [label.upper() for label in known] == [chr(ord("A") + place) for place in range(len(known))]:
        return False  # the marks of options
    if not _SHORT_WORDS.isdisjoint(map(str.lower, known)):
        return False
    pattern = rf"(?i)\b(?:{'|'.join(label for label in known if len(label) > 1) or '0'})\b"
    return not any(
        pc.any(pc.match_substring_regex(case.rows.text(field.name), pattern)).as_py() for field in case.text_inputs
    )


def _explained(case: Case, known: Sequence[str]) -> bool:
    """The instruction names a label, or writes one out (`positive` for `pos`)."""
    tokens = case.instruction.tokens
    if not set(known).isdisjoint(tokens):
        return True
    codes = tuple(label.lower() for label in known if len(label) > 1 and label.isalpha())
    return any(token.lower().startswith(codes) for token in tokens)


def _has_options(case: Case) -> bool:
    """An input lists what the codes may mean, or several inputs are alternatives: `choice1`, `choice2`."""
    stems = Counter(re.sub(r"[\W_]*(?:\d+|[A-Ea-e])$", "", field.name) for field in case.inputs)
    alternatives = any(count > 1 for stem, count in stems.items() if stem)
    return alternatives or any(field.kind in (FieldKind.LIST, FieldKind.STRUCT) for field in case.inputs)


CODES: tuple[Check, ...] = (label_words, coded_labels)
