"""Lists as outputs: all items, a sequence that can be read back, or one of several references."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynosaur_core.export import write_records
from dynosaur_core.models import ListOutput
from dynosaur_core.publish.sinks import open_sink
from dynosaur_core.publish.stage import publish
from dynosaur_core.reasons import Reason
from dynosaur_core.rendering.outputs import lines, references, sequence
from dynosaur_core.settings import Publishing, ReleaseSettings
from dynosaur_core.store import Store

from .conftest import NOW, Render, contribute, describe, design, make_release, sample

ITEMS = st.lists(st.one_of(st.none(), st.text(max_size=5)), max_size=5)


@pytest.mark.parametrize(
    ("how", "value", "text"),
    [
        (ListOutput.ALL, ["a b", "c"], "a b\nc"),
        (ListOutput.ALL, ["a", None, "c"], "a\nc"),
        (ListOutput.SEQUENCE, ["O", "B-x", "O"], "O B-x O"),
        (ListOutput.SEQUENCE, ["O", "B x"], '["O", "B x"]'),
        (ListOutput.SEQUENCE, ["O", None], '["O", null]'),
        (ListOutput.SEQUENCE, ["O", ""], '["O", ""]'),
        (ListOutput.SEQUENCE, ['["O"]', "x"], '["[\\"O\\"]", "x"]'),
        (ListOutput.SEQUENCE, ["", "O"], '["", "O"]'),
        (ListOutput.REFERENCES, ["a", "a", " "], "a"),
    ],
)
def test_render_writes_a_list(render: Render, how: ListOutput, value: list[Any], text: str) -> None:
    rows = pa.table({"question": ["q"], "answer": pa.array([value], pa.list_(pa.string()))})
    assert render(rows, design("question", "answer", list_output=how)) == ([("q", text)], {})


def test_render_writes_numbers_and_answers_with_places(render: Render) -> None:
    rows = pa.table({"q": ["q"], "numbers": [[1, 2]], "answers": [{"text": ["x", "y"], "answer_start": [0, 4]}]})
    assert render(rows, design("q", "numbers", list_output=ListOutput.SEQUENCE))[0] == [("q", "1 2")]
    assert render(rows, design("q", "answers", list_output=ListOutput.ALL))[0] == [("q", "x\ny")]


TURNS = [{"speaker": "A", "text": "Hi,\nyou."}, {"speaker": "B", "text": "Ho."}]
SPANS = [{"text": "red", "at": 3}, {"text": "blue", "at": None}]


@pytest.mark.parametrize(
    ("how", "value", "text"),
    [
        (ListOutput.ALL, TURNS, "A: Hi, you.\nB: Ho."),
        (ListOutput.ALL, {"speaker": ["A", "B"], "text": ["Hi.", "Ho."]}, "A: Hi.\nB: Ho."),
        (ListOutput.ALL, SPANS, "text: 'red', at: 3\ntext: 'blue'"),
        (ListOutput.ALL, [{"name": "x"}, {"name": "y"}], "x\ny"),
        (ListOutput.SEQUENCE, SPANS, '[{"text": "red", "at": 3}, {"text": "blue", "at": null}]'),
        (ListOutput.SEQUENCE, TURNS[1:], '[{"speaker": "B", "text": "Ho."}]'),
        (None, TURNS[1:], "B: Ho."),
    ],
)
def test_render_writes_structs_in_lists(render: Render, how: ListOutput | None, value: Any, text: str) -> None:
    rows = pa.table({"q": ["q"], "turns": [value]})
    assert render(rows, design("q", "turns", list_output=how))[0] == [("q", text)]


def test_render_marks_options_as_lists_of_answers_count_them(render: Render) -> None:
    rows = pa.table({"candidates": [["x", "y", "z"]] * 2, "right": [[0, 2], [1]]})
    found, _ = render(rows, design("candidates", "right", list_output=ListOutput.ALL))
    assert found[0] == ("0. x\n1. y\n2. z", "0\n2")


def test_render_writes_the_labels_of_messages(render: Render) -> None:
    rows = pa.table({"turns": [TURNS], "acts": [["tell", "ask"]]})
    words = (("ask", "a question"), ("tell", "statement"))
    task = design("turns", "acts", list_output=ListOutput.SEQUENCE, labels=("ask", "tell"), label_words=words)
    assert render(rows, task)[0] == [("A: Hi,\nyou.\nB: Ho.", '["statement", "a question"]')]


def test_render_takes_items_without_a_value_for_no_answer(render: Render) -> None:
    rows = pa.table({"q": ["q"], "answer": pa.array([[None, None]], pa.list_(pa.string()))})
    for how in ListOutput:
        assert render(rows, design("q", "answer", list_output=how)) == ([], {Reason.OUTPUT_NULL: 1})


def test_render_rejects_a_list_without_a_text(render: Render) -> None:
    values = pa.array([["a"], None, [], [" ", None], ["two\nlines", "b"]], pa.list_(pa.string()))
    rows = pa.table({"question": list("abcde"), "answer": values})
    for how, rejected in {
        ListOutput.ALL: {Reason.OUTPUT_NULL: 2, Reason.OUTPUT_EMPTY: 1, Reason.UNRENDERABLE: 1},
        ListOutput.SEQUENCE: {Reason.OUTPUT_NULL: 2},  # a blank word is an item of it
        ListOutput.REFERENCES: {Reason.OUTPUT_NULL: 3},
    }.items():
        assert render(rows, design("question", "answer", list_output=how))[1] == rejected


@given(ITEMS)
def test_sequence_can_be_read_back(items: list[str | None]) -> None:
    text = sequence(items)
    assert (text is None) == all(item is None for item in items)
    if text is not None:
        assert (json.loads(text) if text.startswith("[") else text.split(" ")) == items


@given(ITEMS)
def test_references_are_different_and_not_blank(items: list[str | None]) -> None:
    found = references(items)
    assert len(set(found)) == len(found)
    assert set(found) == {item for item in items if item and not item.isspace()}
    assert (lines(found) or "").count("\n") == max(0, len(found) - 1) if not any("\n" in one for one in found) else True


def several(store: Store, repo_id: str = "owner/name") -> Any:
    answers = [[f"{number} {letter}" for letter in "abcd"] for number in range(400)]
    rows = pa.table({"question": [f"q{number}" for number in range(400)], "answer": answers})
    task = design("question", "answer", list_output=ListOutput.REFERENCES, repo_id=repo_id)
    return publish(describe(sample(store, rows), repo_id=repo_id), [task], store, Publishing())


def test_one_reference_is_drawn_evenly_and_always_the_same(store: Store) -> None:
    made = several(store)
    records = store.read_table("records", made.shard.digest).to_pylist()
    assert all(record["output"] in record["references"] and len(record["references"]) == 4 for record in records)
    drawn = Counter(record["output"][-1] for record in records)
    assert set(drawn) == set("abcd") and min(drawn.values()) > 60
    assert several(store).shard == made.shard


def test_a_shard_without_references_is_as_it_was(store: Store) -> None:
    made = contribute(store, "a/plain", ["x", "y"])
    assert "references" not in store.read_table("records", made.shard.digest).column_names


def test_a_release_of_both_loads_and_exports(tmp_path: Path, store: Store) -> None:
    wanted = [contribute(store, "a/plain", ["x", "y"]), several(store, "b/several")]
    folder = tmp_path / "release"
    make_release(wanted, open_sink(str(folder), ReleaseSettings()), store, ReleaseSettings(), NOW, [])
    loaded = datasets.load_dataset(str(folder), split="train", cache_dir=str(tmp_path / "cache"))
    assert loaded["references"][0] is None and len(loaded["references"][2]) == 4
    write_records(wanted, store, "tk-instruct", str(tmp_path / "tk.jsonl"))
    instances = [json.loads(line)["Instance"] for line in (tmp_path / "tk.jsonl").read_text().splitlines()]
    assert [len(instance["output"]) for instance in instances[:3]] == [1, 1, 4]


def test_a_release_with_files_of_before_references_loads(tmp_path: Path, store: Store) -> None:
    folder = tmp_path / "release"
    wanted = [contribute(store, "a/plain", ["x", "y"]), several(store, "b/several")]
    make_release(wanted, open_sink(str(folder), ReleaseSettings()), store, ReleaseSettings(shard_records=1), NOW, [])
    first, *_ = sorted((folder / "data").glob("*.parquet"))
    pq.write_table(pq.read_table(first).drop_columns(["references"]), first)
    loaded = datasets.load_dataset(str(folder), split="train", cache_dir=str(tmp_path / "cache"))
    assert len(loaded) == 402 and loaded.column_names[-1] == "references"


def test_tasks_tell_the_words_of_their_labels_where_there_are_any(tmp_path: Path, store: Store) -> None:
    rows = pa.table({"text": ["a", "b"], "label": ["ele", "adv"]})
    words = (("ele", "elementary"), ("adv", "advanced"))
    task = design("text", "label", labels=("ele", "adv"), label_words=words, repo_id="b/worded")
    worded = publish(describe(sample(store, rows), repo_id="b/worded"), [task], store, Publishing())
    for name, wanted in (("plain", []), ("worded", [worded])):
        sink = open_sink(str(tmp_path / name), ReleaseSettings())
        make_release([contribute(store, "a/plain", ["x"]), *wanted], sink, store, ReleaseSettings(), NOW, [])
    assert "label_words" not in pq.read_table(tmp_path / "plain" / "tasks.parquet").column_names
    told = pq.read_table(tmp_path / "worded" / "tasks.parquet")["label_words"].to_pylist()
    assert told == [None, [{"label": label, "words": text} for label, text in words]]
    assert store.read_table("records", worded.shard.digest)["output"].to_pylist() == ["elementary", "advanced"]
