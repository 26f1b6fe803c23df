"""The in-context examples: invented datasets, and good tasks for them. Every field that a task uses is shown."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dynosaur_core.models import FieldFacts, FieldKind, FieldSpec, ListOutput, Mode, Span
from dynosaur_core.prompting import about_text, dataset_text, field_text, row_text
from dynosaur_core.settings import Designing


@dataclass(frozen=True)
class Example:
    """A dataset as a prompt shows it, and the tasks (inputs, output, instruction) that answer it."""

    name: str
    summary: str
    fields: tuple[FieldSpec, ...]
    rows: tuple[dict[str, Any], ...]
    tasks: tuple[tuple[tuple[str, ...], str, str], ...]
    facts: Mapping[str, FieldFacts] = field(default_factory=dict)
    list_outputs: Mapping[str, ListOutput] = field(default_factory=dict)
    """How an output that is a list is written, by its field."""

    def question(self, with_summary: bool) -> str:
        fields = [field_text(each, self.facts.get(each.name, FieldFacts(name=each.name))) for each in self.fields]
        rows = [row_text(row, self.fields, Designing()) for row in self.rows]
        return dataset_text(self.name, about_text(self.summary) if with_summary else [], fields, rows)

    def answer(self) -> str:
        return json.dumps({"tasks": self.task_dicts()}, ensure_ascii=False)

    def task_dicts(self) -> list[dict[str, Any]]:
        return [
            {"input_fields": list(inputs), "output_field": output, "instruction": instruction}
            | ({"list_output": self.list_outputs[output].value} if output in self.list_outputs else {})
            for inputs, output, instruction in self.tasks
        ]


def _text(*names: str) -> tuple[FieldSpec, ...]:
    return tuple(FieldSpec(name=name, kind=FieldKind.TEXT, type="string") for name in names)


def _texts(name: str) -> FieldSpec:
    return FieldSpec(name=name, kind=FieldKind.LIST, type="list<string>", children=_text("item"))


def _items(name: str, least: int, most: int) -> FieldFacts:
    return FieldFacts(name=name, items=Span(least=least, median=most, most=most))


_MUSEUM = Example(
    name="harbour/audio-guide-questions",
    summary="Visitors' questions about museum exhibits, answered in the words of the audio guide.",
    fields=_text("exhibit", "passage", "question", "answer"),
    rows=(
        {
            "exhibit": "Tide clock",
            "passage": "This clock was built in 1811 for the harbour pilots. Its hand turns once between two tides.",
            "question": "Who was it made for?",
            "answer": "the harbour pilots",
        },
        {
            "exhibit": "Whale lamp",
            "passage": "It burned whale oil until the town laid gas pipes.",
            "question": "What replaced its oil?",
            "answer": "gas",
        },
    ),
    tasks=(
        (("passage", "question"), "answer", "Answer the visitor's question from the audio guide's passage."),
        (("passage", "answer"), "question", "Ask the question about the passage that the given answer settles."),
        (("passage",), "exhibit", "Name the museum exhibit that this audio guide passage talks about."),
    ),
)

_CLAIMS = Example(
    name="fieldnotes/caption-claims",
    summary="Newspaper claims beside the chart caption they cite, marked by whether it bears them out.",
    fields=(
        *_text("claim", "caption"),
        FieldSpec(
            name="relation",
            kind=FieldKind.LABEL,
            type="class_label",
            label_names=("supports", "contradicts", "unrelated"),
        ),
    ),
    rows=(
        {
            "claim": "Bus trips have halved since spring.",
            "caption": "Bus trips: March 41,200, August 42,900.",
            "relation": "contradicts",
        },
        {"claim": "Most clinic beds are taken.", "caption": "Beds in use: 37 of 40.", "relation": "supports"},
    ),
    tasks=(
        (("claim", "caption"), "relation", "Decide how the chart caption relates to the newspaper claim."),
        (("caption", "relation"), "claim", "Write a newspaper claim that relates to the chart caption as given."),
    ),
)

_PUZZLES = Example(
    name="workshop/measuring-puzzles",
    summary="Short puzzles about measuring, with options, the worked solution and the right option's letter.",
    fields=(
        *_text("puzzle"),
        _texts("options"),
        *_text("solution", "letter"),
    ),
    facts={"options": _items("options", 2, 4), "letter": FieldFacts(name="letter", values=("A", "B", "C", "D"))},
    rows=(
        {
            "puzzle": "A plank of 3 m is cut into pieces of 40 cm. How much is left?",
            "options": ["A. 10 cm", "B. 20 cm"],
            "solution": "300 / 40 is 7 with 20 left.",
            "letter": "B",
        },
        {
            "puzzle": "Two taps fill a tub in 6 and 3 minutes. How long do both take?",
            "options": ["A. 2 min", "B. 4 min"],
            "solution": "1/6 + 1/3 = 1/2 a minute, so 2 minutes.",
            "letter": "A",
        },
    ),
    tasks=(
        (("puzzle", "options"), "letter", "Solve the measuring puzzle and give the letter of the right option."),
        (("puzzle",), "solution", "Work out the measuring puzzle step by step."),
        (("solution",), "puzzle", "Make up a measuring puzzle to which this is the worked solution."),
    ),
)

_FORECASTS = Example(
    name="weatherdesk/spoken-forecasts",
    summary="Forecasts as read out on local radio, beside the readings that the speaker had at hand.",
    fields=(_texts("readings"), *_text("forecast")),
    facts={"readings": _items("readings", 2, 5)},
    list_outputs={"readings": ListOutput.ALL},
    rows=(
        {
            "readings": ["wind: west, strong", "rain: from noon"],
            "forecast": "A strong westerly brings rain from midday.",
        },
        {
            "readings": ["fog: early", "high: 19 C"],
            "forecast": "Once the early fog is gone it warms up to nineteen degrees.",
        },
    ),
    tasks=(
        (("readings",), "forecast", "Turn the weather readings into a forecast for the radio, in whole sentences."),
        (("forecast",), "readings", "List the weather readings that the spoken forecast is based on."),
    ),
)

EXAMPLES: dict[Mode, tuple[Example, ...]] = {
    Mode.DESCRIPTION_AWARE: (_MUSEUM, _CLAIMS),
    Mode.DESCRIPTION_UNAWARE: (_PUZZLES, _FORECASTS),
}
EXAMPLE_INSTRUCTIONS: tuple[str, ...] = tuple(
    task[2] for examples in EXAMPLES.values() for example in examples for task in example.tasks
)
"""Every instruction that a prompt shows: an answer that repeats one has copied it."""
