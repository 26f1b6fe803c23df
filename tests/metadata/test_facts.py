"""Facts of the fields: what the rows tell of each, and how a prompt says it."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from datasets import ClassLabel, Features, List
from hypothesis import given
from hypothesis import strategies as st

from dynosaur_core.metadata.facts import field_facts
from dynosaur_core.metadata.features import field_specs
from dynosaur_core.metadata.rows import choose_shown
from dynosaur_core.models import FieldFacts, FieldSpec, Shape, with_members
from dynosaur_core.prompting import field_text


def facts(columns: dict[str, list[Any]], features: dict[str, Any] | None = None) -> dict[str, FieldFacts]:
    table = pa.table(columns)
    fields = specs(table, features)
    return {each.name: each for each in field_facts(list(fields.values()), table)}


def specs(table: pa.Table, features: dict[str, Any] | None = None) -> dict[str, FieldSpec]:
    """`features` stand for columns whose Arrow type does not tell: labels are kept as their names."""
    known = Features.from_arrow_schema(table.schema) | (features or {})
    return with_members(field_specs(Features(known)))


def said(columns: dict[str, list[Any]], features: dict[str, Any] | None = None) -> list[str]:
    """The lines that a prompt has of these columns."""
    found = facts(columns, features)
    return [field_text(field, found[name]) for name, field in specs(pa.table(columns), features).items()]


def texts(count: int = 40) -> list[str]:
    return [f"The {number}th ferry leaves the harbour before noon." for number in range(count)]


def test_closed_sets_are_found_whatever_their_type() -> None:
    rows = range(60)
    found = facts(
        {
            "decision": [["yes", "no", "maybe"][row % 3] for row in rows],
            "stars": [row % 5 + 1 for row in rows],
            "sure": [row % 2 == 0 for row in rows],
            "text": texts(60),
            "lang": ["en"] * 60,
        }
    )
    assert found["decision"].values == ("maybe", "no", "yes")
    assert found["stars"].values == ("1", "2", "3", "4", "5") and found["sure"].values == ("False", "True")
    assert not found["text"].values
    assert found["lang"].constant and found["lang"].values == ("en",)


def test_a_few_values_of_a_small_table_are_no_closed_set() -> None:
    assert not facts({"name": ["Ada", "Ben", "Ada", "Ben", "Cleo"]})["name"].values


def test_label_names_keep_their_own_order_in_lists_too() -> None:
    label = ClassLabel(names=["O", "B", "I"])
    tokens = [["a"] * (row % 4 + 1) for row in range(40)]
    tags = [["O"] * (row % 4 + 1) for row in range(40)]
    found = facts({"label": ["B"] * 40, "tokens": tokens, "tags": tags}, {"label": label, "tags": List(label)})
    assert found["label"].values == found["tags"].values == ("O", "B", "I")
    assert found["tags"].along == "tokens" and found["tokens"].along is None


@pytest.mark.parametrize(
    ("value", "shape"),
    [
        (lambda row: f"https://example.org/{row}", Shape.URL),
        (lambda row: f"src/module_{row}.py", Shape.PATH),
        (lambda row: f"{row:08x}-0000-4000-8000-a1b2c3d4e5f6", Shape.HASH),
        (lambda row: f"2024-05-{row % 28 + 1:02}", Shape.DATE),
        (lambda row: f"2024-05-{row % 28 + 1:02} 10:{row % 60:02}", Shape.TIME),
        (lambda row: f"C{'C' * row}(=O)O{row}", None),
        (lambda row: f"def f{row}(x):\n    return x + {row}", Shape.CODE),
        (lambda row: f"{row}.5", Shape.NUMBER),
        (lambda row: f"q-{row}", Shape.ID),
        (lambda row: f"The {row}th word.", None),
        (lambda row: row * 3, Shape.ID),
        (lambda row: row * 37 % 101, None),
    ],
)
def test_the_shape_of_values_is_told(value: Any, shape: Shape | None) -> None:
    assert facts({"x": [value(row) for row in range(60)]})["x"].shape is shape


def test_fields_that_say_the_same_are_known_as_such() -> None:
    classes = [row % 3 for row in range(60)]
    found = facts(
        {
            "act": classes,
            "act_name": [["ask", "tell", "joke"][each] for each in classes],
            "text": texts(60),
            "copy": texts(60),
            "other": [row % 2 for row in range(60)],
        }
    )
    assert found["act_name"].same_as == "act" and found["copy"].same_as == "text"
    assert found["act"].same_as is found["text"].same_as is found["other"].same_as is None


def test_a_coarser_class_follows_from_a_finer_one() -> None:
    cities = [["Lyon", "Nice", "Bonn", "Kiel"][row % 4] for row in range(80)]
    countries = ["France" if city in ("Lyon", "Nice") else "Germany" for city in cities]
    found = facts({"city": cities, "country": countries})
    assert found["country"].determined_by == ("city",) and not found["city"].determined_by


def test_members_of_a_struct_are_fields_of_their_own() -> None:
    answers = [{"text": ["noon"] * (row % 3 + 1), "start": [row] * (row % 3 + 1)} for row in range(40)]
    found = facts({"answers": answers})
    assert list(found) == ["answers", "answers.text", "answers.start"]
    assert found["answers.start"].along == "answers.text"
    items = found["answers.text"].items
    assert items and (items.least, items.most) == (1, 3)


def test_the_share_of_empty_rows_is_told() -> None:
    assert facts({"x": ["a b", None, "", "c d"]})["x"].empty == 0.5
    assert facts({"x": pa.nulls(4, pa.string())})["x"].empty == 1.0


def test_a_prompt_says_each_fact_in_a_few_words() -> None:
    rows = range(60)
    answers = [{"text": [f"noon {row}"] * (row % 3 + 1), "start": [row] * (row % 3 + 1)} for row in rows]
    lines = said(
        {
            "decision": [["yes", "no", "maybe"][row % 3] for row in rows],
            "decision_id": [row % 3 for row in rows],
            "score": [row / 12 for row in rows],
            "page": [" ".join(texts(20 + row)) for row in rows],
            "tokens": [[f"w{item}{row}" for item in range(row % 4 + 1)] for row in rows],
            "tags": [["O"] * (row % 4 + 1) for row in rows],
            "choices": [["a b", f"c {row}"] for row in rows],
            "answers": answers,
            "lang": ["en"] * 60,
            "note": [None if row % 4 else f"see {row}" for row in rows],
        },
        {"tags": List(ClassLabel(names=["O", "B"]))},
    )
    assert lines == [
        "decision: string, one of maybe, no, yes",
        "decision_id: int64, same as decision",
        "score: float64, 0 to 4.91667",
        "page: string, about 396 words",
        "tokens: 1 to 4 strings",
        "tags: list of O, B, one per item of tokens",
        "choices: 2 strings",
        "answers: the next 2 together",
        "answers.text: 1 to 3 strings",
        "answers.start: 1 to 3 integers, one per item of answers.text",
        "lang: string, always en",
        "note: string, 75% empty",
    ]


def test_the_rows_shown_differ_in_their_labels() -> None:
    columns = {"text": texts(), "label": ["good"] * 30 + ["bad"] * 10, "note": [None] * 5 + ["x"] * 35}
    table = pa.table(columns)
    shown = choose_shown(table, field_facts(list(specs(table).values()), table))
    assert [row["label"] for row in shown] == ["good", "bad"] and all(row["note"] for row in shown)


VALUES = st.one_of(
    st.lists(st.one_of(st.none(), st.text(max_size=6)), max_size=30),
    st.lists(st.one_of(st.none(), st.integers(-9, 9)), max_size=30),
    st.lists(st.one_of(st.none(), st.floats()), max_size=30),
    st.lists(st.one_of(st.none(), st.booleans()), max_size=30),
    st.lists(st.one_of(st.none(), st.lists(st.one_of(st.none(), st.text(max_size=3)), max_size=3)), max_size=30),
    st.lists(st.one_of(st.none(), st.fixed_dictionaries({"text": st.lists(st.text(max_size=3))})), max_size=30),
)


@given(one=VALUES, two=VALUES)
def test_every_table_has_facts_and_lines(one: list[Any], two: list[Any]) -> None:
    count = min(len(one), len(two))
    columns = {"one": one[:count], "two": two[:count]}
    try:
        pa.table(columns)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return
    for each in facts(columns).values():
        assert 0 <= each.empty <= 1 and (each.same_as in (None, "one")) and FieldFacts(**each.model_dump()) == each
    assert all("\n" not in line for line in said(columns))
