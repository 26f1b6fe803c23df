"""Closed sets: labels listed in the instruction, options drawn for each row, words in the place of labels."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pyarrow as pa
import pytest

from dynosaur_core.models import ROW_COLUMN, SPLIT_COLUMN, InstructionTask, ListOutput, Mode
from dynosaur_core.reasons import Reason
from dynosaur_core.rendering.columns import Columns
from dynosaur_core.rendering.render import REASONS, Rendered, render
from dynosaur_core.settings import Publishing

INTENTS = tuple(f"transfer_not_received_by_{name}{place}" for name in ("bank", "shop", "friend") for place in range(26))


def rendered(columns: dict[str, Any], fields: dict[str, Any], **settings: Any) -> Rendered:
    """The task from `text` to `label` over these columns."""
    count = len(columns["label"])
    texts = {"text": [f"text {number}" for number in range(count)]}
    places = {SPLIT_COLUMN: ["train"] * count, ROW_COLUMN: range(count)}
    task = {
        "repo_id": "a/b",
        "config": "c",
        "instruction": "Name it",
        "input_fields": ("text",),
        "output_field": "label",
        "mode": Mode.RULES,
        "model": "m",
    }
    return render(InstructionTask(**task | fields), Columns(pa.table(texts | columns | places)), Publishing(**settings))


def reasons(made: Rendered) -> list[Reason | None]:
    return [REASONS[code] for code in made.codes]


def test_labels_are_listed_up_to_so_many_characters() -> None:
    labels, columns = ("hate speech", "offensive", "no"), {"label": ["no", "offensive"]}
    assert (
        rendered(columns, {"labels": labels}).instruction == "Name it. Answer with one of: hate speech, offensive, no."
    )
    size = len("hate speech, offensive, no")
    assert "Answer" in rendered(columns, {"labels": labels}, max_listed_chars=size).instruction
    assert rendered(columns, {"labels": labels}, max_listed_chars=size - 1).instruction == "Name it"


def test_options_are_drawn_where_the_labels_are_too_long_a_list() -> None:
    columns = {"label": [INTENTS[number % 78] for number in range(2_000)]}
    made = rendered(columns, {"labels": INTENTS})
    assert made.instruction == "Name it"
    assert not made.codes.any()
    drawn, places = [], Counter[int]()
    for text, label in zip(made.inputs.to_pylist(), columns["label"], strict=True):
        first, last = text.split("\nOptions: ")
        assert first.startswith("Text: text ")
        shown = last.split("; ")
        assert len(shown) == len(set(shown)) == 10
        assert set(shown) <= set(INTENTS)
        places[shown.index(label)] += 1
        drawn.append(tuple(sorted(shown)))
    assert min(places.values()) > 150 and max(places.values()) < 250
    assert len(set(drawn)) == len(drawn)
    of_all = Counter(label for shown in drawn for label in shown)
    assert set(of_all) == set(INTENTS)
    assert max(of_all.values()) < 2 * min(of_all.values())


def test_options_are_the_same_again_and_others_for_another_task() -> None:
    columns = {"label": list(INTENTS)}
    first, again, other = (
        rendered(columns, {"labels": INTENTS, "instruction": text}).inputs for text in ("A", "A", "B")
    )
    assert first == again != other


@pytest.mark.parametrize(
    ("layout", "end"),
    [("lines", "\nOptions: "), ("sentences", ". options is "), ("json", ', "options": [')],
)
def test_options_stand_in_every_layout(layout: str, end: str) -> None:
    made = rendered({"label": list(INTENTS)}, {"labels": INTENTS}, layout=layout, row_options=3)
    text = made.inputs[0].as_py()
    assert end in text
    assert INTENTS[0] in text
    if layout == "json":
        assert len(json.loads(text)["options"]) == 3


def test_options_do_not_take_the_name_of_a_field_and_are_never_cut() -> None:
    columns = {"label": list(INTENTS), "Options": ["word " * 100] * len(INTENTS)}
    fields = {"labels": INTENTS, "input_fields": ("text", "Options")}
    text = rendered(columns, fields, max_input_chars=500).inputs[5].as_py()
    assert len(text) <= 500
    assert INTENTS[5] in text.partition("\nAnswer options: ")[2].partition("\n")[0].split("; ")
    assert set(reasons(rendered(columns, fields, max_input_chars=100))) == {Reason.INPUT_TOO_LONG}


def test_options_with_a_semicolon_are_quoted() -> None:
    made = rendered({"label": ["a; b", "c"]}, {"labels": ("a; b", "c")}, max_listed_chars=0)
    assert set(made.inputs[0].as_py().partition("Options: ")[2].split("'")) >= {"a; b", "c"}


def test_rows_without_a_label_keep_their_reasons_where_options_are_drawn() -> None:
    columns = {"label": ["no", None, "other", "yes"]}
    made = rendered(columns, {"labels": ("no", "yes")}, max_listed_chars=0)
    assert reasons(made) == [None, Reason.OUTPUT_NULL, Reason.OUTPUT_OUTSIDE_LABELS, None]
    bytes_ = rendered({"label": [b"\xff", b"\xfe"]}, {"labels": ("no", "yes")}, max_listed_chars=0)
    assert reasons(bytes_) == [Reason.UNRENDERABLE] * 2


WORDS = (("ele", "elementary"), ("int", "intermediate"), ("adv", "advanced"))
LEVELS = {"labels": tuple(label for label, _ in WORDS), "label_words": WORDS}


def test_words_stand_for_labels_in_instruction_and_output() -> None:
    columns = {"label": ["int", "ele", None, "other", "adv"]}
    made = rendered(columns, LEVELS)
    assert made.instruction == "Name it. Answer with one of: elementary, intermediate, advanced."
    assert reasons(made) == [None, None, Reason.OUTPUT_NULL, Reason.OUTPUT_OUTSIDE_LABELS, None]
    kept = [text for text, code in zip(made.outputs.to_pylist(), made.codes, strict=True) if not code]
    assert kept == ["intermediate", "elementary", "advanced"]


def test_words_stand_in_options_too() -> None:
    made = rendered({"label": ["int"]}, LEVELS, max_listed_chars=0, row_options=2)
    shown = made.inputs[0].as_py().partition("Options: ")[2].split("; ")
    assert len(shown) == 2
    assert "intermediate" in shown
    assert set(shown) <= {word for _, word in WORDS}


@pytest.mark.parametrize(
    ("how", "text", "lead"),
    [
        (ListOutput.ALL, "intermediate\nelementary", "The labels are"),
        (ListOutput.SEQUENCE, "intermediate elementary", "The labels are"),
        (ListOutput.REFERENCES, None, "Answer with one of"),
    ],
)
def test_words_stand_for_the_items_of_a_list(how: ListOutput, text: str | None, lead: str) -> None:
    made = rendered({"label": [["int", "ele"]]}, {**LEVELS, "list_output": how})
    assert made.instruction == f"Name it. {lead}: elementary, intermediate, advanced."
    assert not made.codes.any()
    if text is None:
        assert made.references is not None
        assert made.references.to_pylist() == [["intermediate", "elementary"]]
        assert made.outputs[0].as_py() in ("intermediate", "elementary")
    else:
        assert made.outputs.to_pylist() == [text]


def test_words_stand_for_numbers_and_truth_values() -> None:
    of_numbers = (("0", "no"), ("1", "yes"))
    made = rendered({"label": [1, 0]}, {"labels": ("0", "1"), "label_words": of_numbers})
    assert made.outputs.to_pylist() == ["yes", "no"]
    of_booleans = (("False", "no"), ("True", "yes"))
    made = rendered({"label": [True, False]}, {"labels": ("False", "True"), "label_words": of_booleans})
    assert made.outputs.to_pylist() == ["yes", "no"]


def test_options_of_a_list_hold_all_that_is_right() -> None:
    columns = {"label": [[INTENTS[0], INTENTS[5]], [], list(INTENTS[:12])]}
    made = rendered(columns, {"labels": INTENTS, "list_output": ListOutput.ALL})
    shown = [set(text.partition("Options: ")[2].split("; ")) for text in made.inputs.to_pylist()]
    assert [len(each) for each in shown] == [10, 10, 12]
    assert {INTENTS[0], INTENTS[5]} <= shown[0]
    assert shown[2] == set(INTENTS[:12])
