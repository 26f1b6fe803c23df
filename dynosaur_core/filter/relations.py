"""Checks of what the rows relate: does the input determine the output, is it the relation that is asked for?"""

from __future__ import annotations

import re

import numpy as np
import pyarrow.compute as pc

from dynosaur_core.evidence import Codes
from dynosaur_core.filter.case import NUMBERS, Case, Check
from dynosaur_core.filter.values import NAMES
from dynosaur_core.filter.wording import field_words, word_set
from dynosaur_core.models import FieldKind, FieldSpec
from dynosaur_core.reasons import Finding, Reason

VERDICT = frozenset({FieldKind.LABEL, FieldKind.BOOLEAN, FieldKind.TEXT})

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

# Wordings that ask for one relation between two texts.
_RELATION = re.compile(
    r"\b(?:entail\w*|contradict\w*|paraphras\w*|re-?(?:phras|word|stat)\w*|equivalen\w*|duplicat\w*|"
    r"counterfact\w*|dissimilar\w*|unrelated|opposite|neutral|consistent with|follows?|"
    r"(?:means?|meaning|asks?|says?) the same|(?:same|similar|different) meaning|"
    r"(?:keep|preserv|retain)\w* (?:the |its )?meaning|different wording|other words)\b"
)
_SIMILAR = re.compile(r"\b(?:similar|alike)\b")
# Wordings that ask for the right one among several.
_RIGHT = re.compile(r"\b(?:answers?|correct\w*|right|true|plausibl\w*|valid|relevant)\b")
# Names of classes, and of columns, that tell how two texts relate.
_RELATION_CLASS = re.compile(r"entail|contradict|equivalen|duplicat|paraphras|similar|relat|same|match|implied")
_SCORE_NAME = word_set("score similarity similar relatedness label gold judgment judgement")
_VERDICT_NAME = word_set("label correct gold relevance relevant judgment judgement correctness")
_NEGATIVE_VERDICTS = word_set("0 no false incorrect wrong invalid")
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
_DOCUMENTS = word_set("article document passage paragraph context story chapter page")


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
        if field_words(field.name)[-1] in RECORD_WORDS:
            continue  # annotators differ; that is no input
        if field.kind is FieldKind.TEXT and case.rows.distinct(field.name) < case.rows.rows * 0.95:
            more = case.rows.joint((*case.design.input_fields, field.name))
            if _conflicts(more, case.rows.codes(case.output.name))[0] < SETTLED:
                return Reason.MISSING_INPUT, f"rows with equal inputs differ in {case.output.name} by {field.name}"
    if share < UNDECIDED or rows < OFTEN * case.rows.rows:
        return None  # a few rows that came twice are an annotator's second thoughts
    return Reason.NOT_DERIVABLE, f"{share:.0%} of equal inputs have different {case.output.name}"


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


def mixed_relation(case: Case) -> Finding | None:
    """One relation is asked for between two texts, while an unused column says that the pairs are of several."""
    if case.output.kind is not FieldKind.TEXT or not case.text_inputs:
        return None
    if any(_tells_relation(case, field) for field in case.inputs):
        return None
    text = case.instruction.lower
    if _RELATION.search(text) or (_SIMILAR.search(text) and not _share_words(case)):
        for field in case.others:
            if _tells_relation(case, field):
                return Reason.MISMATCH, f"the pairs are of several kinds: see {field.name}"
    if _RIGHT.search(text):
        for field in case.others:
            if _is_verdict(case, field) and (_splits_inputs(case, field) or _mostly_wrong(case, field)):
                return Reason.MISMATCH, f"the outputs are right and wrong ones: see {field.name}"
    return None


def _tells_relation(case: Case, field: FieldSpec) -> bool:
    if not case.rows.scalar(field.name):
        return False
    kinds, named = case.rows.distinct(field.name), bool(_SCORE_NAME & set(field_words(field.name)))
    if field.kind in NUMBERS and kinds > 2:
        return named and _spread(case, field)
    if field.kind not in VERDICT | {FieldKind.INTEGER} or not 2 <= kinds <= 10:
        return False
    names = [str(name).lower() for name in case.rows.values(field.name).to_pylist()]
    return any(_RELATION_CLASS.search(name) for name in names) or (
        _mixed(case, field) and (named or bool(_RELATION_CLASS.search(field.name.lower()))) and _is_verdict(case, field)
    )


def _mixed(case: Case, field: FieldSpec) -> bool:
    counts = case.rows.counts(field.name)
    return bool(counts.max() < 0.9 * counts.sum())


def _spread(case: Case, field: FieldSpec) -> bool:
    """A fifth of the scores or more lies in the lower half of their range."""
    values = case.rows.column(field.name).drop_null().to_numpy(zero_copy_only=False).astype(np.float64)
    return len(values) > 0 and float(np.mean(values < (values.min() + values.max()) / 2)) >= 0.2


def _is_verdict(case: Case, field: FieldSpec) -> bool:
    """Two values such as 0 and 1, no and yes, incorrect and correct."""
    if (
        not case.rows.scalar(field.name)
        or case.rows.distinct(field.name) != 2
        or field.kind not in VERDICT | {FieldKind.INTEGER}
    ):
        return False
    names = {str(name).lower() for name in case.rows.values(field.name).to_pylist()}
    return names <= {
        "0",
        "1",
        "no",
        "yes",
        "true",
        "false",
        "incorrect",
        "correct",
        "wrong",
        "right",
        "invalid",
        "valid",
    }


def _splits_inputs(case: Case, field: FieldSpec) -> bool:
    share, groups, _ = _conflicts(case.rows.joint(case.design.input_fields), case.rows.codes(field.name))
    return groups >= 5 and share >= 0.2


def _mostly_wrong(case: Case, field: FieldSpec) -> bool:
    """A verdict by name, which is negative in half of the rows or more."""
    if not _VERDICT_NAME & set(field_words(field.name)):
        return False
    counts = zip(case.rows.values(field.name).to_pylist(), case.rows.counts(field.name).tolist(), strict=True)
    negative = sum(count for value, count in counts if str(value).lower() in _NEGATIVE_VERDICTS)
    return bool(negative * 2 >= case.rows.counts(field.name).sum())


def _share_words(case: Case) -> bool:
    """Nearly all pairs have at least a third of their words in common, so that "similar" holds of them."""
    left, right = case.rows.text(case.text_inputs[-1].name), case.rows.text(case.output.name)
    near = []
    for a, b in zip(left.slice(0, 200).to_pylist(), right.slice(0, 200).to_pylist(), strict=True):
        one, two = ({w for w in re.findall(r"\w+", cell.lower()) if len(w) > 3} for cell in (a, b))
        near.append(len(one & two) * 3 >= min(len(one), len(two)))
    return bool(near) and sum(near) >= 0.8 * len(near)


def wrong_form(case: Case) -> Finding | None:
    """A yes or no is asked and the rows hold degrees; one sentence is asked and they hold pages."""
    output = case.output
    text = case.instruction.lower
    degrees = output.kind is FieldKind.FLOAT and case.rows.distinct(output.name) >= 5
    if degrees and _YES_NO.search(text) and not _DEGREE.search(text):
        return Reason.MISMATCH, f"it asks for yes or no, {output.name} has degrees"
    if (
        output.kind is FieldKind.TEXT
        and (wanted := _SINGULAR.search(case.instruction.asked_text))
        and case.rows.median_words(output.name) >= 100
    ):
        texts = case.rows.text(output.name).slice(0, 200)
        sentences = pc.count_substring_regex(texts, r"[.!?\n](?:\s|$)").to_numpy(zero_copy_only=False)
        if float(np.median(sentences)) >= 8:
            return Reason.MISMATCH, f"it asks for one {wanted[1]}, {output.name} holds whole texts"
    return None


def title_for_text(case: Case) -> Finding | None:
    """Something is to be judged by a document, and the input holds only its title."""
    if case.output.kind is not FieldKind.BOOLEAN or len(case.text_inputs) < 2:
        return None
    for field in case.text_inputs:
        word = field_words(field.name)[-1]
        if word in _DOCUMENTS and word in case.instruction.words and case.rows.median_words(field.name) <= 5:
            return Reason.MISSING_INPUT, f"{field.name} holds titles, not texts"
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
    mixed_relation,
    wrong_form,
    title_for_text,
    conflicting_rows,
)
