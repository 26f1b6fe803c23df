"""What a parser of `datasets`, pandas or pyarrow raises for a stranger's card or files is the fault of one config."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dynosaur_core.catalog.formats import UnparsableError, parsing
from dynosaur_core.catalog.parquet import sample_parquet
from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.reading.together import together
from dynosaur_core.settings import Sampling
from tests.catalog.test_configs import failure, lines, read, values
from tests.support.datasets import questions, write_dataset


def write(root: Path, extra: dict[str, Any], info: Any = None, file: str = "b.csv", both: bool = True) -> Path:
    """A dataset with the good config `a` and a config `b`, or `b` alone."""
    good = {"config_name": "a", "data_files": file.replace("b.", "a.")}
    bad = {"config_name": "b" if both else "default", "data_files": file, **extra}
    header: dict[str, Any] = {"configs": [good, bad] if both else [bad]}
    if info is not None:
        header["dataset_info"] = info
    folder = write_dataset(root, "a/b", {}, **header)
    text = lines(questions(20)) if file.endswith(".jsonl") else "q,n\n" + "".join(f"a{n},b{n}\n" for n in range(20))
    for name in ("a.", "b."):
        (folder / file.replace("b.", name)).write_text(text)
    return folder


@pytest.mark.parametrize("both", [True, False])
@pytest.mark.parametrize(
    ("file", "options"),
    [
        ("b.csv", {"encoding": "klingon"}),
        ("b.csv", {"encoding": "zlib"}),
        ("b.csv", {"header": [0, 1]}),
        ("b.csv", {"sep": 5}),
        ("b.csv", {"names": 5}),
        ("b.jsonl", {"encoding": "zlib"}),
        ("b.jsonl", {"encoding": 5}),
    ],
)
def test_option_that_no_parser_takes_is_one_configs(
    tmp_path: Path, file: str, options: dict[str, Any], both: bool
) -> None:
    write(tmp_path, options, file=file, both=both)
    if not both:
        assert failure(tmp_path).code is Code.UNREADABLE_FILES
        return
    metadata = read(tmp_path)
    assert [subset.config for subset in metadata.subsets] == ["a"]
    [refused] = metadata.rejections
    assert refused.config == "b" and refused.reason == "unreadable" and "\n" not in refused.detail


@pytest.mark.parametrize("info", [{"config_name": "b", "features": [5]}, {"config_name": "b", "features": 5}])
@pytest.mark.parametrize("listed", [True, False])
def test_info_of_another_form_is_one_configs(tmp_path: Path, info: dict[str, Any], listed: bool) -> None:
    write(tmp_path, {}, [info] if listed else info)
    metadata = read(tmp_path)
    assert [subset.config for subset in metadata.subsets] == ["a"]
    assert "`dataset_info`" in metadata.rejections[0].detail and "of no form" in metadata.rejections[0].detail


@pytest.mark.parametrize("count", ["many", -5, 10**30, 1.5, True, [1], None])
def test_count_of_rows_that_is_none_is_not_known(tmp_path: Path, count: Any) -> None:
    write(tmp_path, {}, [{"config_name": "b", "splits": [{"name": "train", "num_examples": count}]}])
    metadata = read(tmp_path)
    assert [subset.config for subset in metadata.subsets] == ["a", "b"]
    assert [split.rows for split in metadata.subsets[1].splits] == [None]


@pytest.mark.parametrize("splits", [{"train": 5}, [5], 5])
def test_splits_of_another_form_are_no_bug(tmp_path: Path, splits: Any) -> None:
    write(tmp_path, {}, {"splits": splits}, both=False)
    try:
        assert read(tmp_path).subsets
    except DynosaurError as error:
        assert error.code is Code.UNREADABLE_FILES


@pytest.mark.parametrize("text", ["[1,2]", "5", "null", '{"default": 5}'])
@pytest.mark.parametrize("both", [True, False])
def test_dataset_infos_of_another_form_are_no_bug(tmp_path: Path, text: str, both: bool) -> None:
    (write(tmp_path, {}, both=both) / "dataset_infos.json").write_text(text)
    try:
        found = [subset.config for subset in read(tmp_path).subsets]
        assert found == (["a", "b"] if both else ["default"])
    except DynosaurError as error:
        assert not both and error.code is Code.UNREADABLE_FILES


def test_parsing_makes_any_error_one_that_is_known() -> None:
    with pytest.raises(UnparsableError, match="AttributeError: no"), parsing():
        raise AttributeError("no such thing")
    with pytest.raises(MemoryError), parsing():
        raise MemoryError


def not_utf8(*texts: bytes) -> pa.Array:
    raw = pa.array(texts, pa.binary())
    return pa.Array.from_buffers(pa.string(), len(raw), raw.buffers())


def test_texts_that_are_no_utf8_become_valid_and_others_stay(tmp_path: Path) -> None:
    bad = not_utf8(b"caf\xe9", "café".encode(), b"\xff\xfe")
    nested = pa.StructArray.from_arrays([bad], ["t"])
    listed = pa.ListArray.from_arrays(pa.array([0, 1, 3, 3], pa.int32()), bad)
    folder = write_dataset(tmp_path, "a/b", {})
    table = pa.table({"q": bad, "s": nested, "l": listed, "d": bad.cast(pa.binary()), "n": [1, 2, 3]})
    pq.write_table(table.drop_columns(["d"]), folder / "train.parquet")
    metadata = read(tmp_path)
    texts = ["caf\ufffd", "café", "\ufffd\ufffd"]
    assert values(tmp_path, metadata, "q") == texts
    assert values(tmp_path, metadata, "s") == [{"t": text} for text in texts]
    assert values(tmp_path, metadata, "l") == [texts[:1], texts[1:], []]
    assert values(tmp_path, metadata, "n") == [1, 2, 3]


@pytest.mark.parametrize("header", [",".join(f"c{n}" for n in range(20_000)), "," * 1_000_000])
def test_csv_of_too_many_columns_is_refused_before_they_are_made(tmp_path: Path, header: str) -> None:
    (write_dataset(tmp_path, "a/b", {}) / "train.csv").write_text(f"{header}\n{header}\n")
    assert failure(tmp_path).code is Code.TOO_MANY_COLUMNS


def test_csv_whose_rows_are_longer_than_its_header_is_refused(tmp_path: Path) -> None:
    (write_dataset(tmp_path, "a/b", {}) / "train.csv").write_text("q,n\n" + "a,b,c,d\n" * 20)
    error = failure(tmp_path)
    assert error.code is Code.UNREADABLE_FILES
    assert error.message.endswith("train.csv: its first line names 2 columns, and its rows have 2 cells more")


def test_csv_of_another_separator_is_told(tmp_path: Path) -> None:
    (write_dataset(tmp_path, "a/b", {}) / "train.csv").write_text("q;n\n" + "a, or b;c\n" * 20)
    assert "is ';' what separates them, which its card does not say (`sep`)?" in failure(tmp_path).message


def test_csv_cell_with_many_separators_is_one_cell(tmp_path: Path) -> None:
    (write_dataset(tmp_path, "a/b", {}) / "train.csv").write_text('q,n\n"' + "," * 5_000 + '",b\n')
    assert values(tmp_path, read(tmp_path), "q") == ["," * 5_000]


def test_parquet_column_whose_name_stands_twice_is_left_out(tmp_path: Path) -> None:
    table = pa.Table.from_arrays(
        [pa.array(["a"]), pa.array(["b"]), pa.array(["c"]), pa.array(["d"])], ["q", "q", "n", "m"]
    )
    pq.write_table(table, write_dataset(tmp_path, "a/b", {}) / "train.parquet")
    metadata = read(tmp_path)
    assert [field.name for field in metadata.subsets[0].fields] == ["n", "m"]
    assert "'q'" in metadata.rejections[0].detail and "two columns" in metadata.rejections[0].detail


def test_file_whose_name_holds_a_control_character_is_said(tmp_path: Path) -> None:
    folder = write_dataset(tmp_path, "a/b", {})
    (folder / "tr\nain.jsonl").write_text(json.dumps({"q": "a", "n": "b"}) + "\n")
    error = failure(tmp_path)
    assert error.code is Code.UNREADABLE_FILES and "'tr\\nain.jsonl'" in error.message


def test_parquet_with_two_columns_of_one_name_and_no_other_says_so(tmp_path: Path) -> None:
    table = pa.Table.from_arrays([pa.array(["a"]), pa.array(["b"])], ["q", "q"])
    pq.write_table(table, write_dataset(tmp_path, "a/b", {}) / "train.parquet")
    error = failure(tmp_path)
    assert error.code is Code.UNREADABLE_FILES and "two of its columns are named 'q'" in error.message


def test_sample_parquet_of_a_name_that_stands_twice(tmp_path: Path) -> None:
    table = pa.Table.from_arrays([pa.array(["a"]), pa.array(["b"]), pa.array(["c"])], ["q", "q", "n"])
    pq.write_table(table, tmp_path / "train.parquet")
    sampled = sample_parquet([str(tmp_path / "train.parquet")], None, Sampling(), "")
    assert list(together([sampled], None).features) == ["n"]
