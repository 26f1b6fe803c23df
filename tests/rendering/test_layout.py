"""`publishing.layout`: how several inputs stand together, in which order, and that they can be read back."""

from __future__ import annotations

import json
import re
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynosaur_core.models import ROW_COLUMN, SPLIT_COLUMN, InstructionTask, Mode
from dynosaur_core.reasons import Reason
from dynosaur_core.rendering.columns import Columns
from dynosaur_core.rendering.names import written
from dynosaur_core.rendering.render import REASONS, render
from dynosaur_core.settings import Publishing

LAYOUTS = ["lines", "sentences", "json"]


def inputs_of(columns: dict[str, Any], names: str, **settings: Any) -> list[str | Reason | None]:
    """The input of every row, or why there is none."""
    count = len(next(iter(columns.values())))
    places = {SPLIT_COLUMN: ["train"] * count, ROW_COLUMN: range(count)}
    table = pa.table({"answer": ["x"] * count, **columns, **places})
    task = InstructionTask(
        repo_id="a/b",
        config="c",
        instruction="Do.",
        input_fields=tuple(names.split()),
        output_field="answer",
        mode=Mode.RULES,
        model="m",
    )
    made = render(task, Columns(table), Publishing(**settings))
    return [REASONS[code] or text for code, text in zip(made.codes, made.inputs.to_pylist(), strict=True)]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("sentence1", "Sentence 1"),
        ("QueryBody", "Query body"),
        ("question_2", "Question 2"),
        ("answers.text", "Answers"),
        ("context.contexts", "Contexts"),
        ("choices.label", "Choices label"),
        ("HTMLText", "HTML text"),
        ("ANSWER_KEY", "Answer key"),
        ("SQL", "SQL"),
        ("option_A", "Option A"),
        ("q1", "Q1"),
        ("Pronoun-offset", "Pronoun offset"),
        ("überschrift", "Überschrift"),
        ("问题", "问题"),
        ("?", "?"),
    ],
)
def test_written_names(name: str, text: str) -> None:
    assert written([name]) == (text,)


def test_written_names_that_would_be_alike_stay() -> None:
    assert written(["a_b", "aB", "c1"]) == ("a_b", "aB", "c1")


def test_lines_have_a_name_each_and_a_single_input_has_none() -> None:
    pair = {"sentence1": ["It's on.", ""], "sentence2": ["Off", "No"]}
    assert inputs_of(pair, "sentence1 sentence2") == [
        "Sentence 1: It's on.\nSentence 2: Off",
        "Sentence 1:\nSentence 2: No",
    ]
    assert inputs_of(pair, "sentence2") == ["Off", "No"]


@pytest.mark.parametrize(
    ("lengths", "order"),
    [
        ({"context": 900, "question": 60}, "Question Context"),
        ({"sentence1": 210, "sentence2": 190}, "Sentence 1 Sentence 2"),
        ({"premise": 120, "hypothesis": 30}, "Premise Hypothesis"),
        ({"body": 5000, "abstract": 900, "title": 50, "year": 4}, "Title Year Body Abstract"),
    ],
)
def test_lines_put_long_texts_last_and_keep_the_order_of_the_others(lengths: dict[str, int], order: str) -> None:
    columns = {name: ["x" * length, "x", "y" * length] for name, length in lengths.items()}
    for text in inputs_of(columns, " ".join(lengths), max_input_chars=10_000):
        assert isinstance(text, str)
        assert " ".join(re.findall(r"^(.+?):", text, re.M)) == order


def test_lines_put_a_text_of_several_lines_below_its_name() -> None:
    columns = {"poem": ["one\ntwo", "three"], "title": ["t", "u"]}
    assert inputs_of(columns, "poem title") == ["Poem:\none\ntwo\n\nTitle: t", "Poem: three\nTitle: u"]
    assert inputs_of(columns, "title poem")[0] == "Title: t\nPoem:\none\ntwo"


def test_lines_fence_a_text_that_would_pass_for_another_field() -> None:
    columns = {"text": ["a\nQuestion: what?"], "question": ["who?"]}
    assert inputs_of(columns, "question text") == ['Question: who?\nText:\n"""\na\nQuestion: what?\n"""']
    columns["text"] = ['a\nQuestion: what?\n"""']
    assert inputs_of(columns, "question text") == ['Question: who?\nText:\n""""\na\nQuestion: what?\n"""\n""""']
    columns["text"] = ["Question: on its own line it is no name"]
    assert inputs_of(columns, "question text") == ["Question: who?\nText: Question: on its own line it is no name"]


PIECES = st.lists(st.sampled_from(["a", "b c", "\n", "\n\n", "Text:", "Title: x", '"""', '"', " "]), max_size=8)


@given(PIECES.map("".join), PIECES.map("".join))
def test_lines_can_be_read_back(text: str, title: str) -> None:
    (found,) = inputs_of({"text": [text + "."], "title": [title]}, "text title")
    assert isinstance(found, str)
    assert read_back(found) == {"Text": (text + ".").strip("\n"), "Title": title.strip("\n")}


def read_back(text: str) -> dict[str, str]:
    """The fields of an input: one begins at each line that begins with its name, unless a fence is open there."""
    values: dict[str, list[str]] = {}
    fence = name = ""
    for line in text.split("\n"):
        if not fence and (begun := re.match("(Text|Title):", line)):
            name, rest = begun[1], line[begun.end() :]
            values[name] = [rest[1:]] if rest else []
        elif fence and line == fence:
            fence = ""
        elif not fence and not values[name] and re.fullmatch('"{3,}', line):
            fence = line
        else:
            values[name].append(line)
    return {name: "\n".join(lines).strip("\n") for name, lines in values.items()}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (["The", "cat", "sat", "."], "The cat sat ."),
        (["sports", "news"], "sports, news"),
        ([1, 2], "1, 2"),
        (["A first sentence, with a comma.", "A second."], "- A first sentence, with a comma.\n- A second."),
        (["two\nlines", " one \n "], "- two\n  lines\n- one"),
        (["Only one text, and no list."], "Only one text, and no list."),
        ([], ""),
        ([{"speaker": "A", "text": "Hi."}, {"speaker": "B", "text": "Ho."}], "A: Hi.\nB: Ho."),
        ({"speaker": ["A", "B"], "text": ["Hi.", "Ho."]}, "A: Hi.\nB: Ho."),
        ({"text": ["red", "blue"], "label": ["A", "B"]}, "A. red\nB. blue"),
        ({"text": ["red", "red"], "answer_start": [1, 2]}, "red"),
        ({"name": "x", "size": 3, "none": None}, "name: 'x', size: 3"),
        ([{"id": 1, "at": "x"}], "{id: 1, at: 'x'}"),
    ],
)
def test_lines_write_nested_values_for_reading(value: Any, text: str) -> None:
    assert inputs_of({"field": [value], "b": ["x"]}, "field", max_input_chars=900) == [text or Reason.INPUT_EMPTY]


def test_json_is_an_object_of_the_fields_as_they_are() -> None:
    columns: dict[str, Any] = {
        "first_text": ['He said "no".\nYes.', ""],
        "n": [1, None],
        "x": [0.5, 2.0],
        "b": [True, False],
        "list": [["a", None], []],
        "answers.text": [{"k": [1.5]}, {"k": [2.0]}],
    }
    first, second = inputs_of(columns, "first_text n x b list answers.text", layout="json")
    assert isinstance(first, str)
    assert json.loads(first) == {name: column[0] for name, column in columns.items()}
    assert second is Reason.INPUT_NULL
    assert inputs_of(columns, "first_text", layout="json")[0] == json.dumps({"first_text": columns["first_text"][0]})
    assert inputs_of({"list": [[], ["a"]], "n": [1, 2]}, "list n", layout="json")[0] == '{"list": [], "n": 1}'
    assert inputs_of({"list": [[], ["a"]]}, "list", layout="json") == [Reason.INPUT_EMPTY, '{"list": ["a"]}']


def test_json_keeps_the_marks_of_options() -> None:
    table = {"question": ["q"], "choices": [["red", "blue"]], "answer": ["B"]}
    (text,) = inputs_of(table, "question choices", layout="json")
    assert text == '{"question": "q", "choices": {"A": "red", "B": "blue"}}'


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("text", ["word " * 300, 'it\'s "so"\n' * 200, "Question: no\n" * 200, "ä" * 1500])
def test_a_cut_keeps_the_form(layout: str, text: str) -> None:
    (found,) = inputs_of(
        {"context": [text], "question": ["Who?"]}, "context question", layout=layout, max_input_chars=200
    )
    assert isinstance(found, str)
    assert 100 < len(found) <= 200
    assert "Who?" in found
    assert "…" in found
    if layout == "json":
        assert json.loads(found)["question"] == "Who?"
        (alone,) = inputs_of({"context": [text]}, "context", layout=layout, max_input_chars=200)
        assert isinstance(alone, str)
        assert json.loads(alone)["context"].endswith("…")
