"""What a check is given: one design, resolved against its subset, and the evidence of the rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from dynosaur_core.errors import Reason
from dynosaur_core.filter.evidence import Evidence
from dynosaur_core.filter.wording import Instruction, field_words
from dynosaur_core.models import FieldKind, FieldSpec, Subset, TaskDesign
from dynosaur_core.settings import Filtering

Finding = tuple[Reason, str]
"""Why a design is turned away, and the detail that a person reads."""

NUMBERS = frozenset({FieldKind.INTEGER, FieldKind.FLOAT})


@dataclass(frozen=True)
class Case:
    """One design under judgement. `evidence` is there for the checks of rows only."""

    repo_id: str
    subset: Subset
    design: TaskDesign
    settings: Filtering
    evidence: Evidence | None = None
    shown_fields: tuple[str, ...] | None = None
    """What the designer was shown; None when that is not known."""
    examples: tuple[frozenset[str], ...] = ()
    """Word sets of the in-context examples' instructions."""

    @cached_property
    def fields(self) -> dict[str, FieldSpec]:
        return {field.name: field for field in self.subset.fields}

    @cached_property
    def inputs(self) -> tuple[FieldSpec, ...]:
        return tuple(self.fields[name] for name in self.design.input_fields)

    @cached_property
    def output(self) -> FieldSpec:
        return self.fields[self.design.output_fields[0]]

    @cached_property
    def others(self) -> tuple[FieldSpec, ...]:
        """Fields that are neither input nor output."""
        used = {*self.design.input_fields, self.output.name}
        return tuple(field for field in self.subset.fields if field.name not in used)

    @cached_property
    def instruction(self) -> Instruction:
        return Instruction(self.design.instruction)

    @cached_property
    def text_inputs(self) -> tuple[FieldSpec, ...]:
        return tuple(field for field in self.inputs if field.kind is FieldKind.TEXT)

    @property
    def rows(self) -> Evidence:
        """The evidence, for checks that run only where there is some."""
        if self.evidence is None:
            raise ValueError("a check of rows needs rows")
        return self.evidence

    def is_free(self, field: FieldSpec) -> bool:
        """No word of the field's name occurs in the instruction: any noun there may mean it."""
        return not self.instruction.words & set(field_words(field.name))


Check = Callable[[Case], Finding | None]
