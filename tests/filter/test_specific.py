"""Instructions that were made from one row, as GPT-3.5 made them, and those that speak of the whole dataset."""

from __future__ import annotations

import pytest

from dynosaur_core.reasons import Reason
from tests.filter.tables import NOUNS, PLACES, VERBS, Data, N, choices, sentence, sentiment, word_problems


def functions() -> Data:
    """Programming tasks: the text is the task of one row."""
    tasks = [f"Write a function to {VERBS[i % 8][:-1]} the {i}th item {PLACES[i % 11]}." for i in range(N)]
    tasks[3] = "Write a python function to find the sum of all prime numbers in a given range."
    tasks[9] = "Write a function to find the length of the longest increasing subsequence."
    return Data(
        {
            "text": tasks,
            "code": [f"def f{i}(x):\n    return x - {i}" for i in range(N)],
            "test_list": [[f"assert f{i}({i}) == 0"] for i in range(N)],
        }
    )


@pytest.mark.parametrize(
    ("make", "instruction", "inputs", "output"),
    [
        (word_problems, "Calculate the total number of clips sold by Natalia in April and May.", "question", "answer"),
        (choices, "Identify the nerve that travels through the parotid gland.", "question,choices", "answer"),
        (
            choices,
            "Given a set of choices, identify the answer to a question about the parotid gland.",
            "question,choices",
            "answer",
        ),
        (functions, "Write a function to find the sum of all prime numbers in a given range.", "test_list", "code"),
        (
            functions,
            "Write a function to find the length of the longest increasing subsequence from the given list.",
            "test_list",
            "code",
        ),
        (
            word_problems,
            "Natalia sold clips to 48 friends in April and half as many in May. How many clips in total?",
            "question",
            "answer",
        ),
    ],
)
def test_instruction_of_one_row(make: type[Data], instruction: str, inputs: str, output: str) -> None:
    assert make().reasons(instruction, inputs, output) == {Reason.ROW_SPECIFIC}


@pytest.mark.parametrize(
    ("make", "instruction", "inputs", "output"),
    [
        (word_problems, "Solve the math word problem step by step.", "question", "answer"),
        (word_problems, "Create a new question based on the given answer.", "answer", "question"),
        (choices, "Given a set of choices, identify the correct answer to the question.", "question,choices", "answer"),
        (functions, "Write a function that passes all of the given tests.", "test_list", "code"),
        (functions, "Describe what the function does.", "code", "text"),
    ],
)
def test_instruction_for_all_rows(make: type[Data], instruction: str, inputs: str, output: str) -> None:
    assert make().judge(instruction, inputs, output) == []


def test_what_many_rows_speak_of_is_the_topic() -> None:
    def data(every: int) -> Data:
        texts = [sentence(i) + (" The parotid gland swells." if i % every == 0 else "") for i in range(N)]
        return Data({"text": texts, "note": [sentence(i + 300) for i in range(N)]})

    wording = "Write a note on the parotid gland for the text."
    assert not data(every=3).judge(wording, "text", "note")
    assert data(every=60).reasons(wording, "text", "note") == {Reason.ROW_SPECIFIC}


def test_names_of_the_dataset_and_its_labels_are_no_rows() -> None:
    texts = [sentence(i) + (" Solar flares hit." if i in (5, 80) else "") for i in range(N)]
    data = Data({"text": texts, "solar_flares": [sentence(i + 300) for i in range(N)]})
    assert not data.judge("Describe the solar flares of the text.", "text", "solar_flares")


def test_quoted_labels_and_examples_claim_nothing() -> None:
    data = sentiment()
    texts = data.table.column("sentence").to_pylist()
    texts[4] = "Fear, joy, anger and sadness meet in Oslo."
    data = Data({"text": texts, "mood": [sentence(i + 300) for i in range(N)]})
    assert not data.judge("Complete the text in a mood such as fear, joy, anger or sadness.", "text", "mood")
    assert not data.judge("Complete the text in a mood ('fear', 'joy', 'anger', 'sadness').", "text", "mood")


def code() -> Data:
    """Functions, few of which bear a docstring or speak of a signature."""
    lines = [f"def {sentence(i).split()[1]}_{i}(x): return x + {i}" for i in range(N)]
    lines[3] += "  # the docstring of its signature"
    return Data({"text": [sentence(i) for i in range(N)], "code": lines})


def with_shown(data: Data, *numbers: int) -> Data:
    """The data as a designer saw them: these rows and no others."""
    shown = tuple(data.table.slice(number, 1).to_pylist()[0] for number in numbers)
    data.subset = data.subset.model_copy(update={"shown": shown})
    return data


@pytest.mark.parametrize("number", [0, 3])
def test_words_of_rows_that_were_not_shown_are_no_particulars(number: int) -> None:
    """A designer cannot have a word from a row that it has not seen, whatever the rare word's rows."""
    data, names = with_shown(code(), number, 5), ("text", "code")
    found = data.reasons("Write the docstring signature of the function.", "code", "text", shown_fields=names)
    assert found == ({Reason.ROW_SPECIFIC} if number == 3 else set())


def test_a_name_from_a_row_shown_is_a_particular() -> None:
    sellers = ["Natalia" if i == 4 else "she" for i in range(48)]
    data = Data(
        {
            "question": [f"How many {NOUNS[i % 16]}s did {seller} sell?" for i, seller in enumerate(sellers)],
            "answer": [f"She sold {i * 7 + 3} of them." for i in range(48)],
        }
    )
    names = ("question", "answer")
    wording = "Work out what Natalia sold."
    assert with_shown(data, 4, 9).reasons(wording, "question", "answer", shown_fields=names) == {Reason.ROW_SPECIFIC}
    assert not with_shown(data, 5, 9).reasons(wording, "question", "answer", shown_fields=names)
