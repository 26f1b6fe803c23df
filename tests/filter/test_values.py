"""What the output's values tell: bookkeeping, constants, copies, answers outside what is stated, too few rows."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from dynosaur_core.filter.stage import judge_design
from dynosaur_core.models import FieldKind, FieldSpec
from dynosaur_core.reasons import Reason
from dynosaur_core.settings import Filtering
from tests.filter.tables import NOUNS, Data, N, design, nli, question, sentence

HEX = "0123456789abcdef"


def with_column(name: str, values: list[Any]) -> Data:
    return Data({"text": [sentence(i) for i in range(len(values))], name: values})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("answer_url", lambda i: f"https://example.org/a/{i * 31}"),
        ("where", lambda i: f"https://example.org/a/{i * 31}"),
        ("filepath", lambda i: f"src/pkg{i}/views.py"),
        ("source", lambda i: f"owner{i}/repo/module_{i}.py"),
        ("QuerySetId", lambda i: i * 17 % 1000),
        ("record", lambda i: i + 4),
        ("uid", lambda i: f"u{i * 7}"),
        ("content", lambda i: "".join(HEX[(i * k + k * k) % 16] for k in range(3, 43))),
        ("CreationDate", lambda i: f"20{10 + i % 10}-0{1 + i % 9}-1{i % 9} {i % 24}:{i % 50 + 10}:08"),
        ("made", lambda i: datetime(2020, 1, 1 + i % 28)),
        ("size", lambda i: i * 37 % 900),
        ("vote_count", lambda i: i * 13 % 40),
        ("worker_id", lambda i: i % 9),
        ("start", lambda i: i * 7 % 90),
        ("license", lambda i: ["mit", "gpl-3.0", "bsd"][i % 3]),
    ],
)
def test_bookkeeping_by_name_and_by_value(name: str, value: Any) -> None:
    data = with_column(name, [value(i) for i in range(N)])
    assert data.reasons("Predict the value for the text.", "text", name) == {Reason.BOOKKEEPING_OUTPUT}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("relatedness_score", lambda i: (i * 7 % 26) / 5),
        ("evidence", lambda i: sentence(i + 400)),
        ("side", lambda i: ["left", "right"][i * 5 % 2 ^ (i // 3) % 2]),
        ("video_title", lambda i: sentence(i + 500)),
        ("age", lambda i: 20 + i * 11 % 60),
    ],
)
def test_names_that_only_look_like_bookkeeping(name: str, value: Any) -> None:
    assert not with_column(name, [value(i) for i in range(N)]).judge("Predict the value for the text.", "text", name)


def test_address_that_the_input_holds_can_be_extracted() -> None:
    urls = [f"https://example.org/{i}" for i in range(N)]
    data = Data({"message": [f"{sentence(i)} See {url} for more." for i, url in enumerate(urls)], "url": urls})
    assert not data.judge("Extract the link from the message.", "message", "url")


def test_index_of_an_answer_that_is_given() -> None:
    data = Data(
        {
            "question": [question(i) for i in range(N)],
            "answers": [[sentence(i + k) for k in range(4)] for i in range(N)],
            "correct_answer_id": [i * 3 % 4 for i in range(N)],
        }
    )
    wording = "Given a question and its answers, give the number of the correct one."
    assert not data.judge(wording, "question,answers", "correct_answer_id")
    assert data.reasons("Answer the question.", "question", "correct_answer_id") & {
        Reason.BOOKKEEPING_OUTPUT,
        Reason.MISSING_INPUT,
    }


@pytest.mark.parametrize(
    ("others", "reason"), [(0, Reason.CONSTANT_OUTPUT), (1, Reason.CONSTANT_OUTPUT), (5, Reason.IMBALANCED)]
)
def test_one_answer_for_all(others: int, reason: Reason) -> None:
    """Shares of the rows decide, whatever their number."""
    for times in (1, 5):
        values = (["no"] * (N - others) + ["yes"] * others) * times
        assert reason in with_column("flagged", values).reasons("Judge the text.", "text", "flagged")
    assert not with_column("flagged", ["no"] * 90 + ["yes"] * 30).judge("Judge the text.", "text", "flagged")


def test_copies_and_other_encodings() -> None:
    names = ["ham", "spam"]
    data = Data(
        {
            "text": [sentence(i) for i in range(N)],
            "same": [f" {sentence(i).upper()}" for i in range(N)],
            "label": [i * 5 % 3 % 2 for i in range(N)],
            "label_text": [names[i * 5 % 3 % 2] for i in range(N)],
        }
    )
    assert data.reasons("Copy the text.", "text", "same") == {Reason.TRIVIAL_COPY}
    assert data.reasons("Name the label.", "text,label", "label_text") == {Reason.TRIVIAL_COPY}
    assert not data.judge("Name the kind of the text.", "text", "label_text")


def test_rows_that_have_all_that_the_task_needs() -> None:
    texts: list[str | None] = [sentence(i) for i in range(7)] + [None, "", "  "] * 10
    data = Data({"text": texts, "title": [sentence(i + 600) for i in range(len(texts))]})
    assert data.reasons("Give the text a title.", "text", "title") == {Reason.TOO_FEW_ROWS}
    more = Data({"text": [*texts, "One more."], "title": [sentence(i + 600) for i in range(len(texts) + 1)]})
    assert not more.judge("Give the text a title.", "text", "title")


def test_columns_of_every_type() -> None:
    """Rows are read whatever they hold; what cannot be text is refused as an output, and does no harm as an input."""
    rows = 40
    values = {
        "duration": pa.array([i * 10**6 for i in range(rows)], pa.duration("us")),
        "clock": pa.array([i * 60 for i in range(rows)], pa.time32("s")),
        "price": pa.array([Decimal(i) / 4 for i in range(rows)], pa.decimal128(8, 2)),
        "nothing": pa.nulls(rows),
        "large": pa.array([sentence(i) for i in range(rows)], pa.large_string()),
        "pair": pa.array([[i, i + 1] for i in range(rows)], pa.list_(pa.int64(), 2)),
        "words": pa.array([sentence(i).split() for i in range(rows)], pa.large_list(pa.string())),
        "turns": pa.array([[{"who": "a", "said": sentence(i)}] for i in range(rows)]),
        "bytes": pa.array([bytes([i]) for i in range(rows)]),
        "holes": pa.array([None if i % 3 else sentence(i) for i in range(rows)]),
        "number": pa.array([float("nan") if i % 5 else i * 0.5 for i in range(rows)]),
    }
    for name, column in values.items():
        data = Data({"text": [sentence(i) for i in range(rows)], "title": [sentence(i + 300) for i in range(rows)]})
        table = data.table.append_column(name, column)
        spec = FieldSpec(name=name, kind=FieldKind.OTHER, type=str(column.type))
        texts = spec.model_copy(update={"kind": FieldKind.TEXT})
        for field, inputs, output in ((spec, f"text,{name}", "title"), (texts, "text", name), (spec, name, "title")):
            subset = data.subset.model_copy(update={"fields": (*data.subset.fields, field)})
            judge_design("a/b", subset, design("Write it for the text.", inputs, output), table, Filtering())


def test_no_row_at_all() -> None:
    data = nli()
    data.table = data.table.slice(0, 0)
    assert data.reasons("Does the premise entail the hypothesis?", "premise,hypothesis", "label") == {
        Reason.TOO_FEW_ROWS
    }


def test_numbers_and_bare_marks_tell_no_text() -> None:
    data = Data(
        {
            "question": [question(i) for i in range(N)],
            "rating": [(i * 7 % 11) / 10 for i in range(N)],
            "answer": ["ABCD"[i * 3 % 4] for i in range(N)],
            "label": ["01"[i * 5 % 3 % 2] for i in range(N)],
            "topic": [["art", "law"][i * 5 % 3 % 2] for i in range(N)],
        },
        {"answer": list("ABCD"), "label": ["0", "1"], "topic": ["art", "law"]},
    )
    for field in ("rating", "answer", "label"):
        wording = f"Given the {field}, predict the question that would have it."
        assert data.reasons(wording, field, "question") == {Reason.NOT_DERIVABLE}
    assert not data.judge("Write a question about the given topic.", "topic", "question")


def test_equal_inputs_with_different_answers() -> None:
    """A sentence that mentions two people, with a polarity towards each."""
    data = Data(
        {
            "sentence": [sentence(i // 2) for i in range(N)],
            "mention": [f"{NAMES[i * 7 % 11]} {NAMES[i % 5]}" for i in range(N)],
            "polarity": [(i + i // 2) % 3 - 1 for i in range(N)],
        }
    )
    assert data.reasons("Given a sentence, predict the polarity.", "sentence", "polarity") == {Reason.MISSING_INPUT}
    assert not data.judge("Predict the polarity towards the mention in the sentence.", "sentence,mention", "polarity")


NAMES = ["Ada", "Bela", "Cleo", "Dino", "Enzo", "Fay", "Gus", "Hal", "Ines", "Jo", "Kai"]


def test_texts_do_not_tell_who_wrote_them() -> None:
    names = [f"{NOUNS[i % 16].title()} {NOUNS[i * 7 % 13].title()}" for i in range(N)]
    texts = [f"{sentence(i)} {sentence(i + 300)} {sentence(i + 600)}" for i in range(N)]
    data = Data({"text": texts, "title": [sentence(i) for i in range(N)], "author_name": names})
    assert data.reasons("Who wrote the text?", "text", "author_name") == {Reason.BOOKKEEPING_OUTPUT}
    assert data.judge("Name the author of the book.", "title", "author_name") == []
    signed = Data({"text": [f"{t} By {n}." for t, n in zip(texts, names, strict=True)], "author": names})
    assert signed.judge("Find the author in the text.", "text", "author") == []
    few = Data({"text": texts, "author": [("Austen", "Woolf", "Shelley")[i * 5 % 7 % 3] for i in range(N)]})
    assert few.judge("Who wrote the text?", "text", "author") == []
