"""Instructions that do not say what to do, as a small model wrote them; and short ones that do."""

from __future__ import annotations

import pytest

from dynosaur_core.reasons import Reason
from tests.filter.tables import Data, N, choices, nli, sentence, sentiment, word_problems


def news() -> Data:
    return Data(
        {
            "document": [sentence(i) + " " + sentence(i + 500) for i in range(N)],
            "summary": [sentence(i) for i in range(N)],
        }
    )


def programs() -> Data:
    return Data(
        {
            "instruction": [f"Say {sentence(i).lower()}" for i in range(N)],
            "code": [f"print({sentence(i)!r}, end={i})" for i in range(N)],
        }
    )


def values() -> Data:
    return Data({"expression": [f"{i} + {i * 7 % 11}" for i in range(N)], "value": [i + i * 7 % 11 for i in range(N)]})


@pytest.mark.parametrize(
    "instruction",
    [
        "document",
        "Document and summary",
        "lending",
        "get_output_from_inputs",
        "Use the task",
        "Write the output",
        "get the output from the input fields",
        "1. Get the output from the input fields by using the JSON format",
        "Use the provided instructions to get the required output from the given data.",
        "Use the `get_output_field` function to get the output of the specified input field.",
        "Use the `token_to_int` function to convert the document to a summary",
        "Use the string.format() method to write the summary of each of the documents.",
        "To get the summary from the document, you must input all the input fields (document, summary).",
        "To get the output from the inputs, use JSON. JSON is a format that allows you to store and parse data.",
        "Use a format like {output_field} {input_fields} to write the summary",
        "Write one sentence that tells a person how to get the summary.",
        '{"instruction": "Write a summary of the document.", "input',
        "print.summary.from({document: 1}) of the document",
        "The document is located at [document_id]",
        "Summarise the document with the most important points of the",
        "Use the words of the document to write a summary, which is",
        "Write a summary of the document (in other words",
        "This dataset contains news articles and a summary of each.",
        "NewsSum is a large English dataset to train models to summarise news.",
        "Use the tram to reach the most beautiful places",
        "can you please send the file as soon as possible",
    ],
)
def test_it_does_not_say_what_to_do(instruction: str) -> None:
    assert news().reasons(instruction, "document", "summary") == {Reason.NOT_AN_INSTRUCTION}


@pytest.mark.parametrize(
    ("make", "instruction", "inputs", "output"),
    [
        (news, "Summarise the text.", "document", "summary"),
        (news, "Summarize this", "document", "summary"),
        (news, "Translate to French.", "document", "summary"),
        (news, "Fix the grammar.", "document", "summary"),
        (news, "Summary of the article", "document", "summary"),
        (news, "Text summarization", "document", "summary"),
        (news, "Romanize the text.", "document", "summary"),
        (news, "Report what happened, in one sentence.", "document", "summary"),
        (news, "Could you make this shorter?", "document", "summary"),
        (news, "What is it about?", "document", "summary"),
        (news, "Generate a summary from the input fields.", "document", "summary"),
        (news, "Return a JSON list of the main points of the text.", "document", "summary"),
        (news, "Write what the `document` says", "document", "summary"),
        (news, "Pick the sentence that the text belongs to", "document", "summary"),
        (news, "NewsSum is a dataset of articles. Summarise the article.", "document", "summary"),
        (sentiment, "Classify the sentiment.", "sentence", "label"),
        (sentiment, "Sentiment of the sentence", "sentence", "label"),
        (sentiment, "Positive or negative?", "sentence", "label"),
        (sentiment, "positive or negative", "sentence", "label"),
        (sentiment, "The task is determining the polarity.", "sentence", "label"),
        (nli, "Is the hypothesis true?", "premise,hypothesis", "label"),
        (nli, "Natural language inference", "premise,hypothesis", "label"),
        (word_problems, "Answer the question.", "question", "answer"),
        (word_problems, "Work out the answer", "question", "answer"),
        (choices, "Select A, B, C or D.", "question,choices", "answer"),
        (programs, "Follow the instruction.", "instruction", "code"),
        (values, "Predict the value.", "expression", "value"),
    ],
)
def test_short_instructions_pass(make: type[Data], instruction: str, inputs: str, output: str) -> None:
    assert make().judge(instruction, inputs, output) == []


def test_a_text_of_a_class_must_be_asked_for() -> None:
    for wording in ("Classify the label.", "Predict the premise.", "Find the premise of the label."):
        assert nli().reasons(wording, "label", "premise") == {Reason.NOT_DERIVABLE}
        assert Reason.NOT_DERIVABLE in nli().reasons(wording, "label,idx", "premise")
    for wording in ("Write a premise.", "What would a premise of this label say?", "Give an example of the label."):
        assert nli().judge(wording, "label", "premise") == []
    assert nli().judge("Find the premise of the hypothesis.", "label,hypothesis", "premise") == []


def test_a_passage_of_many_questions_is_no_class() -> None:
    data = Data({"passage": [sentence(i // 10) for i in range(N)], "question": [sentence(i + 300) for i in range(N)]})
    assert data.judge("Quiz a reader on the passage.", "passage", "question") == []


def test_phrases_of_the_rows_are_no_wording_of_a_task() -> None:
    """Even where a third of the rows share them; wordings of tasks may stand in the rows."""
    stock = ["Families with children feel at home in it.", "Answer the question and explain the answer briefly."]
    texts = [sentence(i) + " " + (stock[i % 2] if i % 3 else "") for i in range(N)]
    data = Data({"text": texts, "notes": [sentence(i + 300) for i in range(N)]})
    copied = "You will find that families with children feel at home in it."
    assert data.reasons(copied, "text", "notes") == {Reason.ROW_SPECIFIC}
    assert data.judge("Answer the question and explain the answer briefly.", "text", "notes") == []


def test_apostrophes_hide_no_copy() -> None:
    texts = [sentence(i) for i in range(N)]
    texts[5] = "You reach Fisher's Rest by the old ferry from Turin."
    data = Data({"text": texts, "notes": [sentence(i + 300) for i in range(N)]})
    assert data.reasons("Reach Fisher's Rest by the old ferry and write notes.", "text", "notes") == {
        Reason.ROW_SPECIFIC
    }
