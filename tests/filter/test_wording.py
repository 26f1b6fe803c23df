"""Wording against rows: what is asked for and not there."""

from __future__ import annotations

import pytest

from dynosaur_core.reasons import Reason
from tests.filter.tables import Data, N, choices, nli, scored_pairs, sentence, sentiment


def code() -> Data:
    return Data(
        {
            "code": [f"def {sentence(i).split()[1]}_{i}(x):\n    return x + {i}" for i in range(N)],
            "docstring": [sentence(i) for i in range(N)],
            "size": [i * 37 % 900 for i in range(N)],
        }
    )


def good_and_bad() -> Data:
    """Minimal pairs, like BLiMP: the bad sentence is the output that is asked for."""
    return Data(
        {
            "sentence_good": [sentence(i) for i in range(N)],
            "sentence_bad": [sentence(i).replace("The", "Them") for i in range(N)],
        }
    )


@pytest.mark.parametrize(
    ("make", "instruction", "inputs", "output", "reason"),
    [
        (sentiment, "Given two sentences, decide which is more positive.", "sentence", "label", Reason.MISSING_INPUT),
        (
            scored_pairs,
            "Given a sentence, predict how close it is to the other sentence.",
            "sentence1",
            "score",
            Reason.MISSING_INPUT,
        ),
        (choices, "Solve for the unknown variable.", "question", "answer", Reason.MISSING_INPUT),
        (
            scored_pairs,
            "Determine if the two sentences mean the same or not.",
            "sentence1,sentence2",
            "score",
            Reason.MISMATCH,
        ),
    ],
)
def test_each_fault_has_its_reason(
    make: type[Data], instruction: str, inputs: str, output: str, reason: Reason
) -> None:
    assert reason in make().reasons(instruction, inputs, output)


@pytest.mark.parametrize(
    ("make", "instruction", "inputs", "output"),
    [
        (code, "Given a docstring, write the code.", "docstring", "code"),
        (code, "Describe what the code does.", "code", "docstring"),
        (
            nli,
            "Given a premise and a hypothesis, determine if it is entailment, contradiction, or neutral.",
            "premise,hypothesis",
            "label",
        ),
        (
            nli,
            "Given a premise and a hypothesis, determine if the hypothesis contradicts the premise.",
            "premise,hypothesis",
            "label",
        ),
        (
            nli,
            "Natural language inference (NLI) is the task of determining if a hypothesis is entailed by a premise.",
            "premise,hypothesis",
            "label",
        ),
        (
            nli,
            "Given a premise and a label, generate a hypothesis that is consistent with the premise and the label.",
            "premise,label",
            "hypothesis",
        ),
        (
            nli,
            "This task asks models to write a sentence that entails, contradicts, or is neutral to the sentence.",
            "label,premise",
            "hypothesis",
        ),
        (nli, "Rewrite the text in other characters.", "premise", "hypothesis"),
        (sentiment, "Create a sentence with the given sentiment.", "label", "sentence"),
        (sentiment, "Determine the sentiment of the given sentence.", "sentence", "label"),
        (
            scored_pairs,
            "Given two sentences, please predict the similarity score between them.",
            "sentence1,sentence2",
            "score",
        ),
        (choices, "Given a question and answer choices, generate a plausible answer.", "question,choices", "answer"),
        (choices, "Choose the correct answer for the given question.", "question,choices", "answer"),
        (choices, "Can you design a question based on the given choices?", "choices", "question"),
        (
            good_and_bad,
            "Given a sentence with a correct verb, can you replace it with an incorrect one?",
            "sentence_good",
            "sentence_bad",
        ),
        (
            good_and_bad,
            "Given a sentence with an incorrect verb, generate a sentence with a correct one.",
            "sentence_bad",
            "sentence_good",
        ),
    ],
)
def test_good_designs_pass(make: type[Data], instruction: str, inputs: str, output: str) -> None:
    assert make().judge(instruction, inputs, output) == []


def test_one_sentence_is_not_a_page() -> None:
    pages = [" ".join(sentence(i * 11 + k) for k in range(30)) for i in range(40)]
    data = Data({"summary": [sentence(i) for i in range(40)], "reviews": pages})
    assert data.reasons("Given a summary, can you generate a review sentence?", "summary", "reviews") == {
        Reason.MISMATCH
    }
    assert not data.judge("Given a summary, write the reviews that it sums up.", "summary", "reviews")
