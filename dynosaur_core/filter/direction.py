"""Checks of the wording against the wiring: what the instruction takes as given, and what it asks for.

They need no rows. They accuse by the fields' own names only, so an instruction in other words passes.
"""

from __future__ import annotations

import re

from dynosaur_core.filter.case import NUMBERS, Case, Check
from dynosaur_core.filter.wording import NEGATIVE, NEGATIVE_NAMES, PRODUCING_VERBS, TEXT_NOUNS, field_words
from dynosaur_core.models import FieldKind, FieldSpec
from dynosaur_core.reasons import Finding, Reason

READABLE = frozenset({FieldKind.TEXT, FieldKind.LIST})
CLOSED = frozenset({FieldKind.LABEL, FieldKind.BOOLEAN})

_PAIR = re.compile(
    r"\b(?:given|between|whether|if|of|do|are|read|compare|in)\s+(?:the\s+|these\s+|both\s+)?"
    r"(?:two|2|both|pairs? of|(?:a|the) pair of)\s+(\w+)"
)
_OTHER = re.compile(r"\b(?:the|an)\s?other\s+(sentence|question|text|one|statement|passage)\b")
_COMPARED = re.compile(r"\b(?:paraphras\w+|entail\w*|contradicts?|duplicates?|equivalent|similarity|relatedness)\b")
_INVERTED = (
    r"\b(?:opposite|reversed?|inverse|different|contrary|higher|lower|changed)\s+(?:or\s+\w+\s+)?"
    r"(?:(?:of|to|from)\s+(?:the|this|that)\s+)?(?:given\s+)?(?:(?!(?:for|given|with|to|of|that|in|and|but)\b)\w+\s+){0,2}"
)
# What a field of classes or of numbers is called when not by its name.
_CLASS_NOUNS = "label|class|category|sentiment|judge?ment|relation|polarity|emotion|stance|intent|topic|level|verdict"
_NUMBER_NOUNS = "score|rating|value|degree|grade|similarity"
_VERBS = f"(?:{'|'.join(sorted(PRODUCING_VERBS))})"
_SEVERAL = re.compile(rf"\b(?:into|{_VERBS}) (?:the )?(?:two|three|four|2|3|4|several|multiple) ((?:\w+ ){{1,3}})")
_WRONG = r"\b(?:an?|the|some)\s+(?:incorrect|wrong|false|implausible|inaccurate)\s+(?:\w+\s+)?"


def swapped(case: Case) -> Finding | None:
    """What is asked for is an input, and what is given is the output."""
    target = field_words(case.output.name)
    for phrase, end in case.instruction.objects():
        for field in case.inputs:
            words = field_words(field.name)
            if words == target or tuple(phrase[-len(words) :]) != words:
                continue
            if case.instruction.gives(target):
                return Reason.SWAPPED, f"it gives {case.output.name} and asks for {field.name}"
            if _silent(case, target) and _asks_for_input(case, field, end):
                return Reason.SWAPPED, f"it asks for {field.name}, the output is {case.output.name}"
    return None


def _silent(case: Case, target: tuple[str, ...]) -> bool:
    return not case.instruction.words & set(target)


def _asks_for_input(case: Case, field: FieldSpec, end: int) -> bool:
    after = case.instruction.stems[end] if end < len(case.instruction.stems) else ""
    if after in ("as", "by", "into", "with", "in", "using", "so"):
        return False  # "identify the text as ...", "give the text in ..." still work on the input
    if case.output.kind is FieldKind.TEXT:
        return field.kind in NUMBERS | CLOSED
    names = case.output.label_names
    plain = not names or all(len(name) < 2 or name.isdigit() or name.lower() in ("yes", "no") for name in names)
    return field.kind is FieldKind.TEXT and after in ("that", "which") and not plain


def missing_input(case: Case) -> Finding | None:
    """The instruction takes a field as given that is not among the inputs."""
    named = {field_words(field.name) for field in case.inputs}
    # The nouns of the instruction may mean an input of which no word is said.
    free = {field.kind for field in case.inputs if case.is_free(field)}
    for field in (*case.others, case.output):
        words = field_words(field.name)
        if words in named or field.kind in free or field.kind not in READABLE | CLOSED:
            continue
        if case.instruction.gives(words) and not _modified_away(case, words):
            return Reason.MISSING_INPUT, f"it takes {field.name} as given"
        named_text = field is not case.output and field.kind in READABLE and words[-1] in TEXT_NOUNS
        if named_text and case.instruction.refers_to(words):
            return Reason.MISSING_INPUT, f"it refers to {field.name}"
    return None


def _modified_away(case: Case, words: tuple[str, ...]) -> bool:
    """An input is called so with another word before it: `code_snippet` for "code"."""
    return any(set(words) & set(field_words(field.name)) for field in case.inputs)


def missing_partner(case: Case) -> Finding | None:
    """It compares two texts and is given one."""
    if len(case.inputs) != 1 or len(case.text_inputs) != 1 or case.output.kind is FieldKind.TEXT:
        return None
    only = field_words(case.inputs[0].name)
    partner = any(field.kind is FieldKind.TEXT for field in case.others)
    match = _PAIR.search(case.instruction.lower)
    if match and (match[1].rstrip("s") in only or (partner and match[1].rstrip("s") in TEXT_NOUNS)):
        return Reason.MISSING_INPUT, f"it compares {match[0]}, the only input is {case.inputs[0].name}"
    if partner and _OTHER.search(case.instruction.lower):
        return Reason.MISSING_INPUT, f"it compares with another text, the only input is {case.inputs[0].name}"
    if partner and case.output.kind in CLOSED | NUMBERS and _COMPARED.search(case.instruction.lower):
        return Reason.MISSING_INPUT, f"it judges a relation, the only input is {case.inputs[0].name}"
    return None


def contradiction(case: Case) -> Finding | None:
    """It asks for the reverse of what an input or the output stands for."""
    if case.output.kind is not FieldKind.TEXT:
        return None
    text = case.instruction.lower
    for field in case.inputs:
        if field.kind in CLOSED | NUMBERS:
            nouns = (
                f"{re.escape(field_words(field.name)[-1])}|{_NUMBER_NOUNS if field.kind in NUMBERS else _CLASS_NOUNS}"
            )
            if re.search(rf"{_INVERTED}(?:{nouns})\b", text):
                return Reason.CONTRADICTION, f"it asks for the reverse of {field.name}, which is an input"
    name = field_words(case.output.name)
    if NEGATIVE_NAMES & set(name):
        return None if NEGATIVE.search(text) else (Reason.CONTRADICTION, f"{case.output.name} is not what it asks for")
    if re.search(rf"{_WRONG}{re.escape(name[-1])}\b", case.instruction.asked_text):
        return Reason.CONTRADICTION, f"it asks for a wrong {case.output.name}"
    return None


def promises_more(case: Case) -> Finding | None:
    """It asks for several things, of which the output is one: two parts, or "a question and its answer"."""
    words = field_words(case.output.name)
    stems = " ".join(case.instruction.stems[at] for at in case.instruction.asked) + " ."
    for other in case.others:
        names = field_words(other.name)
        if names == words:
            several = any(words[-1] in match[1].split() for match in _SEVERAL.finditer(stems))
        else:
            named = other.kind in READABLE and case.instruction.words.issuperset((*words, *names))
            several = named and (_joined(stems, words, names) or _joined(stems, names, words))
        if several:
            return Reason.MULTIPLE_OUTPUTS, f"it asks for {case.output.name} and {other.name}"
    return None


def _joined(stems: str, one: tuple[str, ...], two: tuple[str, ...]) -> bool:
    """A verb that produces, then one and the other, then the end of the clause."""
    left, right = (re.escape(" ".join(part)) for part in (one, two))
    return bool(re.search(rf"\b{_VERBS}(?: \w+){{0,2}} {left} and(?: an?| the| its)? {right} [.,;?]", stems))


DIRECTION: tuple[Check, ...] = (swapped, missing_input, missing_partner, promises_more, contradiction)
