"""training.encoding: the output alone carries loss, and what becomes of rows that are too long."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynosaur_core.errors import DynosaurError
from dynosaur_core.evaluation.prompts import prompt
from dynosaur_core.training.encoding import EMPTY_OUTPUT, LONG_INPUT, LONG_OUTPUT, MASKED, Encoded, encode
from dynosaur_core.training.manifest import Rows
from dynosaur_core.training.recipes import Recipe
from dynosaur_core.training.rows import Row

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytestmark = pytest.mark.xdist_group("training")
RECIPE = Recipe(model="x", prompt="plain", batch=4, learning_rate=1, epochs=1, length=96, output_length=24)
QUESTION = "Question: which town is it?"


@pytest.fixture(scope="module")
def causal(llama: Path) -> Any:
    return _tokenizer(llama)


@pytest.fixture(scope="module")
def encoder(t5: Path) -> Any:
    return _tokenizer(t5)


def _tokenizer(folder: Path) -> Any:
    from dynosaur_core.training.models import load_tokenizer

    return load_tokenizer(str(folder))


def encoded(tokenizer: Any, *rows: Row, causal: bool = True, **values: Any) -> tuple[Encoded, Rows]:
    return encode(rows, tokenizer, RECIPE.model_copy(update=values), causal=causal)


def test_encode_masks_the_prompt_of_a_causal_model(causal: Any) -> None:
    found, rows = encoded(causal, Row("Name the capital.", "France", " Paris\n"))
    question = causal(prompt("plain", "Name the capital.", "France"))["input_ids"]
    answer = [*causal("Paris", add_special_tokens=False)["input_ids"], causal.eos_token_id]
    assert question[0] == causal.bos_token_id and question[-1] != causal.eos_token_id
    assert found[0] == {
        "input_ids": question + answer,
        "attention_mask": [1] * len(question + answer),
        "labels": [MASKED] * len(question) + answer,
    }
    assert rows == Rows(used=1, cut=0, left_out={}, tokens=len(question + answer))


def test_encode_puts_the_output_into_the_decoder(encoder: Any) -> None:
    found, _ = encoded(encoder, Row("Name the capital.", "France", "Paris"), causal=False, prompt="tk-instruct")
    question = encoder(prompt("tk-instruct", "Name the capital.", "France"))["input_ids"]
    answer = [*encoder("Paris", add_special_tokens=False)["input_ids"], encoder.eos_token_id]
    assert question[-1] == encoder.eos_token_id
    assert (found[0]["input_ids"], found[0]["labels"]) == (question, answer)


@pytest.mark.parametrize("position", ["before", "after"])
def test_encode_cuts_a_passage_and_keeps_the_question(causal: Any, position: str) -> None:
    passage = "Passage: " + "it lies by a river and has a tower, " * 40
    given = f"{QUESTION}\n{passage}" if position == "before" else f"{passage}\n{QUESTION}"
    found, rows = encoded(causal, Row("Read.", given, "Paris"), length=256)
    text = causal.decode([*found[0]["input_ids"]])
    assert rows.cut == 1 and QUESTION in text and "Passage: it lies by a river" in text
    assert text.endswith("Answer:\nParis</s>") and 250 <= len(found[0]["input_ids"]) <= 256


def test_encode_leaves_out_what_cannot_be_cut(causal: Any, encoder: Any) -> None:
    good = Row("Name the capital.", "France", "Paris")
    lines = good._replace(input="\n".join(f"line {number}" for number in range(200)))
    wordy = good._replace(instruction="Name it, please. " * 100)
    long, empty = good._replace(output="Paris, " * 100), good._replace(output=" \n")
    found, rows = encoded(causal, good, lines, wordy, long, empty)
    assert len(found) == 1
    assert rows == Rows(
        used=1, cut=0, left_out={LONG_INPUT: 2, LONG_OUTPUT: 1, EMPTY_OUTPUT: 1}, tokens=len(found[0]["input_ids"])
    )
    _, rows = encoded(encoder, good, long, causal=False)
    assert rows.left_out == {LONG_OUTPUT: 1}


def test_encode_refuses_to_train_on_nothing(causal: Any) -> None:
    with pytest.raises(DynosaurError, match="no row is left to train on: 1 since its output is empty"):
        encoded(causal, Row("x", "y", ""))
    with pytest.raises(DynosaurError, match="there are none"):
        encoded(causal)


def test_encode_reads_a_line_of_megabytes(causal: Any) -> None:
    found, rows = encoded(causal, Row("Read.", "word " * 1_000_000, "Paris"), length=256)
    assert rows.cut == 1 and len(found[0]["input_ids"]) <= 256


_TEXT = st.text(alphabet="ab \n é", max_size=400)


@given(st.lists(st.builds(Row, _TEXT, _TEXT, _TEXT), min_size=1, max_size=4), st.booleans())
def test_encode_never_cuts_an_output_nor_passes_the_length(
    causal: Any, encoder: Any, rows: list[Row], decoder_only: bool
) -> None:
    tokenizer = causal if decoder_only else encoder
    good = Row("Name the capital.", "France", "Paris")
    found, counts = encoded(tokenizer, *rows, good, causal=decoder_only)
    assert counts.used == len(found) and counts.used + sum(counts.left_out.values()) == len(rows) + 1
    outputs = [row.output.strip() for row in [*rows, good]]
    at = -1
    for number in range(len(found)):
        row = found[number]
        answer = [token for token in row["labels"] if token != MASKED]
        assert len(row["input_ids"]) <= RECIPE.length and answer[-1] == tokenizer.eos_token_id
        at = outputs.index(tokenizer.decode(answer[:-1]), at + 1)
