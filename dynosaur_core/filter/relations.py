"""Checks of what the rows relate: does the input determine the output, is it the relation that is asked for?"""

from __future__ import annotations

import re

import numpy as np
import pyarrow.compute as pc

from dynosaur_core.evidence import Codes
from dynosaur_core.filter.case import CLOSED, NUMBERS, Case, Check
from dynosaur_core.filter.values import NAMES
from dynosaur_core.filter.wording import TEXT_NOUNS, field_words, word_set
from dynosaur_core.models import FieldKind, FieldSpec
from dynosaur_core.reasons import Finding, Reason

RECORD_WORDS = frozenset[str]().union(*NAMES.values())
UNDECIDED = 0.5
"""Share of repeated inputs with several answers from which on the inputs do not determine the output."""
DECIDED_ELSEWHERE = 0.25
"""The same, where another field decides: then even fewer are no noise of annotators."""
SETTLED = 0.1
"""Share that may remain with that other field."""
TEXTS_PER_CLASS = 4
"""Different texts that a class has on average, from which on it does not tell which."""
OFTEN = 0.2
"""Share of the rows that must have such inputs."""

_OPTIONS_NAME = re.compile(r"choice|option|answer|candidate|alternative|ending|distractor")
_YES_NO = re.compile(r"\bwhether\b|\bor not\b|^(?:is|are|does|do|did|can|has|have|was|were)\b")
_DEGREE = re.compile(r"\b(?:how|scale|scor\w+|rat(?:e|ing)|degree|extent|probability|likelihood|confidence)\b")
_SINGULAR = re.compile(
    r"\b(?:an?|one|a single)\s+(?:\w+\s+){0,2}(sentence|question|word|phrase|title|headline|term)\b(?!\s+or\b)"
)
# Wordings that ask for a text to be made up.
_MAKES = word_set(
    """
    write create compose generate produce make give provide construct develop invent formulate design draft imagine
    craft devise come think say ask tell express phrase suggest fill complete pose example
    """
)
# Wordings that compare two texts.
_PAIR = re.compile(
    r"\b(?:given|between|whether|if|of|do|are|read|compare|in)\s+(?:the\s+|these\s+|both\s+)?"
    r"(?:two|2|both|pairs? of|(?:a|the) pair of)\s+(\w+)"
)
_OTHER = re.compile(r"\b(?:the|an)\s?other\s+(sentence|question|text|one|statement|passage)\b")
_COMPARED = re.compile(r"\b(?:paraphras\w+|entail\w*|contradicts?|duplicates?|equivalent|similarity|relatedness)\b")


def meaningless_source(case: Case) -> Finding | None:
    """A text is asked from numbers, bare letters or flags, which many unlike rows share."""
    if case.output.kind is not FieldKind.TEXT or case.rows.distinct(case.output.name) < 20:
        return None
    if not all(_says_nothing(case, field) for field in case.inputs):
        return None
    return Reason.NOT_DERIVABLE, f"{', '.join(case.design.input_fields)} cannot tell {case.output.name}"


def unasked_text(case: Case) -> Finding | None:
    """From a class alone a text can only be made up: then the instruction has to ask for that."""
    if case.output.kind is not FieldKind.TEXT or case.instruction.words & _MAKES:
        return None
    classes = [field for field in case.inputs if not _says_nothing(case, field)]
    if not classes or not all(_is_class(case, field) for field in classes):
        return None
    told = case.rows.joint(tuple(field.name for field in classes))
    if case.rows.distinct(case.output.name) < max(8, TEXTS_PER_CLASS * len(np.unique(told[told >= 0]))):
        return None
    return Reason.NOT_DERIVABLE, f"{', '.join(case.design.input_fields)} cannot tell {case.output.name}"


def _is_class(case: Case, field: FieldSpec) -> bool:
    """A label, or a column of a few words that come again and again."""
    if field.kind is not FieldKind.TEXT:
        return field.kind is FieldKind.LABEL
    few = case.rows.distinct(field.name) * TEXTS_PER_CLASS <= case.rows.rows
    return few and case.rows.median_words(field.name) <= 3


def _says_nothing(case: Case, field: FieldSpec) -> bool:
    if field.kind in NUMBERS | {FieldKind.TIME, FieldKind.BOOLEAN}:
        return True
    if field.kind is FieldKind.TEXT and case.rows.scalar(field.name):
        # Bare numbers or letters, whatever the type of their column.
        return case.rows.share_matching(field.name, r"\s*(?:[-+]?\d+(?:\.\d+)?|[A-Ha-h])\s*") >= 0.95
    names = [] if field.kind is not FieldKind.LABEL else case.rows.values(field.name).to_pylist()
    return bool(names) and all(name.isdigit() or (len(name) < 2 and name.isascii()) for name in names)


def missing_partner(case: Case) -> Finding | None:
    """It compares two texts and is given one."""
    if len(case.inputs) != 1 or len(case.text_inputs) != 1 or case.output.kind is FieldKind.TEXT:
        return None
    only, text = case.inputs[0].name, case.instruction.lower
    partner = any(field.kind is FieldKind.TEXT for field in case.others)
    pair = _PAIR.search(text)
    if pair and (pair[1].rstrip("s") in field_words(only) or (partner and pair[1].rstrip("s") in TEXT_NOUNS)):
        return Reason.MISSING_INPUT, f"it compares {pair[0]}, the only input is {only}"
    if partner and _OTHER.search(text):
        return Reason.MISSING_INPUT, f"it compares with another text, the only input is {only}"
    if partner and case.output.kind in CLOSED | NUMBERS and _COMPARED.search(text):
        return Reason.MISSING_INPUT, f"it judges a relation, the only input is {only}"
    return None


def conflicting_rows(case: Case) -> Finding | None:
    """Equal inputs have different answers: something else decides."""
    kinds = case.rows.distinct(case.output.name)
    if case.output.kind is FieldKind.TEXT and kinds * 5 > case.rows.rows:
        return None  # many texts may answer the same input
    inputs = case.rows.joint(case.design.input_fields)
    share, groups, rows = _conflicts(inputs, case.rows.codes(case.output.name))
    if groups < 10 or share < DECIDED_ELSEWHERE:
        return None
    for field in case.others:
        if field_words(field.name)[-1] in RECORD_WORDS or field.name in _other_forms(case):
            continue  # annotators differ, and the output in another form is no input either
        if field.kind is FieldKind.TEXT and case.rows.distinct(field.name) < case.rows.rows * 0.95:
            more = case.rows.joint((*case.design.input_fields, field.name))
            if _conflicts(more, case.rows.codes(case.output.name))[0] < SETTLED:
                return Reason.MISSING_INPUT, f"rows with equal inputs differ in {case.output.name} by {field.name}"
    if share < UNDECIDED or rows < OFTEN * case.rows.rows:
        return None  # a few rows that came twice are an annotator's second thoughts
    return Reason.NOT_DERIVABLE, f"{share:.0%} of equal inputs have different {case.output.name}"


def _other_forms(case: Case) -> set[str]:
    """Fields that hold the output, or a finer class of it."""
    facts = case.subset.fact(case.output.name)
    same = {other.name for other in case.subset.facts if other.same_as == facts.name}
    return same | {*facts.determined_by} | ({facts.same_as} if facts.same_as else set())


def _conflicts(inputs: Codes, outputs: Codes) -> tuple[float, int, int]:
    """Of the inputs that several rows have: the share with several outputs, how many they are, and in how many rows."""
    held = (inputs >= 0) & (outputs >= 0)
    keys, sizes = np.unique(inputs[held], return_counts=True)
    repeated = keys[sizes > 1]
    if not len(repeated):
        return 0.0, 0, 0
    pairs = np.unique(np.stack([inputs[held], outputs[held]]), axis=1)[0]
    different = np.unique(pairs, return_counts=True)
    several = different[0][different[1] > 1]
    return len(np.intersect1d(repeated, several)) / len(repeated), len(repeated), int(sizes[sizes > 1].sum())


def wrong_form(case: Case) -> Finding | None:
    """A yes or no is asked and the rows hold degrees; one sentence is asked and they hold pages."""
    output = case.output
    text = case.instruction.lower
    degrees = output.kind is FieldKind.FLOAT and case.rows.distinct(output.name) >= 5
    if degrees and _YES_NO.search(text) and not _DEGREE.search(text):
        return Reason.MISMATCH, f"it asks for yes or no, {output.name} has degrees"
    if (
        output.kind is FieldKind.TEXT
        and (wanted := _SINGULAR.search(case.instruction.asked))
        and case.rows.median_words(output.name) >= 100
    ):
        texts = case.rows.text(output.name).slice(0, 200)
        sentences = pc.count_substring_regex(texts, r"[.!?\n](?:\s|$)").to_numpy(zero_copy_only=False)
        if float(np.median(sentences)) >= 8:
            return Reason.MISMATCH, f"it asks for one {wanted[1]}, {output.name} holds whole texts"
    return None


def missing_choices(case: Case) -> Finding | None:
    """The answers are letters or numbers of options that are not among the inputs."""
    if case.output.kind not in {FieldKind.LABEL, FieldKind.INTEGER, FieldKind.TEXT}:
        return None
    kinds = case.rows.distinct(case.output.name)
    if not 2 <= kinds <= 10 or any(field.kind is FieldKind.LIST for field in case.inputs):
        return None
    values = [str(value) for value in case.rows.values(case.output.name).to_pylist()]
    letters = all(re.fullmatch(r"[A-J]|\(?[A-Ja-j]\)", value) for value in values)
    if not letters and not all(re.fullmatch(r"\d", value) for value in values):
        return None
    for field in case.others:
        if not letters and not _OPTIONS_NAME.search(field.name.lower()):
            continue  # numbers may be classes; letters are marks
        if field.kind is FieldKind.LIST and field.children and field.children[0].kind is FieldKind.TEXT:
            lengths = pc.list_value_length(case.rows.column(field.name)).drop_null()
            if len(lengths) and kinds <= pc.max(lengths).as_py() <= 10 and pc.min(lengths).as_py() >= 2:
                return Reason.MISSING_INPUT, f"the answers point into {field.name}, which is not among the inputs"
    return None


RELATIONS: tuple[Check, ...] = (
    missing_choices,
    meaningless_source,
    unasked_text,
    wrong_form,
    missing_partner,
    conflicting_rows,
)
