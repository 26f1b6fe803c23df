"""Checks of the wiring alone: what fields a design names, and whether they can be wired at all."""

from __future__ import annotations

from dynosaur_core.filter.case import TEXT_LIKE, Case, Check, as_text
from dynosaur_core.reasons import Finding, Reason


def malformed(case: Case) -> Finding | None:
    return (Reason.MALFORMED, case.design.malformed) if case.design.malformed else None


def empty_instruction(case: Case) -> Finding | None:
    if any(letter.isalpha() for letter in case.design.instruction):
        return None
    return Reason.EMPTY_INSTRUCTION, "the instruction holds no word"


def no_input(case: Case) -> Finding | None:
    return None if case.design.input_fields else (Reason.NO_INPUT, "no input field is named")


def one_output(case: Case) -> Finding | None:
    names = case.design.output_fields
    if not names:
        return Reason.NO_OUTPUT, "no output field is named"
    return (Reason.MULTIPLE_OUTPUTS, ", ".join(names)) if len(names) > 1 else None


def unknown_field(case: Case) -> Finding | None:
    unknown = [name for name in _named(case) if name not in case.fields]
    return (Reason.UNKNOWN_FIELD, ", ".join(unknown)) if unknown else None


def field_not_shown(case: Case) -> Finding | None:
    """A designer that was not shown a field can only guess what it holds."""
    if case.shown_fields is None:
        return None
    hidden = [name for name in _named(case) if name in case.fields and name not in case.shown_fields]
    return (Reason.FIELD_NOT_SHOWN, ", ".join(hidden)) if hidden else None


def overlap(case: Case) -> Finding | None:
    both = [name for name in case.design.input_fields if name in case.design.output_fields]
    return (Reason.OVERLAP, ", ".join(both)) if both else None


def output_not_text(case: Case) -> Finding | None:
    nested = [name for name in case.design.output_fields if name in case.fields and not _text_like(case, name)]
    return (Reason.OUTPUT_NOT_TEXT, ", ".join(f"{n} ({case.fields[n].type})" for n in nested)) if nested else None


def _text_like(case: Case, name: str) -> bool:
    return as_text(case.fields[name]).kind in TEXT_LIKE


def _named(case: Case) -> tuple[str, ...]:
    return tuple(dict.fromkeys(case.design.input_fields + case.design.output_fields))


FORM: tuple[Check, ...] = (
    malformed,
    empty_instruction,
    no_input,
    one_output,
    unknown_field,
    field_not_shown,
    overlap,
    output_not_text,
)
