"""A folder in the Hub's layout: what it lists, what names a revision, and what can be read."""

from __future__ import annotations

import gzip
import json
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from dynosaur_core.catalog.folder import FolderCatalog
from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.models import ROW_COLUMN, DatasetRef
from dynosaur_core.protocols import SourceSubset
from dynosaur_core.settings import Sampling
from tests.support.datasets import REVIEW_FEATURES, questions, reviews, write_dataset


def ids(root: Path) -> list[str]:
    return [ref.repo_id for ref in FolderCatalog(root).list()]


def tables(root: Path, repo_id: str, **sampling: Any) -> dict[tuple[str, str], pa.Table]:
    """(config, split) -> the sampled rows."""
    catalog = FolderCatalog(root)
    source = catalog.open(catalog.ref(repo_id))
    return {
        (subset.config, split.name): source.sample(subset, split, Sampling(**sampling))
        for subset in source.subsets()
        for split in subset.splits
    }


def code_of(root: Path, repo_id: str) -> Code:
    with pytest.raises(DynosaurError) as raised:
        tables(root, repo_id)
    return raised.value.code


def test_owners_bare_names_and_what_is_hidden(tmp_path: Path) -> None:
    write_dataset(tmp_path, "shop/reviews", {"train": reviews(9)})
    write_dataset(tmp_path, "shop/answers", {"train": reviews(9)})
    write_dataset(tmp_path, "squad", {"train": reviews(9)})
    write_dataset(tmp_path, ".git/objects", {"train": reviews(9)})
    write_dataset(tmp_path, "shop/.cache", {"train": reviews(9)})
    (tmp_path / "shop" / ".DS_Store").write_text("")
    (tmp_path / "squad" / "data").mkdir()
    (tmp_path / "notes.txt").write_text("no dataset")
    assert ids(tmp_path) == ["shop/answers", "shop/reviews", "squad"]
    catalog = FolderCatalog(tmp_path)
    for repo_id in ids(tmp_path):
        assert catalog.ref(repo_id).repo_id == repo_id
    for odd in ("shop", "squad/data", "shop/.cache", ".git/objects", "", ".", "shop/", "/etc", "../x", "shop/../squad"):
        with pytest.raises(DynosaurError) as raised:
            catalog.ref(odd)
        assert raised.value.code is Code.NOT_FOUND, odd
        with pytest.raises(DynosaurError):
            catalog.open(DatasetRef(repo_id=odd, revision=""))


def test_links_of_folders_are_not_followed(tmp_path: Path) -> None:
    write_dataset(tmp_path, "shop/reviews", {"train": reviews(9)})
    (tmp_path / "twin").symlink_to("shop")
    (tmp_path / "shop" / "copy").symlink_to("reviews")
    assert ids(tmp_path) == ["shop/reviews"]
    for linked in ("twin/reviews", "shop/copy"):
        with pytest.raises(DynosaurError) as raised:
            FolderCatalog(tmp_path).ref(linked)
        assert raised.value.code is Code.NOT_FOUND


def test_a_catalogue_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(DynosaurError) as raised:
        FolderCatalog(tmp_path / "nowhere")
    assert raised.value.code is Code.BAD_CATALOG


def test_the_listing_tells_what_the_card_does(tmp_path: Path) -> None:
    write_dataset(
        tmp_path, "a/b", {"train": reviews(9)}, license="MIT", language="en-US", task_categories=["text-generation"]
    )
    folder = write_dataset(tmp_path, "a/broken", {"train": reviews(9)})
    (folder / "README.md").write_text("---\nlicense: [mit\n---\n")
    good, broken = FolderCatalog(tmp_path).list()
    assert (good.licenses, good.languages, good.task_categories) == (("mit",), ("en",), ("text-generation",))
    assert good.last_modified is not None
    assert broken.licenses == ()


def test_the_revision_is_the_content(tmp_path: Path) -> None:
    folder = write_dataset(tmp_path / "one", "a/b", {"train": reviews(9)})
    catalog = FolderCatalog(tmp_path / "one")
    first = catalog.ref("a/b").revision
    assert len(first) == 40 and set(first) <= set("0123456789abcdef")
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    os.utime(tmp_path / "two/a/b/train.jsonl", (0, 0))
    (tmp_path / "two/a/b/.cache").mkdir()
    (tmp_path / "two/a/b/.cache/fetched").write_text("today")
    (tmp_path / "two/a/b/.gitattributes").write_text("*.parquet lfs")
    assert FolderCatalog(tmp_path / "two").ref("a/b").revision == first
    seen = {first}
    for change in (
        lambda: (folder / "train.jsonl").write_text((folder / "train.jsonl").read_text().replace("kettle", "cattle")),
        lambda: (folder / "train.jsonl").rename(folder / "learn.jsonl"),
        lambda: (folder / "README.md").write_text("# Nothing"),
        lambda: (folder / "empty").touch(),
    ):
        change()
        seen.add(catalog.ref("a/b").revision)
    assert len(seen) == 5


@pytest.mark.parametrize("name", ["with space", "ünï😀", "x#y", "p%20q", "br{a,b}", "-dash", "zip:x", "quote'\"x"])
def test_odd_names_are_read(tmp_path: Path, name: str) -> None:
    write_dataset(tmp_path, f"a/{name}", {"train": reviews(9)})
    (tmp_path / "a" / name / os.fsdecode(b"\xff\xfe.bin")).write_bytes(b"")
    [repo_id] = ids(tmp_path)
    assert repo_id == f"a/{name}"
    assert [len(table) for table in tables(tmp_path, repo_id).values()] == [9]


@pytest.mark.parametrize("name", ["b[1]", "q?z", "star*", "c::d"])
def test_names_that_would_be_patterns_say_so(tmp_path: Path, name: str) -> None:
    write_dataset(tmp_path, f"a/{name}", {"train": reviews(9)})
    assert code_of(tmp_path, f"a/{name}") is Code.UNREADABLE_FILES


def test_links_into_the_folder_are_followed_and_out_of_it_are_not(tmp_path: Path) -> None:
    inside = write_dataset(tmp_path / "hub", "a/inside", {"train": reviews(9)})
    (inside / "blobs").mkdir()
    (inside / "train.jsonl").rename(inside / "blobs" / "0a1b")
    (inside / "train.jsonl").symlink_to("blobs/0a1b")
    assert [len(table) for table in tables(tmp_path / "hub", "a/inside").values()] == [9]
    outside = write_dataset(tmp_path / "hub", "a/outside", {"train": reviews(9)})
    (outside / "train.jsonl").rename(tmp_path / "secret.jsonl")
    (outside / "train.jsonl").symlink_to(tmp_path / "secret.jsonl")
    assert code_of(tmp_path / "hub", "a/outside") is Code.UNREADABLE_FILES
    card = write_dataset(tmp_path / "hub", "a/card", {"train": reviews(9)})
    (tmp_path / "diary.md").write_text("---\nlicense: mit\n---\nSecret.")
    (card / "README.md").unlink()
    (card / "README.md").symlink_to(tmp_path / "diary.md")
    catalog = FolderCatalog(tmp_path / "hub")
    assert catalog.ref("a/card").licenses == ()
    assert catalog.open(catalog.ref("a/card")).card() == ""
    (card / "dangling").symlink_to(tmp_path / "nowhere")
    assert len(list(catalog.list())) == 3


@pytest.mark.parametrize(
    "header",
    [
        "---\npretty_name: a --- b\nconfigs:\n- {config_name: d, data_files: 'http://127.0.0.1:9/x.jsonl'}\n---\n",
        "---\nconfigs:\n- {config_name: d, data_files: {train: ['../../secret.jsonl']}}\n---\n",
        "---\nconfigs:\n- {config_name: d, data_dir: ../..}\n---\n",
    ],
)
@pytest.mark.parametrize("file", ["README.md", ".huggingface.yaml"])
def test_no_header_leads_out_of_the_folder(tmp_path: Path, header: str, file: str) -> None:
    folder = write_dataset(tmp_path, "a/b", {"train": reviews(9)})
    (tmp_path / "secret.jsonl").write_text('{"x": 1, "y": 2}\n')
    (folder / file).write_text(header if file == "README.md" else header.split("---\n", 1)[1].rsplit("\n---", 1)[0])
    assert code_of(tmp_path, "a/b") is Code.UNREADABLE_FILES


def write_rows(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    if path.name.endswith(".parquet"):
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif path.name.endswith(".csv"):
        pyarrow.csv.write_csv(pa.Table.from_pylist(rows), path)
    elif path.name.endswith(".gz"):
        path.write_bytes(gzip.compress(lines.encode()))
    elif path.name.endswith(".json"):
        path.write_text(json.dumps(rows))
    else:
        path.write_text(lines)


@pytest.mark.parametrize("name", ["t.parquet", "t.jsonl", "t.json", "t.csv", "t.jsonl.gz"])
def test_formats(tmp_path: Path, name: str) -> None:
    folder = write_dataset(tmp_path, "a/b", {}, configs=[{"config_name": "default", "data_files": name}])
    rows = [{"text": f"line {n}, with a comma", "number": n} for n in range(250)]
    write_rows(folder / name, rows)
    table = tables(tmp_path, "a/b")["default", "train"]
    numbers = table[ROW_COLUMN].to_pylist()
    assert len(numbers) == 100 and numbers == sorted(set(numbers))
    assert table.drop_columns([ROW_COLUMN]).to_pylist() == [rows[number] for number in numbers]
    assert tables(tmp_path, "a/b", first_rows=True)["default", "train"][ROW_COLUMN].to_pylist() == list(range(100))


def test_splits_and_configs_that_nobody_declared(tmp_path: Path) -> None:
    folder = write_dataset(tmp_path, "a/b", {})
    for name in ("train-00000-of-00002", "train-00001-of-00002", "validation-00000-of-00001", "test-00000-of-00001"):
        write_rows(folder / "data" / f"{name}.parquet", reviews(9))
    found = {key: len(table) for key, table in tables(tmp_path, "a/b").items()}
    assert found == {("default", "train"): 18, ("default", "validation"): 9, ("default", "test"): 9}


def test_several_configs_of_their_own_columns(tmp_path: Path) -> None:
    configs = [
        {"config_name": "en", "data_files": [{"split": "train", "path": "en/*.jsonl"}]},
        {"config_name": "q a", "data_files": [{"split": "hard_cases", "path": ["qa/1.jsonl", "qa/2.jsonl"]}]},
    ]
    folder = write_dataset(tmp_path, "a/b", {}, configs=configs)
    write_rows(folder / "en" / "a.jsonl", reviews(7))
    write_rows(folder / "qa" / "1.jsonl", questions(5))
    write_rows(folder / "qa" / "2.jsonl", questions(6))
    found = tables(tmp_path, "a/b")
    assert {key: len(table) for key, table in found.items()} == {("en", "train"): 7, ("q a", "hard_cases"): 11}
    assert found["q a", "hard_cases"].column_names == ["context", "question", "answer", ROW_COLUMN]


def test_more_shards_than_files_may_be_open(tmp_path: Path) -> None:
    folder = write_dataset(tmp_path, "a/b", {})
    count = 300
    for number in range(count):
        write_rows(folder / "data" / f"train-{number:05d}-of-{count:05d}.parquet", [{"n": number, "t": "x"}])
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(list(Path("/proc/self/fd").iterdir())) + 60, before[1]))
    try:
        table = tables(tmp_path, "a/b")["default", "train"]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert table["n"].to_pylist() == table[ROW_COLUMN].to_pylist()
    assert len(table) == 100


def test_files_that_do_not_parse_and_scripts(tmp_path: Path) -> None:
    broken = write_dataset(tmp_path, "a/broken", {"train": reviews(9)})
    (broken / "train.jsonl").write_bytes(b"\x00\x01{{{ nothing" * 50)
    assert code_of(tmp_path, "a/broken") is Code.UNREADABLE_FILES
    cut = write_dataset(tmp_path, "a/cut", {}, configs=[{"config_name": "default", "data_files": "t.parquet"}])
    write_rows(cut / "t.parquet", reviews(90))
    (cut / "t.parquet").write_bytes((cut / "t.parquet").read_bytes()[:-20])
    assert code_of(tmp_path, "a/cut") is Code.UNREADABLE_FILES
    script = write_dataset(tmp_path, "a/script", {})
    (script / "script.py").write_text("raise SystemExit('it ran')")
    assert code_of(tmp_path, "a/script") is Code.SCRIPT_DATASET
    pickled = write_dataset(tmp_path, "a/pickled", {})
    (pickled / "train.pkl").write_bytes(b"cos\nsystem\n(S'exit'\ntR.")
    assert code_of(tmp_path, "a/pickled") in (Code.NO_DATA_FILES, Code.UNREADABLE_FILES)


def test_threads_read_at_once(tmp_path: Path) -> None:
    names = [f"owner{n % 3}/set{n}" for n in range(12)]
    for n, name in enumerate(names):
        write_dataset(tmp_path, name, {"train": reviews(150, n * 1_000)}, features=REVIEW_FEATURES)
    catalog = FolderCatalog(tmp_path)

    def read(name: str) -> list[str]:
        source = catalog.open(catalog.ref(name))
        subset: SourceSubset = source.subsets()[0]
        return source.sample(subset, subset.splits[0], Sampling())["text"].to_pylist()

    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(read, names))
    assert together == [read(name) for name in names]
    assert all(len(set(texts)) == 100 for texts in together)
