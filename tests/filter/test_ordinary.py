"""Ordinary designs for ordinary datasets, of kinds that a careless rule would turn away."""

from __future__ import annotations

import pytest

from tests.filter.tables import NOUNS, Data, N, question, sentence

ROWS = range(N)
STARS = [1 + i * 7 % 5 for i in ROWS]


def reviews() -> Data:
    return Data(
        {
            "product": [f"{NOUNS[i * 5 % 16].title()} {i % 9}" for i in ROWS],
            "review": [f"{sentence(i)} {sentence(i + 700)}" for i in ROWS],
            "summary": [sentence(i) for i in ROWS],
            "stars": STARS,
            "helpful_votes": [i * 13 % 40 for i in ROWS],
        }
    )


def moods() -> Data:
    """Paraphrases of posts, with a mood that is no relation between them."""
    return Data(
        {
            "text": [sentence(i) for i in ROWS],
            "paraphrase": [sentence(i).replace("The", "That") for i in ROWS],
            "sentiment": [["positive", "neutral", "negative"][i * 7 % 5 % 3] for i in ROWS],
        },
        {"sentiment": ["negative", "neutral", "positive"]},
    )


def translations() -> Data:
    return Data({"en": [sentence(i) for i in ROWS], "yo": [sentence(i + 300)[::-1] for i in ROWS], "id": list(ROWS)})


def revisions() -> Data:
    return Data(
        {
            "before_revision": [sentence(i).lower() for i in ROWS],
            "after_revision": [sentence(i) + " It does." for i in ROWS],
            "intent": [["fluency", "clarity"][i * 5 % 3 % 2] for i in ROWS],
        }
    )


def comments() -> Data:
    return Data(
        {
            "comment": [sentence(i) for i in ROWS],
            "toxicity": [(i * 37 % 100) / 100 for i in ROWS],
            "label": [i * 5 % 3 % 2 for i in ROWS],
            "keywords": [sentence(i).split()[1 : 3 + i % 3] for i in ROWS],
            "annotator": [f"w{i % 7}" for i in ROWS],
        }
    )


def rationales() -> Data:
    return Data(
        {
            "question": [question(i) for i in ROWS],
            "chosen": [sentence(i) for i in ROWS],
            "rejected": [sentence(i + 400) for i in ROWS],
            "wine_points": [80 + i * 11 % 20 for i in ROWS],
        }
    )


def pronouns() -> Data:
    """Fields whose names are an article and a preposition."""
    texts = [sentence(i) for i in ROWS]
    return Data({"Text": texts, "Pronoun": ["he", "she"] * 60, "A": [f"{t.split()[1]} {t.split()[-2]}" for t in texts]})


@pytest.mark.parametrize(
    ("make", "instruction", "inputs", "output"),
    [
        (reviews, "Given a review of a product, predict the number of stars.", "review", "stars"),
        (reviews, "Predict how many stars the writer of the review gives to the product.", "review", "stars"),
        (reviews, "Write a summary of the review.", "review", "summary"),
        (reviews, "Write a review that fits the summary and the product.", "summary,product", "review"),
        (reviews, "Sum up the review in other words.", "review", "summary"),
        (moods, "Paraphrase the text.", "text", "paraphrase"),
        (moods, "Is the text positive, neutral or negative?", "text", "sentiment"),
        (moods, "Write a text of the given sentiment.", "sentiment", "text"),
        (moods, "Write a different text for the same sentiment.", "text,sentiment", "paraphrase"),
        (translations, "Translate from English to Yoruba.", "en", "yo"),
        (translations, "Translate the Yoruba sentence into English.", "yo", "en"),
        (revisions, "Revise the sentence to make it clearer.", "before_revision", "after_revision"),
        (revisions, "Name the intent of the revision.", "before_revision,after_revision", "intent"),
        (comments, "Rate on a scale from 0 to 1 whether the comment is toxic.", "comment", "toxicity"),
        (comments, "Decide whether the comment is offensive.", "comment", "label"),
        (pronouns, "Given a text and a pronoun, name the entity that may be meant.", "Text,Pronoun", "A"),
        (rationales, "Answer the question.", "question", "chosen"),
        (rationales, "Give a bad answer to the question.", "question", "rejected"),
        (rationales, "Predict the points of the wine.", "chosen", "wine_points"),
    ],
)
def test_they_pass(make: type[Data], instruction: str, inputs: str, output: str) -> None:
    assert make().judge(instruction, inputs, output) == []
