"""Answers in every form that models have given, read without evaluation."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynosaur_core.instruction.parse import MAX_DESIGNS, MAX_INSTRUCTION_CHARS, MAX_NAME_CHARS, MAX_NAMES, parse_answer
from dynosaur_core.llm.literals import find_literals
from dynosaur_core.reasons import Reason

FIELDS = ("question", "context", "answer", "Latitude, Longitude")
FIRST = {"instruction": "Answer the question.", "input_fields": ["question", "context"], "output_field": "answer"}
SECOND = {"instruction": "Ask a question.", "input_fields": ["context"], "output_field": "question"}
TASKS = json.dumps({"tasks": [FIRST, SECOND]})


@pytest.mark.parametrize(
    "text",
    [
        TASKS,
        repr({"tasks": [FIRST, SECOND]}),
        f"```json\n{TASKS}\n```",
        f"Sure! [Here] are {{two}} tasks:\n{TASKS}\nHope it helps.",
        f'{{"tasks": [{json.dumps(SECOND)}]}} That is poor. Better:\n{TASKS}',
        f"I thought of {json.dumps(SECOND)} first.\n{TASKS}",
        f'<thinking>{{"tasks": [{json.dumps(SECOND)}]}}</thinking>{TASKS}',
        f'{{"tasks": [{json.dumps(SECOND)}]}}, no.</think>{TASKS}',
        f"<|channel|>analysis<|message|>{json.dumps([SECOND])}<|end|><|channel|>final<|message|>{TASKS}",
        f'<think>Maybe {{"instruction": "No.", "input_fields": []}}?</think>\n{TASKS}',
        f"Task 1: {json.dumps(FIRST)}\nTask 2: {json.dumps(SECOND)}",
        json.dumps([FIRST, SECOND]),
        json.dumps({"Task 1": FIRST, "Task 2": SECOND}),
        TASKS.replace("output_field", "output_fields").replace('"answer"', '["answer"]'),
        TASKS.replace("input_fields", "Input Fields").replace("output_field", "Output"),
        json.dumps({"tasks": [dict(reversed(FIRST.items())), dict(reversed(SECOND.items()))]}),
        TASKS.replace('["question", "context"]', '"question, context"'),
        TASKS[:-2] + ",]}",
        TASKS[:-1],
        TASKS[:-1] + ', {"instruction": "A third that is cut of',
        json.dumps({"tasks": [FIRST, SECOND]}, indent=2)[:-4] + ', {"input_fields": ["context"], "output_fie',
    ],
)
def test_both_tasks_are_read(text: str) -> None:
    parsed = parse_answer(text, FIELDS)
    assert [design.malformed for design in parsed.designs] == [None, None]
    assert [design.instruction for design in parsed.designs] == ["Answer the question.", "Ask a question."]
    assert [design.input_fields for design in parsed.designs] == [("question", "context"), ("context",)]
    assert [design.output_fields for design in parsed.designs] == [("answer",), ("question",)]


def test_whole_tasks_of_an_answer_cut_anywhere_are_kept() -> None:
    for length in range(len(TASKS)):
        designs = parse_answer(TASKS[:length], FIELDS).designs
        whole = (length >= TASKS.index("}") + 1) + (length >= len(TASKS) - 2)
        assert [design.malformed for design in designs] == [None] * whole, TASKS[:length]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("The dataset could be used for many things.", Reason.UNPARSABLE),
        ("", Reason.UNPARSABLE),
        (f"<think>{TASKS}", Reason.UNPARSABLE),
        ("{{{{[[[[", Reason.UNPARSABLE),
        ('{"tasks": []}', Reason.NO_DESIGN),
        ("I'm sorry, but I can't help with that.", Reason.MODEL_REFUSAL),
        ("As an AI, I am not able to.", Reason.MODEL_REFUSAL),
    ],
)
def test_an_answer_without_tasks_says_why(text: str, problem: Reason) -> None:
    parsed = parse_answer(text, FIELDS)
    assert (parsed.designs, parsed.problem) == ((), problem)


@pytest.mark.parametrize(
    "task",
    [
        {"input_fields": ["question"], "output_field": "answer"},
        {"instruction": ["Answer."], "input_fields": ["question"], "output_field": "answer"},
        {"instruction": "Answer.", "input_fields": {"a": "question"}, "output_field": "answer"},
        {"instruction": "Answer.", "input_fields": ["question"], "output_field": [["answer"]]},
        "Answer the question from the context",
    ],
)
def test_a_task_of_the_wrong_form_is_kept_as_malformed(task: Any) -> None:
    designs = parse_answer(json.dumps({"tasks": [task, FIRST]}), FIELDS).designs
    assert [design.malformed is None for design in designs] == [False, True]


def test_a_name_with_a_comma_is_one_field() -> None:
    task = {**FIRST, "input_fields": "Latitude, Longitude"}
    assert parse_answer(json.dumps([task]), FIELDS).designs[0].input_fields == ("Latitude, Longitude",)


def test_a_name_given_twice_is_one_input() -> None:
    for names in (["question", "context", "question"], "question, context, question"):
        task = {**FIRST, "input_fields": names}
        assert parse_answer(json.dumps([task]), FIELDS).designs[0].input_fields == ("question", "context")


def test_drafts_of_an_answer_to_both_modes_are_left_out() -> None:
    draft = json.dumps({"from_description": [SECOND], "from_data": [SECOND]})
    final = json.dumps({"from_description": [FIRST], "from_data": []})
    parsed = parse_answer(f"{draft} no: {final}", FIELDS)
    assert [design.instruction for design in parsed.designs] == ["Answer the question."]


def test_an_answer_to_both_modes_in_two_values_is_one() -> None:
    halves = json.dumps({"from_description": [FIRST]}), json.dumps({"from_data": [SECOND]})
    assert [design.instruction for design in parse_answer("\n".join(halves), FIELDS).designs] == [
        "Answer the question.",
        "Ask a question.",
    ]


@pytest.mark.parametrize("refusal", ["", "  ", None])
def test_a_refusal_without_words_is_none(refusal: str | None) -> None:
    assert len(parse_answer(TASKS, FIELDS, refusal=refusal).designs) == 2


@pytest.mark.parametrize("around", ["", "Sure! "])
def test_half_an_emoji_in_a_task_is_replaced(around: str) -> None:
    task = {**FIRST, "instruction": "Answer \ud83d the \0 question \ud83d\ude00.", "input_fields": ["question\udc00"]}
    (design,) = parse_answer(f"{around}{json.dumps([task])}", FIELDS).designs
    assert design.instruction == "Answer \ufffd the \ufffd question \U0001f600."
    assert design.input_fields == ("question\ufffd",)


def test_what_is_read_of_a_task_is_bounded() -> None:
    task = {"instruction": "x" * 50_000, "input_fields": [f"f{i}" for i in range(500)], "output_field": "y" * 900}
    (design,) = parse_answer(json.dumps([task]), FIELDS).designs
    assert len(design.instruction) == MAX_INSTRUCTION_CHARS
    assert len(design.input_fields) == MAX_NAMES and len(design.output_fields[0]) == MAX_NAME_CHARS


def test_an_answer_to_both_modes_keeps_its_lists_apart() -> None:
    parsed = parse_answer(json.dumps({"from_description": [FIRST], "from_data": [SECOND]}), FIELDS)
    assert [design.instruction for design in parsed.of("from_data")] == ["Ask a question."]
    assert [design.instruction for design in parsed.of("from_description")] == ["Answer the question."]


def test_endless_answers_are_bounded() -> None:
    assert len(parse_answer(json.dumps({"tasks": [FIRST] * 1_000}), FIELDS).designs) == MAX_DESIGNS
    assert find_literals("{" * 60_000) == []
    assert find_literals('{"a": [' * 9_000 + '"x' * 3) == []


_texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | _texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_texts, inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(_texts, _values, max_size=4), st.text("abc \n:,", max_size=10))
def test_json_and_python_are_read_back_inside_other_text(value: dict[str, Any], around: str) -> None:
    for written in (json.dumps(value), json.dumps(value, ensure_ascii=False), repr(value)):
        assert find_literals(f"{around} {written} {around}") == [value]


@given(st.text("{}[]()'\",:\\ntask1", max_size=60))
def test_any_text_gives_designs_or_a_problem(text: str) -> None:
    parsed = parse_answer(text, FIELDS)
    assert bool(parsed.designs) != (parsed.problem is not None)


def test_parse_answer_reads_an_answer_that_is_encoded_twice() -> None:
    text = json.dumps({"tasks": [{"instruction": "Do it.", "input_fields": ["a"], "output_field": "b"}]})
    once, twice = parse_answer(text, ["a", "b"]), parse_answer(json.dumps(text), ["a", "b"])
    assert once.designs == twice.designs != ()
    assert parse_answer(text, ["a", "b"], refusal="None").designs == once.designs
    assert parse_answer(text, ["a", "b"], refusal="I won't.").problem is Reason.MODEL_REFUSAL


@pytest.mark.parametrize(
    ("said", "how"),
    [
        ("all", "all"),
        ("References", "references"),
        ("SEQUENCE", "sequence"),
        ("none", None),
        (None, None),
        (["all"], None),
    ],
)
def test_how_a_list_is_an_output_is_read(said: object, how: str | None) -> None:
    value = {"instruction": "Tag the tokens.", "input_fields": ["tokens"], "output_field": "tags", "list_output": said}
    [found] = parse_answer(json.dumps({"tasks": [value]}), ("tokens", "tags")).designs
    assert (found.list_output, found.malformed) == (how, None)


@pytest.mark.parametrize(
    "words",
    [
        [{"label": "ele", "words": "elementary"}, {"label": "0", "words": "none"}],
        {"ele": "elementary", "0": "none"},
        [["ele", "elementary"], [0, " none "]],
        [{"raw": "ele", "word": "elementary"}, {"code": 0, "words": "none"}],
    ],
)
def test_words_for_labels_are_read(words: Any) -> None:
    text = json.dumps({"tasks": [FIRST | {"label_words": words}, SECOND | {"label_words": []}]})
    first, second = parse_answer(text, FIELDS).designs
    assert (first.malformed, second.malformed) == (None, None)
    assert (first.label_words, second.label_words) == ((("ele", "elementary"), ("0", "none")), ())


def test_words_for_labels_may_be_null() -> None:
    text = json.dumps([FIRST | {"label_words": None}, SECOND | {"label_words": [{"label": True, "words": None}]}])
    assert [design.label_words for design in parse_answer(text, FIELDS).designs] == [(), (("True", "True"),)]


@pytest.mark.parametrize("words", ["elementary", 3, [{"label": "ele"}, "x"], [["a", "b", "c"]], {"a": {"b": "c"}}])
def test_words_for_labels_of_another_form_are_malformed(words: Any) -> None:
    (design,) = parse_answer(json.dumps([FIRST | {"label_words": words}]), FIELDS).designs
    assert design.malformed == "the words for labels are not pairs of a label and its words"
