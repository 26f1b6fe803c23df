"""How a list is an output: as the designer says, held against the rows, or as rows and instruction let one think."""

from __future__ import annotations

from typing import Any

import pytest

from dynosaur_core.filter.stage import filter_tasks, judge_design
from dynosaur_core.models import InstructionTask, ListOutput
from dynosaur_core.reasons import Reason
from dynosaur_core.settings import Filtering
from tests.filter.tables import NOUNS, Data, N, choices, design, proposal, question, sentence

WORDS = [sentence(i).split() for i in range(N)]
ALL, REFERENCES, SEQUENCE = ListOutput.ALL, ListOutput.REFERENCES, ListOutput.SEQUENCE


def tagged() -> Data:
    tags = [["NOUN" if word in NOUNS else "OTHER" for word in words[: 3 + i % 4]] for i, words in enumerate(WORDS)]
    tokens = [words[: 3 + i % 4] for i, words in enumerate(WORDS)]
    return Data({"tokens": tokens, "text": [" ".join(words) for words in WORDS], "tags": tags})


def spoken() -> Data:
    """Dialogues, an act for each turn, and a summary."""
    turns = [[{"speaker": "AB"[k % 2], "text": sentence(i * 3 + k)} for k in range(2 + i % 3)] for i in range(N)]
    acts = [["ask" if k % 2 else "tell" for k in range(2 + i % 3)] for i in range(N)]
    return Data({"summary": [question(i) for i in range(N)], "turns": turns, "acts": acts})


def answered() -> Data:
    answers = [[NOUNS[i % 16], f"the {NOUNS[i % 16]}", f"a {NOUNS[i % 16]}"][: 1 + i % 3] for i in range(N)]
    spans = [{"text": found, "answer_start": [0] * len(found)} for found in answers]
    return Data({"question": [question(i) for i in range(N)], "answer": answers, "spans": spans})


def task(data: Data, instruction: str, inputs: str, output: str, said: ListOutput | None = None) -> InstructionTask:
    told = design(instruction, inputs, output).model_copy(update={"list_output": said})
    result = filter_tasks("me/x", [data.subset], [proposal(told)], lambda _: data.table, Filtering())
    assert result.tasks, result.rejections
    return result.tasks[0]


@pytest.mark.parametrize(
    ("data", "instruction", "inputs", "output", "how"),
    [
        (tagged(), "Tag each token as a noun or as something else.", "tokens", "tags", SEQUENCE),
        (tagged(), "Name the parts of speech in the sentence.", "text", "tags", ALL),
        (answered(), "Answer the question.", "question", "answer", REFERENCES),
        (answered(), "Give every answer to the question.", "question", "answer", ALL),
        (answered(), "Write 3 answers to the question.", "question", "answer", ALL),
        (answered(), "Give every answer to the question.", "question", "spans", REFERENCES),
        (spoken(), "Write a dialogue that the summary fits.", "summary", "turns", ALL),
        (choices(), "Write four answer choices for the question.", "question", "choices", ALL),
    ],
)
def test_list_output_is_decided(data: Data, instruction: str, inputs: str, output: str, how: ListOutput) -> None:
    found = task(data, instruction, inputs, output)
    assert found.list_output is how
    assert found.labels == (("NOUN", "OTHER") if output == "tags" else ())


@pytest.mark.parametrize("said", [ALL, REFERENCES])
def test_list_output_is_what_the_designer_says(said: ListOutput) -> None:
    assert task(answered(), "Answer the question.", "question", "answer", said).list_output is said
    assert task(tagged(), "Tag each token.", "tokens", "tags", said).list_output is said


def test_a_sequence_needs_an_input_to_run_along_with() -> None:
    data = answered()
    told = design("Answer the question.", "question", "answer").model_copy(update={"list_output": SEQUENCE})
    found = judge_design("me/x", data.subset, told, data.table, Filtering())
    assert [reason for reason, _ in found] == [Reason.MISMATCH]


def test_one_text_a_row_is_no_list_whatever_is_said() -> None:
    data = Data({"question": [question(i) for i in range(N)], "answer": [[sentence(i)] for i in range(N)]})
    for said in (None, *ListOutput):
        assert task(data, "Answer the question.", "question", "answer", said).list_output is None


def test_the_json_of_what_has_no_list_is_as_it_was() -> None:
    plain: dict[str, Any] = task(tagged(), "Join the words to a sentence.", "tokens", "text").model_dump(mode="json")
    assert "list_output" not in plain
    assert "list_output" not in design("Join.", "tokens", "text").model_dump(mode="json")


def test_items_without_a_value_hide_no_others() -> None:
    answers = [[NOUNS[i % 16] + str(i), None] for i in range(N)]
    data = Data({"question": [question(i) for i in range(N)], "answer": answers, "none": [[None]] * (N - 1) + [["x"]]})
    assert task(data, "Answer the question.", "question", "answer").list_output is REFERENCES
    assert data.reasons("Answer the question.", "question", "none") == {Reason.TOO_FEW_ROWS}


def test_labels_of_lists_that_come_again_are_their_items() -> None:
    topics = [[["war", "peace"], ["sport"], ["art", "food", "sport"]][i % 3] for i in range(N)]
    found = task(
        Data({"text": [sentence(i) for i in range(N)], "topics": topics}), "Name the topics.", "text", "topics"
    )
    assert (found.list_output, found.labels) == (ALL, ("art", "food", "peace", "sport", "war"))


def test_labels_of_messages_are_a_sequence() -> None:
    found = task(spoken(), "Name the act of each message.", "turns", "acts")
    assert (found.list_output, found.labels) == (SEQUENCE, ("ask", "tell"))


def test_dialogues_that_are_the_same_everywhere_are_constant() -> None:
    turns = [[{"speaker": "A", "text": "Hello."}, {"speaker": "B", "text": "Hi."}]] * N
    data = Data({"summary": [question(i) for i in range(N)], "turns": turns})
    assert data.reasons("Write a dialogue that the summary fits.", "summary", "turns") == {Reason.CONSTANT_OUTPUT}
