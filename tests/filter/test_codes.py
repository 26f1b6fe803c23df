"""`filter.codes`: words for the labels of a closed set, and labels that are codes without a key."""

from __future__ import annotations

from typing import Any

import pytest

from dynosaur_core.filter.stage import filter_tasks, judge_design
from dynosaur_core.models import InstructionTask
from dynosaur_core.reasons import Finding, Reason
from dynosaur_core.settings import Filtering
from tests.filter.tables import NOUNS, Data, N, choices, design, proposal, sentence

Words = tuple[tuple[str, str], ...]
LEVELS = ["ele", "int", "adv"]
WORDS: Words = (("ele", "elementary"), ("int", "intermediate"), ("adv", "advanced"))


def texts(labels: list[Any], *, names: bool = True, **more: list[Any]) -> Data:
    """Texts, each with one of the labels; the labels are those of a ClassLabel, or values."""
    columns = {"text": [sentence(i) for i in range(N)], "label": [labels[i * 5 % 7 % len(labels)] for i in range(N)]}
    return Data(columns | more, {"label": labels} if names else None)


def findings(data: Data, instruction: str, inputs: str = "text", words: Words = ()) -> list[Finding]:
    told = design(instruction, inputs, "label").model_copy(update={"label_words": words})
    return judge_design("me/x", data.subset, told, data.table, Filtering())


def accepted(data: Data, instruction: str, words: Words, **settings: Any) -> InstructionTask:
    told = design(instruction, "text", "label").model_copy(update={"label_words": words})
    result = filter_tasks("me/x", [data.subset], [proposal(told)], lambda _: data.table, Filtering(**settings))
    assert result.tasks, result.rejections
    return result.tasks[0]


def test_label_words_are_kept_in_the_order_of_the_labels() -> None:
    found = accepted(texts(LEVELS), "Judge the reading level of the text.", WORDS[::-1])
    assert (found.labels, found.label_words) == (tuple(LEVELS), WORDS)


@pytest.mark.parametrize(
    ("words", "detail"),
    [
        (WORDS[:2], "'adv' has no words"),
        ((*WORDS, ("pro", "professional")), "'pro' is no label of the output"),
        ((*WORDS[:2], ("adv", " ")), "' ' is no short text"),
        ((*WORDS[:2], ("adv", "x" * 101)), "is no short text"),
        ((*WORDS[:2], ("adv", "hard\nto read")), "is no short text"),
        ((*WORDS[:2], ("adv", "Elementary")), "'elementary' stands for several labels"),
        ((("ele", "int"), ("int", "adv"), ("adv", "ele")), "'ele' has another label for its words"),
    ],
)
def test_label_words_are_total_and_one_to_one(words: Words, detail: str) -> None:
    (found,) = findings(texts(LEVELS), "Judge the reading level of the text.", words=words)
    assert found[0] is Reason.LABEL_WORDS
    assert detail in found[1]


def test_label_words_of_truth_values_and_numbers() -> None:
    told: Words = (("true", "fresh"), ("false", "stale"))
    found = accepted(texts([True, False], names=False), "Decide whether it is fresh.", told)
    assert found.label_words == (("False", "stale"), ("True", "fresh"))
    found = accepted(texts([1, 0], names=False), "Judge the tone.", (("0", "calm"), ("1", "harsh")))
    assert found.label_words == (("0", "calm"), ("1", "harsh"))


def test_label_words_that_are_the_labels_are_none() -> None:
    found = accepted(texts(["calm", "harsh"]), "Judge the tone.", (("calm", "calm"), ("harsh", "harsh")))
    assert found.label_words == ()
    assert "label_words" not in found.model_dump(mode="json")


def test_label_words_close_a_set_that_holds_more_values_than_others_may() -> None:
    kinds = [f"k{number}" for number in range(12)]
    data = Data({"text": [sentence(i) for i in range(N)], "label": [kinds[i * 5 % 12] for i in range(N)]})
    words = tuple((kind, f"kind {kind[1:]}") for kind in kinds)
    assert accepted(data, "Name the kind.", ()).labels == ()
    assert set(accepted(data, "Name the kind.", words).labels) == set(kinds)
    assert accepted(data, "Name the kind.", words[:5]).label_words == ()


def test_label_words_of_an_open_output_say_nothing() -> None:
    data = Data({"text": [sentence(i) for i in range(N)], "label": [f"{NOUNS[i % 16]} {i}" for i in range(N)]})
    assert accepted(data, "Name the thing.", WORDS).label_words == ()


def test_label_words_may_be_the_answers_that_the_instruction_states() -> None:
    told = "Judge the level: answer with one of 'elementary', 'intermediate', 'advanced'."
    assert findings(texts(LEVELS), told, words=WORDS) == []


@pytest.mark.parametrize(
    ("labels", "instruction"),
    [
        (LEVELS, "Judge the reading level of the text."),
        (["Adv", "Int", "Ele"], "Determine the level of the text."),
        (["HUM", "LOC", "ENTY"], "Classify the text by what it asks for."),
        (["m", "f"], "Guess who wrote the text."),
        (["LABEL_0", "LABEL_1"], "Classify the text."),
        (["0", "1"], "Judge the sentiment of the text."),
        (["0", "1", "2"], "Name the emotion that the text shows."),
    ],
)
def test_coded_labels_have_a_reason_of_their_own(labels: list[str], instruction: str) -> None:
    (found,) = findings(texts(labels), instruction)
    assert found[0] is Reason.CODED_LABELS
    words = tuple((label, f"kind {number}") for number, label in enumerate(labels))
    assert findings(texts(labels), instruction, words=words) == []


@pytest.mark.parametrize(
    ("labels", "instruction"),
    [
        (["yes", "no"], "Judge the text."),
        (["neg", "pos"], "Judge the sentiment of the text."),
        (["positive", "neg"], "Judge the sentiment of the text."),
        (["joy", "mad"], "Name the emotion that the text shows."),
        (["ele", "adv"], "Judge whether the text is easy (ele) or hard (adv) to read."),
        (["ele", "adv"], "Judge whether the text is elementary or advanced."),
        (["de", "en", "fr"], "Give the code of the text's language."),
        (["A1", "A2", "B1"], "Judge the level of the text."),
        (["A", "B", "C"], "Judge the text."),
        (["0", "1"], "Decide the tone of the text: 1 if it is harsh, 0 if not."),
        (["0", "1"], "Decide whether the text is harsh."),
        (["1", "2", "3"], "Rate the text."),
        (["1 star", "2 stars"], "Judge the text."),
        (["oslo", "near"], "Name the place."),  # words of the texts
    ],
)
def test_coded_labels_are_not_those_that_people_can_write(labels: list[str], instruction: str) -> None:
    assert Reason.CODED_LABELS not in [reason for reason, _ in findings(texts(labels), instruction)]


def test_coded_labels_are_not_the_places_of_options() -> None:
    more = {f"choice{place}": [sentence(i + 200 * place) for i in range(N)] for place in (1, 2)}
    assert findings(texts(["0", "1"], **more), "Find what fits the text.", "text,choice1,choice2") == []
    data, told = choices(), design("Answer the question.", "question,choices", "answer")
    assert judge_design("me/x", data.subset, told, data.table, Filtering()) == []


def test_coded_labels_are_not_numbers_that_may_be_a_scale() -> None:
    assert findings(texts([-1, 0, 1], names=False), "Judge the polarity of the text.") == []
    assert findings(texts([1, 2, 3], names=False), "Judge the text.") == []
