"""Wording against wiring: swapped directions, missing inputs, contradictions, relations that the rows do not have."""

from __future__ import annotations

import pytest

from dynosaur_core.reasons import Reason
from tests.filter.tables import Data, N, choices, nli, scored_pairs, sentence, sentiment

TOPICS = ["art", "law", "sport"]


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
        (code, "Identify the size of the file.", "size", "code", Reason.SWAPPED),
        (code, "Given a docstring, write the code.", "code", "docstring", Reason.SWAPPED),
        (
            nli,
            "Can you identify the premise that is more likely to be true?",
            "premise,hypothesis",
            "label",
            Reason.SWAPPED,
        ),
        (sentiment, "Given two sentences, decide which is more positive.", "sentence", "label", Reason.MISSING_INPUT),
        (nli, "Decide whether the hypothesis follows from the premise.", "hypothesis", "label", Reason.MISSING_INPUT),
        (
            nli,
            "Given a premise and a hypothesis, generate a new hypothesis that is entailed by the premise.",
            "premise",
            "hypothesis",
            Reason.MISSING_INPUT,
        ),
        (
            scored_pairs,
            "Given a sentence, predict how close it is to the other sentence.",
            "sentence1",
            "score",
            Reason.MISSING_INPUT,
        ),
        (choices, "Solve for the unknown variable.", "question", "answer", Reason.MISSING_INPUT),
        (choices, "Choose the right answer to the given question.", "choices", "answer", Reason.MISSING_INPUT),
        (
            nli,
            "Given a premise and a label, write a hypothesis that has the opposite label.",
            "premise,label",
            "hypothesis",
            Reason.CONTRADICTION,
        ),
        (
            sentiment,
            "Write a sentence with the opposite of the given sentiment.",
            "label",
            "sentence",
            Reason.CONTRADICTION,
        ),
        (
            scored_pairs,
            "Given a sentence and a similarity score, generate a similar sentence with a higher or lower score.",
            "sentence1,score",
            "sentence2",
            Reason.CONTRADICTION,
        ),
        (
            good_and_bad,
            "Give the sentence that the speaker meant.",
            "sentence_good",
            "sentence_bad",
            Reason.CONTRADICTION,
        ),
        (nli, "Create a new hypothesis that contradicts the given premise.", "premise", "hypothesis", Reason.MISMATCH),
        (
            nli,
            "Can you generate a counterfactual premise given the hypothesis?",
            "hypothesis",
            "premise",
            Reason.MISMATCH,
        ),
        (
            scored_pairs,
            "Given a sentence, please generate a similar sentence with a different wording.",
            "sentence1",
            "sentence2",
            Reason.MISMATCH,
        ),
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


def test_similar_holds_of_pairs_that_share_their_words() -> None:
    """Questions of which half are marked as duplicates are all similar; none of them is sure to mean the same."""
    data = Data(
        {
            "question1": [f"Can {sentence(i)[:-1].lower()} today?" for i in range(N)],
            "question2": [f"Can {sentence(i)[:-1].lower()} tomorrow?" for i in range(N)],
            "label": ["duplicate" if i % 2 else "not_duplicate" for i in range(N)],
        },
        {"label": ["not_duplicate", "duplicate"]},
    )
    assert not data.judge("Create a question that is similar to the given question.", "question1", "question2")
    assert data.reasons("Create a question that is dissimilar to the given question.", "question1", "question2") == {
        Reason.MISMATCH
    }


def test_right_and_wrong_answers_are_no_answers() -> None:
    data = Data(
        {
            "question": [f"Who {sentence(i // 4).split(' ', 2)[2]}" for i in range(N)],
            "candidate": [sentence(i + 300) for i in range(N)],
            "correct": [i % 4 == 0 for i in range(N)],
        }
    )
    assert Reason.MISMATCH in data.reasons("Write a sentence that answers the question.", "question", "candidate")
    assert not data.judge("Does the candidate answer the question?", "question,candidate", "correct")


def test_one_sentence_is_not_a_page() -> None:
    pages = [" ".join(sentence(i * 11 + k) for k in range(30)) for i in range(40)]
    data = Data({"summary": [sentence(i) for i in range(40)], "reviews": pages})
    assert data.reasons("Given a summary, can you generate a review sentence?", "summary", "reviews") == {
        Reason.MISMATCH
    }
    assert not data.judge("Given a summary, write the reviews that it sums up.", "summary", "reviews")


def test_titles_do_not_tell_what_the_article_says() -> None:
    data = Data(
        {
            "article": [sentence(i).split()[1].title() for i in range(N)],
            "question": [f"Who {sentence(i).split(' ', 2)[2]}" for i in range(N)],
            "is_paraphrase": [i % 3 == 0 for i in range(N)],
            "topic": [TOPICS[sentence(i).split()[1] < "k"] for i in range(N)],
        },
        {"topic": TOPICS},
    )
    wording = "Given a question and an article, predict whether the question is a paraphrase of the article."
    assert data.reasons(wording, "question,article", "is_paraphrase") == {Reason.MISSING_INPUT}
    assert not data.judge(
        "Given a question and an article, predict the topic of the article.", "question,article", "topic"
    )
