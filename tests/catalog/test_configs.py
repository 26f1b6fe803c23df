"""Configs that cannot be read, and what is said of them: one config harms only itself."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from dynosaur_core.catalog.folder import FolderCatalog
from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.metadata.stage import read_metadata
from dynosaur_core.models import SPLIT_COLUMN, DatasetMetadata
from dynosaur_core.settings import Policy, Sampling
from dynosaur_core.store import Store
from tests.support.datasets import questions, reviews, write_dataset

POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 12345\n"


def lines(rows: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def read(root: Path) -> DatasetMetadata:
    catalog = FolderCatalog(root)
    return read_metadata(catalog.ref("a/b"), catalog, Store(str(root / ".store")), Sampling(), Policy())


def values(root: Path, metadata: DatasetMetadata, field: str) -> list[Any]:
    handle = metadata.subsets[0].rows
    assert handle is not None
    found: list[Any] = Store(str(root / ".store")).read_table("rows", handle.digest)[field].to_pylist()
    return found


def failure(root: Path) -> DynosaurError:
    with pytest.raises(DynosaurError) as raised:
        read(root)
    assert str(root) not in str(raised.value)
    return raised.value


def write_configs(root: Path, **files: bytes | None) -> None:
    """A dataset with a good config and one for each of `files` (name with `_` for the dot); None: a missing file."""
    names = {name: name.replace("_", ".") for name in files}
    configs = [{"config_name": "good", "data_files": "good.jsonl"}]
    configs += [{"config_name": name, "data_files": file} for name, file in names.items()]
    folder = write_dataset(root, "a/b", {}, configs=configs)
    (folder / "good.jsonl").write_text(lines(questions(20)))
    for name, content in files.items():
        if content is not None:
            (folder / names[name]).write_bytes(content)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("b_jsonl", b'{"q": 1}\n{"q"', "line 2"),
        ("b_jsonl", b"[1, 2", "does not parse"),
        ("b_jsonl", b"[" * 100_000, "b.jsonl: it is nested too deeply"),
        ("b_jsonl", b'{"a": ' * 100_000, "b.jsonl: line 1 is nested too deeply"),
        ("b_parquet", b"PAR1 is not enough", "b.parquet: "),
        ("b_csv", b'a,b\n"1,2\n', "does not parse"),
        ("b_csv", b"a,b\n1,2\n1,2,3,4\n", "does not parse"),
        ("b_jsonl.gz", gzip.compress(b'{"q": 1}\n' * 99, mtime=0)[:-9], "does not parse"),
        ("b_tar", b"\0" * 10_240, "b"),
        ("gone_jsonl", None, "gone.jsonl"),
        ("b_jsonl", POINTER.encode(), "LfsPointer"),
        ("b_pkl", b"cos\nsystem\n(S'exit'\ntR.", "b"),
    ],
)
def test_one_config_that_cannot_be_read_is_left_out(
    tmp_path: Path, name: str, content: bytes | None, says: str
) -> None:
    write_configs(tmp_path, **{name: content})
    metadata = read(tmp_path)
    assert [subset.config for subset in metadata.subsets] == ["good"]
    [refused] = metadata.rejections
    assert (refused.level, refused.reason, refused.config) == ("subset", "unreadable", name)
    assert says in refused.detail and str(tmp_path) not in refused.detail and "/tmp" not in refused.detail


def test_several_configs_that_are_missing(tmp_path: Path) -> None:
    write_configs(tmp_path, one_jsonl=None, two_jsonl=lines(reviews(20)).encode(), three_csv=None)
    metadata = read(tmp_path)
    assert [subset.config for subset in metadata.subsets] == ["good", "two_jsonl"]
    assert {item.config for item in metadata.rejections} == {"one_jsonl", "three_csv"}


def test_a_dataset_of_which_no_config_can_be_read_fails(tmp_path: Path) -> None:
    write_configs(tmp_path, other_jsonl=b"{{{")
    (tmp_path / "a/b/good.jsonl").write_bytes(b"\x00\x01 nothing")
    error = failure(tmp_path)
    assert error.code is Code.UNREADABLE_FILES and "good" in error.message


@pytest.mark.parametrize("extension", ["jsonl", "csv", "parquet", "json"])
def test_pointers_of_git_lfs_say_so(tmp_path: Path, extension: str) -> None:
    (write_dataset(tmp_path, "a/b", {}) / f"train.{extension}").write_text(POINTER)
    error = failure(tmp_path)
    assert error.code is Code.LFS_POINTER and f"train.{extension}" in error.message
    assert "git lfs pull" in error.policy.advice


@pytest.mark.parametrize("names", [[2022, 2023], [2022], [None, "x"], [True, False]])
def test_names_of_configs_that_are_no_text(tmp_path: Path, names: list[Any]) -> None:
    configs = [{"config_name": name, "data_files": f"{n}.jsonl"} for n, name in enumerate(names)]
    folder = write_dataset(tmp_path, "a/b", {}, configs=configs)
    for n in range(len(names)):
        (folder / f"{n}.jsonl").write_text(lines(questions(20)))
    if "x" in names:
        metadata = read(tmp_path)
        assert [subset.config for subset in metadata.subsets] == ["x"]
        said = metadata.rejections[0].detail
    else:
        said = failure(tmp_path).message
    assert f'config_name: "{names[0]}"' in said


def test_label_names_are_the_words_of_the_card(tmp_path: Path) -> None:
    names = ["no", "yes", "on", "off", "null", "~", "2022-01-01", "010", "1_000", "12:30", "1.0", "1e3", ".nan", "True"]
    folder = write_dataset(tmp_path, "a/b", {"train": [{"q": f"What is {n}?", "l": n} for n in range(len(names))]})
    label = "".join(f"          '{n}': {name}\n" for n, name in enumerate(names))
    feature = f"  - name: l\n    dtype:\n      class_label:\n        names:\n{label}"
    card = (folder / "README.md").read_text()
    info = f"dataset_info:\n  features:\n  - name: q\n    dtype: string\n{feature}"
    (folder / "README.md").write_text(card.replace("---\n# a/b", f"{info}---\n# a/b"))
    metadata = read(tmp_path)
    assert metadata.subsets[0].fields[1].label_names == tuple(names)
    assert values(tmp_path, metadata, "l") == names


def test_label_names_are_texts_beside_other_uses_of_their_words(tmp_path: Path) -> None:
    config = "configs:\n- config_name: default\n  data_files: train.csv\n  skiprows: &one 1\n"
    label = '    dtype: {class_label: {names: [*one, "\\x85", no]}}'
    fields = f"- name: q\n    dtype: string\n  - name: l\n{label}\n"
    folder = write_dataset(tmp_path, "a/b", {})
    (folder / "README.md").write_text(f"---\nlicense: mit\n{config}dataset_info:\n  features:\n  {fields}---\n")
    (folder / "train.csv").write_text("a title\nq,l\nhow,0\nwhy,2\n")
    metadata = read(tmp_path)
    assert metadata.subsets[0].fields[1].label_names == ("1", "\x85", "no")
    assert values(tmp_path, metadata, "l") == ["1", "no"]


def test_splits_of_unknown_use_are_left_out_with_a_word(tmp_path: Path) -> None:
    write_dataset(tmp_path, "a/b", {"train": questions(20), "easy": questions(20), "testmini": questions(20)})
    metadata = read(tmp_path)
    assert [(item.level, item.reason) for item in metadata.rejections] == [("split", "unknown_split")]
    assert "easy" in metadata.rejections[0].detail
    assert set(values(tmp_path, metadata, SPLIT_COLUMN)) == {"train"}


def test_the_only_split_is_sampled_whatever_its_name(tmp_path: Path) -> None:
    write_dataset(tmp_path, "a/b", {"easy": questions(20)})
    metadata = read(tmp_path)
    assert not metadata.rejections and metadata.subsets[0].splits[0].role == "unknown"
    assert set(values(tmp_path, metadata, SPLIT_COLUMN)) == {"easy"}


@pytest.mark.parametrize(
    "text",
    [
        '[{"q": "a", "n": 1.10}, {"q": "b", "n": null}]',
        '\n [\n{"q": "a",\n "n": 1.10},\n{"q": "b", "n": null}\n]\n',
        '{"q": "a", "n": 1.10}\r\n\r\n{"q": "b"}',
        '{"q": "a",\n "n": 1.10}\n{"q": "b",\n "n": null}',
        '{\n"q": ["a", "b"],\n"n": [1.10, null]}',
        '{\n"q": {"0": "a", "1": "b"},\n"n": {"0": 1.10, "1": null}}',
        '\ufeff{"q": "a", "n": 1.10}\n{"q": "b", "n": NaN}\n',
    ],
)
def test_forms_of_json(tmp_path: Path, text: str) -> None:
    (write_dataset(tmp_path, "a/b", {}) / "train.json").write_text(text)
    metadata = read(tmp_path)
    assert values(tmp_path, metadata, "q") == ["a", "b"]
    assert values(tmp_path, metadata, "n") == ["1.10", None]


def test_columns_that_only_some_json_files_have(tmp_path: Path) -> None:
    folder = write_dataset(tmp_path, "a/b", {})
    (folder / "train-0.jsonl").write_text(lines(questions(20)))
    (folder / "train-1.jsonl").write_text(lines([{**row, "hint": "look"} for row in questions(20)]))
    metadata = read(tmp_path)
    assert values(tmp_path, metadata, "hint") == [None] * 20 + ["look"] * 20


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({}, "q,n\na,00012\nb,\n"),
        ({"sep": ";"}, "q;n\na;00012\nb;\n"),
        ({"sep": "\t"}, "q\tn\na\t00012\nb\t\n"),
        ({"header": None, "column_names": ["q", "n"]}, "a,00012\nb,\n"),
        ({"quotechar": "'"}, "q,n\n'a',00012\nb,''\n"),
        ({"skiprows": 1}, "a title\nq,n\na,00012\nb,\n"),
        ({"na_values": ["-"]}, "q,n\na,00012\nb,-\n"),
        ({"encoding": "utf-16"}, "q,n\na,00012\nb,\n"),
    ],
)
def test_csv_is_read_as_its_card_says(tmp_path: Path, options: dict[str, Any], text: str) -> None:
    config = {"config_name": "default", "data_files": "train.csv", **options}
    folder = write_dataset(tmp_path, "a/b", {}, configs=[config])
    (folder / "train.csv").write_bytes(text.encode(options.get("encoding", "utf-8")))
    metadata = read(tmp_path)
    assert values(tmp_path, metadata, "q") == ["a", "b"]
    assert values(tmp_path, metadata, "n") == ["00012", None]


def test_csv_without_a_line_has_no_rows(tmp_path: Path) -> None:
    folder = write_dataset(tmp_path, "a/b", {})
    (folder / "train-0.csv").write_text("q,n\na,00012\n")
    (folder / "train-1.csv").write_text("")
    assert values(tmp_path, read(tmp_path), "n") == ["00012"]
