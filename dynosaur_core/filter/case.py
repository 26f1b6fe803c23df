"""What a check is given: one design, resolved against its subset, and the evidence of the rows."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from dynosaur_core.evidence import Evidence, plain_text
from dynosaur_core.filter.wording import Instruction
from dynosaur_core.models import FieldKind, FieldSpec, Subset, TaskDesign
from dynosaur_core.reasons import Finding
from dynosaur_core.settings import Filtering

NUMBERS = frozenset({FieldKind.INTEGER, FieldKind.FLOAT})
CLOSED = frozenset({FieldKind.LABEL, FieldKind.BOOLEAN})
TEXT_LIKE = NUMBERS | {FieldKind.TEXT, FieldKind.LABEL, FieldKind.BOOLEAN, FieldKind.TIME}


@dataclass(frozen=True)
class Case:
    """One design under judgement. `evidence` is there for the checks of rows only."""

    repo_id: str
    subset: Subset
    design: TaskDesign
    instruction: Instruction
    """The design's, taken apart once for all checks."""
    settings: Filtering
    evidence: Evidence | None = None
    shown_fields: tuple[str, ...] | None = None
    """What the designer was shown; None when that is not known."""
    examples: tuple[frozenset[str], ...] = ()
    """Word sets of the in-context examples' instructions."""

    @cached_property
    def fields(self) -> dict[str, FieldSpec]:
        return self.subset.every_field

    @cached_property
    def inputs(self) -> tuple[FieldSpec, ...]:
        return tuple(self.fields[name] for name in self.design.input_fields)

    @cached_property
    def output(self) -> FieldSpec:
        """The output, as a text where it is a list or struct of which publishing makes one."""
        return as_text(self.fields[self.design.output_fields[0]])

    @cached_property
    def others(self) -> tuple[FieldSpec, ...]:
        """Fields that are neither input nor output."""
        used = {*self.design.input_fields, self.output.name}
        return tuple(field for field in self.subset.fields if field.name not in used)

    @cached_property
    def text_inputs(self) -> tuple[FieldSpec, ...]:
        return tuple(field for field in self.inputs if field.kind is FieldKind.TEXT)

    @cached_property
    def shown_text(self) -> str:
        """All texts of the rows that a prompt shows, as `Evidence.find` reads them."""
        return plain_text(json.dumps(self.subset.shown, ensure_ascii=False))

    @property
    def rows(self) -> Evidence:
        """The evidence, for checks that run only where there is some."""
        if self.evidence is None:
            raise ValueError("a check of rows needs rows")
        return self.evidence


def as_text(field: FieldSpec) -> FieldSpec:
    """A list of texts, labels, numbers or structs of these, or answers `{text: ...}`, as a text; all else as it is."""
    held = field
    if field.kind is FieldKind.STRUCT:
        held = next((child for child in field.children if child.name == "text"), field)
    written = held.kind is FieldKind.TEXT
    if held.kind is FieldKind.LIST and held.children:
        item = held.children[0]
        parts = item.children if item.kind is FieldKind.STRUCT else (item,)
        written = bool(parts) and all(part.kind in TEXT_LIKE for part in parts)
    return field.model_copy(update={"kind": FieldKind.TEXT}) if written else field


Check = Callable[[Case], Finding | None]
