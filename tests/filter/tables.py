"""Small datasets in the shapes of real ones, for the tests of the filter."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from dynosaur_core.filter.stage import judge_design
from dynosaur_core.metadata.facts import field_facts
from dynosaur_core.models import (
    ROW_COLUMN,
    SPLIT_COLUMN,
    FieldKind,
    FieldSpec,
    Mode,
    Proposal,
    Subset,
    TaskDesign,
    with_members,
)
from dynosaur_core.reasons import Finding, Reason
from dynosaur_core.settings import Filtering

NOUNS = ["otter", "barrel", "comet", "dune", "ferry", "goblet", "harbor", "igloo"]
NOUNS += ["jacket", "kettle", "lantern", "magnet", "nickel", "orchid", "piano", "quarry"]
VERBS = ["carries", "paints", "lifts", "follows", "hides", "repairs", "warms", "measures"]
PLACES = ["in Oslo", "at noon", "on a hill", "by the sea", "near Turin", "after lunch"]
PLACES += ["under snow", "before dawn", "with care", "for fun", "at home"]


def sentence(number: int) -> str:
    """A different sentence for each number below 1,408."""
    noun, verb, place = NOUNS[number % 16], VERBS[number // 16 % 8], PLACES[number // 128 % 11]
    return f"The {noun} {verb} the {NOUNS[(number * 7 + 3) % 16]} {place}."


def question(number: int) -> str:
    return f"Who {VERBS[number % 8]} the {NOUNS[number // 8 % 16]} {PLACES[number // 128 % 11]}?"


class Data:
    """A subset and its rows. `label_names` make a column of names a ClassLabel."""

    def __init__(self, columns: dict[str, list[Any]], label_names: dict[str, list[str]] | None = None) -> None:
        count = len(next(iter(columns.values())))
        self.table = pa.table({**columns, SPLIT_COLUMN: ["train"] * count, ROW_COLUMN: list(range(count))})
        names = label_names or {}
        fields = tuple(_spec(name, self.table.schema.field(name).type, names.get(name)) for name in columns)
        facts = field_facts(list(with_members(fields).values()), self.table)
        self.subset = Subset(config="default", splits=(), fields=fields, facts=facts)

    def judge(
        self, instruction: str, inputs: str, output: str, settings: Filtering | None = None, **more: Any
    ) -> list[Finding]:
        """`inputs` and `output` name fields, with commas between several."""
        return judge_design(
            "someone/data",
            self.subset,
            design(instruction, inputs, output),
            self.table,
            settings or Filtering(),
            **more,
        )

    def reasons(self, instruction: str, inputs: str, output: str, **more: Any) -> set[Reason]:
        return {reason for reason, _ in self.judge(instruction, inputs, output, **more)}


def design(instruction: str, inputs: str, output: str) -> TaskDesign:
    def names(text: str) -> tuple[str, ...]:
        return tuple(text.split(",")) if text else ()

    return TaskDesign(instruction=instruction, input_fields=names(inputs), output_fields=names(output))


def proposal(*designs: TaskDesign, mode: Mode = Mode.DESCRIPTION_AWARE, shown: str = "", **more: Any) -> Proposal:
    fields = (
        tuple(shown.split(",")) if shown else tuple({n: 0 for d in designs for n in d.input_fields + d.output_fields})
    )
    given = {"config": "default", "mode": mode, "request_digest": "d", "model": "m", "designs": designs}
    return Proposal(**{**given, "shown_fields": fields, **more})


def _spec(name: str, kind: pa.DataType, labels: list[str] | None) -> FieldSpec:
    if labels:
        return FieldSpec(name=name, kind=FieldKind.LABEL, type="class_label", label_names=tuple(labels))
    if pa.types.is_list(kind):
        return FieldSpec(name=name, kind=FieldKind.LIST, type="list", children=(_spec("item", kind.value_type, None),))
    if pa.types.is_struct(kind):
        parts = tuple(_spec(part.name, part.type, None) for part in kind)
        return FieldSpec(name=name, kind=FieldKind.STRUCT, type="struct", children=parts)
    kinds = {
        FieldKind.TEXT: pa.types.is_string,
        FieldKind.BOOLEAN: pa.types.is_boolean,
        FieldKind.INTEGER: pa.types.is_integer,
        FieldKind.FLOAT: pa.types.is_floating,
        FieldKind.TIME: pa.types.is_temporal,
    }
    return FieldSpec(name=name, kind=next(k for k, holds in kinds.items() if holds(kind)), type=str(kind))


N = 120
NLI_LABELS = ["entailment", "neutral", "contradiction"]


def nli() -> Data:
    """Pairs of three relations, like SNLI."""
    columns = {
        "premise": [sentence(i) for i in range(N)],
        "hypothesis": [sentence(i + 200) for i in range(N)],
        "label": [NLI_LABELS[i % 3] for i in range(N)],
        "idx": list(range(N)),
    }
    return Data(columns, {"label": NLI_LABELS})


def scored_pairs() -> Data:
    """Pairs with a score between 0 and 5, like STS-B."""
    columns = {
        "sentence1": [sentence(i) for i in range(N)],
        "sentence2": [sentence(i * 5 + 300) for i in range(N)],
        "score": [(i * 7 % 26) / 5 for i in range(N)],
    }
    return Data(columns)


def sentiment() -> Data:
    """Single sentences with a class, like SST-2."""
    columns = {
        "sentence": [sentence(i) for i in range(N)],
        "label": ["positive" if i % 2 else "negative" for i in range(N)],
        "idx": list(range(N)),
    }
    return Data(columns, {"label": ["negative", "positive"]})


def choices() -> Data:
    """Questions with four options and the letter of the right one, like MMLU."""
    columns = {
        "question": [question(i) for i in range(N)],
        "choices": [[NOUNS[(i + k) % 16] for k in range(4)] for i in range(N)],
        "answer": ["ABCD"[i * 3 % 4] for i in range(N)],
    }
    columns["question"][7] = "Which nerve travels through the parotid gland?"
    return Data(columns, {"answer": list("ABCD")})


def word_problems() -> Data:
    """Questions with worked answers, like GSM8K."""
    columns = {
        "question": [
            f"{NOUNS[i % 16].title()} buys {i} eggs {PLACES[i % 11]} and eats {i % 7}. How many are left?"
            for i in range(N)
        ],
        "answer": [f"{i} - {i % 7} = {i - i % 7}" for i in range(N)],
    }
    columns["question"][0] = (
        "Natalia sold clips to 48 friends in April and half as many in May. How many clips in total?"
    )
    return Data(columns)
