"""training.rows: what is read of mixtures, releases and files, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dynosaur_core.digest import digest_bytes
from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.export import FORMATS
from dynosaur_core.publish.sinks import open_sink
from dynosaur_core.publish.stage import publish
from dynosaur_core.settings import Publishing, ReleaseSettings
from dynosaur_core.store import Store
from dynosaur_core.training.rows import Row, open_data
from tests.publish.conftest import NOW, describe, design, make_release, sample
from tests.training.conftest import write

RECORD: dict[str, Any] = {
    "task_id": "t",
    "split": "train",
    "row": 3,
    "instruction": "Name the capital.",
    "input": "Land: France\n\nYear: 1999",
    "output": "Paris",
    "references": ["Paris", "Paname"],
}
ROW = Row("Name the capital.", "Land: France\n\nYear: 1999", "Paris")


@pytest.mark.parametrize("form", FORMATS)
def test_rows_of_every_export(tmp_path: Path, form: Any) -> None:
    data = open_data(str(write(tmp_path / "rows.jsonl", [FORMATS[form](RECORD)] * 2)))
    assert list(data.rows()) == [ROW, ROW]


def test_rows_of_parquet(tmp_path: Path) -> None:
    pq.write_table(pa.Table.from_pylist([RECORD] * 3), tmp_path / "rows.parquet")
    assert list(open_data(str(tmp_path / "rows.parquet")).rows()) == [ROW] * 3
    assert list(open_data(str(tmp_path)).rows()) == [ROW] * 3


def test_rows_of_a_release_are_those_of_its_manifest(tmp_path: Path) -> None:
    store, url = Store(str(tmp_path / "store")), str(tmp_path / "release")
    rows = pa.table({"text": [f"text {n}" for n in range(9)], "label": [f"label of {n}" for n in range(9)]})
    task = design("text", "label", instruction="Give the label.", repo_id="a/b")
    found = publish(describe(sample(store, rows), repo_id="a/b"), [task], store, Publishing())
    make_release([found], open_sink(url, ReleaseSettings()), store, ReleaseSettings(), NOW, [])
    pq.write_table(pa.Table.from_pylist([RECORD]), tmp_path / "release/data/other.parquet")
    read = list(open_data(url).rows())
    assert len(read) == 9 and {row.instruction for row in read} == {"Give the label."}


def test_rows_of_a_mixture_are_whole_or_refused(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    file = tmp_path / "data/train-00000.parquet"
    pq.write_table(pa.Table.from_pylist([RECORD]), file)
    files = {"data/train-00000.parquet": digest_bytes(file.read_bytes()), "README.md": "x"}
    (tmp_path / "replay.json").write_text(json.dumps({"key": "k", "files": files, "summary": {}}))
    data = open_data(str(tmp_path))
    assert list(data.rows()) == [ROW]
    before = data.digest()
    pq.write_table(pa.Table.from_pylist([RECORD, RECORD]), file)
    with pytest.raises(DynosaurError, match=r"train-00000\.parquet is damaged"):
        list(open_data(str(tmp_path)).rows())
    (tmp_path / "replay.json").unlink()
    assert open_data(str(tmp_path)).digest() != before


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{", "line 2: it is no JSON"),
        ("[" * 100_000, "line 2: it is no JSON"),
        ("[1]", "line 2: a row has instruction, input and output"),
        ('{"instruction": "x", "input": "y"}', "line 2: a row has instruction"),
        ('{"instruction": "x", "input": "y", "output": 3}', "line 2: its instruction and input and output are not all"),
        ('{"messages": [{"role": "user", "content": "x"}]}', "line 2: its messages are not of the form"),
        ('{"Definition": [], "Instance": {}}', "line 2: its Definition and Instance are not of the form"),
    ],
)
def test_rows_name_the_line_that_is_none(tmp_path: Path, line: str, words: str) -> None:
    path = write(tmp_path / "rows.jsonl", [{"instruction": "x", "input": "y", "output": "z"}])
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(DynosaurError, match=words) as caught:
        list(open_data(str(path)).rows())
    assert caught.value.code is Code.BAD_SETTING


def test_open_data_refuses_what_is_no_data(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "split").mkdir()
    (tmp_path / "split/split.json").write_text("{}")
    (tmp_path / "x.csv").write_text("a,b")
    (tmp_path / "x.parquet").write_text("no parquet")
    pq.write_table(pa.table({"text": ["x"]}), tmp_path / "y.parquet")
    for name, words in (
        ("nowhere", "is not there"),
        ("empty", "holds no parquet or jsonl file"),
        ("split", "is a split: give one of its stages, such as .*split/stage-1"),
        ("x.csv", "neither a folder nor a file"),
        ("x.parquet", "is no parquet file"),
        ("y.parquet", "has the columns text"),
    ):
        with pytest.raises(DynosaurError, match=words):
            list(open_data(str(tmp_path / name)).rows())
    with pytest.raises(DynosaurError, match="cannot be opened"):
        open_data("nothing://x")
