"""JSON schemas of an answer. They name the dataset's real fields, so that an endpoint that enforces them cannot err."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from dynosaur_core.llm.schemas import closed
from dynosaur_core.models import FieldFacts, FieldKind, FieldSpec, ListOutput
from dynosaur_core.prompting import MAX_LABELS

Facts = Callable[[str], FieldFacts]

_CODE_CHARS = 3
TASKS = "tasks"
FROM_DESCRIPTION = "from_description"
FROM_DATA = "from_data"
"""The two lists of an answer to both modes at once."""
MAX_INSTRUCTION_CHARS = 160
"""Of a small model's instruction: without a bound it may never come to an end."""


def answer_schema(fields: Sequence[FieldSpec], facts: Facts, keys: Sequence[str] = (TASKS,)) -> dict[str, Any]:
    """The strict form of OpenAI: every object closed, every property required, the names in one shared enum. How a list
    is an output, and words for labels, are asked for where a field can need them."""
    properties: dict[str, Any] = {
        "input_fields": {"type": "array", "items": {"$ref": "#/$defs/field"}},
        "output_field": {"$ref": "#/$defs/field"},
        "instruction": {"type": "string"},
    }
    if any(field.kind is FieldKind.LIST for field in fields):
        properties["list_output"] = {"type": ["string", "null"], "enum": [*(how.value for how in ListOutput), None]}
    if any(_holds_codes(facts(field.name).values) for field in fields):
        words = closed({"label": {"type": "string"}, "words": {"type": "string"}})
        properties["label_words"] = {"type": "array", "items": words}
    tasks = {"type": "array", "items": {"$ref": "#/$defs/task"}}
    defs = {"field": {"type": "string", "enum": [field.name for field in fields]}, "task": closed(properties)}
    return {**closed(dict.fromkeys(keys, tasks)), "$defs": defs}


def _holds_codes(values: Sequence[str]) -> bool:
    """A closed set that may want words: one of its labels is no longer than a code."""
    return 1 < len(values) <= MAX_LABELS and any(len(value) <= _CODE_CHARS for value in values)


def tight_schema(fields: Sequence[str], max_tasks: int) -> dict[str, Any]:
    """For small local models: one branch per output field, so that inputs and output cannot overlap either."""
    branches = [
        closed(
            {
                "output_field": {"const": output},
                "input_fields": {
                    "type": "array",
                    "items": {"enum": [name for name in fields if name != output]},
                    "minItems": 1,
                    "maxItems": min(4, len(fields) - 1),
                },
                "instruction": {"type": "string", "minLength": 12, "maxLength": MAX_INSTRUCTION_CHARS},
            }
        )
        for output in fields
    ]
    tasks = {"type": "array", "items": {"anyOf": branches}, "minItems": 1, "maxItems": max_tasks}
    return closed({TASKS: tasks})
