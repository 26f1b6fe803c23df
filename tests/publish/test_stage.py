"""Rows into records: every row comes out once, as a record or with a reason."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.models import InstructionRecord, Subset
from dynosaur_core.publish.stage import publish, publish_key
from dynosaur_core.reasons import Reason
from dynosaur_core.settings import Publishing
from dynosaur_core.store import Store

from .conftest import Render, describe, design, sample

TIMES = [datetime(2020, 1, 2), datetime(2020, 1, 2, 3, 4, 5)]


def test_records_have_the_published_columns_in_order_and_say_where_they_are_from(store: Store) -> None:
    rows = pa.table({"text": ["good", "bad"], "label": ["pos", "neg"]})
    task = design("text", "label", "Classify", labels=("neg", "pos"), config="b")
    metadata = describe(sample(store, rows, "a"), sample(store, rows, "b"))
    made = publish(metadata, [task], store, Publishing())
    table = store.read_table("records", made.shard.digest)
    assert [*table.column_names, "references"] == list(InstructionRecord.model_fields)
    assert InstructionRecord(**table.to_pylist()[1]) == InstructionRecord(
        instruction="Classify. Answer with one of: neg, pos.",
        input="bad",
        output="neg",
        license="mit",
        website=metadata.website,
        taskname="owner/name-b",
        repo_id="owner/name",
        config="b",
        split="train",
        row=1,
        revision="r1",
        task_id=task.task_id,
        mode="description_aware",
        model="some-model",
    )
    assert {(str(field.type), field.nullable) for field in table.schema} == {("string", False), ("int64", False)}


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        (pa.array([3.0, 0.1, 1e20]), ["3.0", "0.1", "1e+20"]),
        (
            pa.array([1_234_567.0, 2.0**24, 1e15, 1e-5]),
            ["1234567.0", "16777216.0", "1000000000000000.0", "1e-05"],
        ),
        (pa.array([True, False]), ["True", "False"]),
        (pa.array([-1, 2]), ["-1", "2"]),
        (pa.array(TIMES, pa.timestamp("ns")), ["2020-01-02 00:00:00", "2020-01-02 03:04:05"]),
        (pa.array(["a", "b"]).dictionary_encode(), ["a", "b"]),
        (pa.array(["a", "b"], pa.large_string()), ["a", "b"]),
        (pa.array([["a"], ["b", "b"]]), ["a", "b"]),
        (pa.array([[0.1], [1e20, 1e20]]), ["0.1", "1e+20"]),
    ],
)
def test_scalars_have_one_text(render: Render, values: pa.Array, texts: list[str]) -> None:
    questions = [f"q{number}" for number in range(len(values))]
    pairs, rejected = render(pa.table({"question": questions, "answer": values}), design("question", "answer"))
    assert pairs == list(zip(questions, texts, strict=True))
    assert rejected == {}


def test_several_inputs_are_named_and_quoted(render: Render) -> None:
    rows = pa.table({"premise": ["It's on.", "a\\", ""], "score": [1.5, 2.0, 3.0], "label": ["x", "y", "z"]})
    pairs, _ = render(rows, design("premise score", "label"), layout="sentences")
    assert [text for text, _ in pairs] == [
        "premise is \"It's on.\". score is '1.5'. ",
        "premise is \"a\\\\\". score is '2.0'. ",
        "premise is ''. score is '3.0'. ",
    ]


@pytest.mark.parametrize(
    ("field", "answers", "expected"),
    [
        ("choices", ["B", "A"], "A. 'red', B. 'blue'"),
        ("choices", ["blue", "red"], "A. 'red', B. 'blue'"),
        ("choices", [1, 0], "0. 'red', 1. 'blue'"),
        ("options", ["2", "1"], "1. 'red', 2. 'blue'"),
        ("answers", ["b", "a"], "a. 'red', b. 'blue'"),
        ("tokens", ["noun", "verb"], "'red', 'blue'"),
    ],
)
def test_options_carry_the_marks_that_the_answers_use(
    render: Render, field: str, answers: list[Any], expected: str
) -> None:
    rows = pa.table({"question": ["q", "r"], field: [["red", "blue"]] * 2, "answer": answers})
    pairs, _ = render(rows, design(f"question {field}", "answer"), layout="sentences")
    assert pairs[0] == (f"question is 'q'. {field} is {expected}. ", str(answers[0]))


def test_lists_of_one_length_are_lists(render: Render) -> None:
    options = pa.array([["red", "blue"], None], pa.list_(pa.string(), 2))
    rows = pa.table({"answers": options, "n": pa.array([[1, 2], [3]], pa.large_list(pa.int8())), "answer": ["B", "A"]})
    pairs, rejected = render(rows, design("answers n", "answer"))
    assert pairs == [("Answers:\nA. red\nB. blue\n\nN: 1, 2", "B")]
    assert rejected == {Reason.INPUT_NULL: 1}


def test_every_reason_for_a_row(render: Render) -> None:
    rows = pa.table(
        {
            "text": ["fine", "fine", "a", "b", "c", "d", None, "  ", "e"],
            "more": ["-", "-", "-", "-", "-", "-", "-", "", None],
            "label": ["pos", "pos", None, "", "pos" * 9, "other", "pos", "pos", "pos"],
        }
    )
    pairs, rejected = render(rows, design("text more", "label", labels=("neg", "pos")), max_output_chars=20)
    assert pairs == [("Text: fine\nMore: -", "pos")]
    assert rejected == {
        Reason.DUPLICATE_RECORD: 1,
        Reason.OUTPUT_NULL: 1,
        Reason.OUTPUT_EMPTY: 1,
        Reason.OUTPUT_TOO_LONG: 1,
        Reason.OUTPUT_OUTSIDE_LABELS: 1,
        Reason.INPUT_NULL: 2,
        Reason.INPUT_EMPTY: 1,
    }


def test_what_has_no_text_is_rejected_row_by_row(render: Render) -> None:
    answers = pa.array([["one"], ["one", "two"], [None], None])
    pairs, rejected = render(pa.table({"q": list("abcd"), "a": answers}), design("q", "a"))
    assert pairs == [("a", "one")]
    assert rejected == {Reason.UNRENDERABLE: 1, Reason.OUTPUT_NULL: 2}
    pairs, rejected = render(pa.table({"q": [b"\xff", None], "a": ["x", "y"]}), design("q", "a"))
    assert rejected == {Reason.UNRENDERABLE: 1, Reason.INPUT_NULL: 1}
    _, rejected = render(pa.table({"q": ["x"], "a": [float("nan")]}), design("q", "a"))
    assert rejected == {Reason.OUTPUT_NULL: 1}
    _, rejected = render(pa.table({"q": ["x"]}), design("q", "gone"))
    assert rejected == {Reason.OUTPUT_NULL: 1}


def test_tasks_that_share_inputs_or_outputs_keep_reasons_of_their_own(store: Store) -> None:
    rows = pa.table({"text": ["a", None, "c"], "label": ["x", "y", "z"], "other": ["x", None, "y"]})
    tasks = [
        design("text", "label", "One.", labels=("x", "y")),
        design("text", "label", "Two.", labels=("y", "z")),
        design("text", "other", "Three."),
    ]
    made = publish(describe(sample(store, rows)), tasks, store, Publishing())
    assert [(each.instruction, each.reason, each.count, each.detail) for each in made.rejections] == [
        ("One.", Reason.OUTPUT_OUTSIDE_LABELS, 1, "train[2]"),
        ("One.", Reason.INPUT_NULL, 1, "train[1]"),
        ("Two.", Reason.OUTPUT_OUTSIDE_LABELS, 1, "train[0]"),
        ("Two.", Reason.INPUT_NULL, 1, "train[1]"),
        ("Three.", Reason.OUTPUT_NULL, 1, "train[1]"),
    ]
    assert [(count.sampled, count.recorded) for count in made.tasks] == [(3, 1), (3, 1), (3, 2)]


def test_a_rejection_names_its_first_row(store: Store) -> None:
    rows = pa.table({"text": ["a", "b", None, None], "label": ["x"] * 4})
    made = publish(describe(sample(store, rows)), [design("text", "label", "Do.")], store, Publishing())
    (rejection,) = made.rejections
    assert (rejection.level, rejection.stage, rejection.count, rejection.detail) == ("row", "publish", 2, "train[2]")
    assert (rejection.instruction, rejection.config) == ("Do.", "default")


def test_a_cut_keeps_every_field_and_shortens_the_longest(render: Render) -> None:
    rows = pa.table(
        {
            "context": ["word " * 100, 'it\'s "so" ' * 60],
            "question": ["What is said here?", "And where? " * 20],
            "answer": ["a", "b"],
        }
    )
    task = design("context question", "answer")
    pairs, rejected = render(rows, task, max_input_chars=200, layout="sentences")
    assert rejected == {}
    first, second = (text for text, _ in pairs)
    assert len(first) <= 200 and first.endswith("word…'. question is 'What is said here?'. ")
    assert len(second) <= 200 and second.count("…") == 2


def test_options_are_never_cut(render: Render) -> None:
    rows = pa.table({"context": ["word " * 100], "choices": [["red", "blue"]], "answer": ["red"]})
    ((text, _),), _ = render(rows, design("context choices", "answer"), max_input_chars=100)
    assert text.startswith("Choices:\nA. red\nB. blue\n\nContext: word word") and text.endswith("word…")
    long = rows.set_column(1, "choices", pa.array([["red " * 40, "blue"]]))
    assert render(long, design("context choices", "answer"), max_input_chars=100)[1] == {Reason.INPUT_TOO_LONG: 1}


def test_records_of_two_tasks_with_one_instruction_are_made_once(store: Store) -> None:
    rows = pa.table({"text": ["a", "b"], "label": ["x", "y"], "same": ["x", "z"]})
    tasks = [design("text", "label"), design("text", "same"), design("text", "label", "Other.")]
    made = publish(describe(sample(store, rows)), tasks, store, Publishing())
    assert [count.recorded for count in made.tasks] == [2, 1, 2]


TEXT = st.one_of(st.none(), st.text(alphabet="ab '\"\\é\n", max_size=40))
NESTED = st.one_of(st.none(), st.lists(st.one_of(st.none(), st.text(alphabet="ab'", max_size=9)), max_size=4))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(TEXT, NESTED, TEXT), max_size=12),
    st.sampled_from(["default", "reference"]),
    st.sampled_from(["lines", "sentences", "json"]),
    st.sampled_from([0, 1000]),
)
def test_rows_are_conserved(
    store: Store, drawn: list[tuple[Any, Any, Any]], recipe: str, layout: str, max_listed_chars: int
) -> None:
    kinds = {"text": pa.string(), "choices": pa.list_(pa.string()), "label": pa.string()}
    columns = list(zip(*drawn, strict=True)) or [(), (), ()]
    rows = pa.table({name: pa.array(values, kind) for (name, kind), values in zip(kinds.items(), columns, strict=True)})
    tasks = [
        design("text", "label"),
        design("text choices", "label", "Pick."),
        design("choices", "label", labels=("a", "b"), label_words=(("a", "one"), ("b", "two"))),
    ]
    limits = {"max_input_chars": 50, "max_listed_chars": max_listed_chars}
    made = publish(describe(sample(store, rows)), tasks, store, Publishing(recipe=recipe, layout=layout, **limits))
    table = store.read_table("records", made.shard.digest)
    rejected: Counter[str | None] = Counter()
    for rejection in made.rejections:
        rejected[rejection.instruction] += rejection.count
    assert sum(rejected.values()) == sum(count.sampled - count.recorded for count in made.tasks)
    assert all(count.sampled == len(drawn) for count in made.tasks)
    assert made.shard.records == table.num_rows == sum(count.recorded for count in made.tasks)
    assert all(len(text) <= 50 for text in table["input"].to_pylist())
    if recipe == "default":
        keys = table.select(["instruction", "input", "output"]).to_pylist()
        assert len({tuple(key.values()) for key in keys}) == len(keys)
        assert all(text.strip() for text in table["output"].to_pylist())


def test_the_same_again_is_the_same_to_the_byte(store: Store) -> None:
    rows = pa.table({"text": ["a", "b"], "label": ["x", "y"]})
    first, second = (
        publish(describe(sample(store, rows)), [design("text", "label")], store, Publishing()) for _ in range(2)
    )
    assert first == second


def test_the_key_follows_what_is_written(store: Store) -> None:
    subset = sample(store, pa.table({"text": ["a"], "label": ["x"]}))
    other = sample(store, pa.table({"text": ["b"], "label": ["x"]}))
    tasks = [design("text", "label")]

    def key(*subsets: Subset, made: list[Any] = tasks, **fields: Any) -> str:
        return publish_key(describe(*subsets or (subset,), **fields), made, Publishing())

    assert key() == key(summary="Other prose.") == key(supported_tasks="Other prose.") == key(revision="r2")
    different = [key(), key(other), key(license="apache-2.0"), key(made=[]), key(title="New")]
    assert len(set(different)) == len(different)


def test_tasks_without_rows_are_an_error(store: Store) -> None:
    with pytest.raises(DynosaurError) as caught:
        publish(describe(), [design("text", "label")], store, Publishing())
    assert caught.value.code is Code.STORE_FAILED


def test_no_tasks_make_an_empty_contribution(store: Store) -> None:
    made = publish(describe(sample(store, pa.table({"text": ["a"]}))), [], store, Publishing())
    assert (made.shard.records, made.tasks, made.rejections) == (0, (), ())
    columns = store.read_table("records", made.shard.digest).column_names
    assert [*columns, "references"] == list(InstructionRecord.model_fields)


def test_members_of_structs_are_fields_by_dotted_names(store: Store) -> None:
    rows = pa.table(
        {"title": ["t", "u"], "answers": [{"text": ["x"], "at": 1}, None], "about.place": ["Oslo", "Turin"]}
    )
    tasks = [design("title about.place", "answers.text"), design("answers.text", "title", "Name it.")]
    made = publish(describe(sample(store, rows)), tasks, store, Publishing())
    table = store.read_table("records", made.shard.digest)
    assert table["output"].to_pylist() == ["x", "t"]
    assert [(each.reason, each.count) for each in made.rejections] == [
        (Reason.OUTPUT_NULL, 1),
        (Reason.INPUT_NULL, 1),
    ]
