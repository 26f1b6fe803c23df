"""The exports of 2023 as a catalogue: lines made by hand in their format, and what this project writes itself."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import fsspec
import pytest

from dynosaur_core.catalog.folder import FolderCatalog
from dynosaur_core.catalog.jsonl import KEYS, JsonlCatalog, write_exports
from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.export import config_lines
from dynosaur_core.metadata.stage import read_metadata
from dynosaur_core.models import ROW_COLUMN, SPLIT_COLUMN, DatasetMetadata, FieldKind
from dynosaur_core.protocols import Cursor
from dynosaur_core.settings import Policy, Sampling
from dynosaur_core.store import Store
from tests.support.datasets import REVIEW_FEATURES, questions, reviews, write_dataset
from tests.support.s3 import S3Server

Rows = list[dict[str, Any]]


def line(name: str, rows: Any, repo_id: str | None = None, **facts: Any) -> dict[str, Any]:
    """A line as 2023 wrote it: no language, labels by name."""
    known = {
        "task_name": name,
        "selected_data": rows,
        "multilinguality": ["monolingual"],
        "summary": "What people think of the things they bought.",
        "supported_task": "`text-classification`: tell the label of a text.",
        "data_fields": ["text", "label"],
        "task_category": ["text-classification"],
        "task_ids": ["sentiment-classification"],
        "license": "cc-by-4.0",
        "website": f"https://huggingface.co/datasets/{repo_id or name}",
    }
    assert tuple(known) == KEYS
    return {**known, **facts}


def labelled(count: int, start: int = 0) -> Rows:
    return [
        {"text": row["text"], "label": ("negative", "positive")[row["label"]]} for row in reviews(count, start=start)
    ]


def write(path: Path, lines: Sequence[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps(each, ensure_ascii=False) + "\n" for each in lines))
    return str(path)


def read(catalog: JsonlCatalog, repo_id: str, store: Store, **sampling: Any) -> DatasetMetadata:
    return read_metadata(catalog.ref(repo_id), catalog, store, Sampling(**sampling), Policy())


def rows_of(metadata: DatasetMetadata, store: Store, number: int = 0) -> Rows:
    handle = metadata.subsets[number].rows
    assert handle is not None
    found: Rows = store.read_table("rows", handle.digest).drop_columns([SPLIT_COLUMN, ROW_COLUMN]).to_pylist()
    return found


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "store"))


def test_lines_of_2023_are_datasets_with_their_configs(tmp_path: Path, store: Store) -> None:
    lines = [
        line("glue-sst2", labelled(30), "glue"),
        line("shop/reviews", labelled(20)),
        line("glue-two-way", labelled(12, 50), "glue"),
        line("glueless", labelled(10), "glue"),
        line("old-name", labelled(10), website=None, license=["MIT", "apache-2.0"]),
    ]
    catalog = JsonlCatalog(write(tmp_path / "all.jsonl", lines))
    refs = {ref.repo_id: ref for ref in catalog.list()}
    assert list(refs) == ["glue", "shop/reviews", "glueless", "old-name"]
    assert refs["glue"].licenses == ("cc-by-4.0",)
    assert refs["old-name"].licenses == ("mit", "apache-2.0")
    metadata = read(catalog, "glue", store)
    assert [subset.config for subset in metadata.subsets] == ["sst2", "two-way"]
    assert rows_of(metadata, store, 1) == labelled(12, 50)
    assert [field.kind for field in metadata.subsets[0].fields] == [FieldKind.TEXT, FieldKind.TEXT]
    assert metadata.summary == "What people think of the things they bought."
    assert metadata.supported_tasks == "`text-classification`: tell the label of a text."
    assert metadata.task_categories == ("text-classification",)
    assert metadata.website == "https://huggingface.co/datasets/glue"
    assert metadata.languages == ()
    with pytest.raises(DynosaurError) as raised:
        catalog.ref("glue-sst2")
    assert raised.value.code is Code.NOT_FOUND


def test_without_a_language_key_the_texts_tell(tmp_path: Path, store: Store) -> None:
    german = [{"frage": f"Welche Farbe hat das Haus Nummer {n} am Fluss?", "antwort": "grün"} for n in range(20)]
    lines = [line("a/german", german), line("a/tagged", labelled(20), languages=["en", "de"])]
    catalog = JsonlCatalog(write(tmp_path / "all.jsonl", lines))
    assert [item.reason for item in read(catalog, "a/german", store).rejections] == ["not_english"]
    assert [item.reason for item in read(catalog, "a/tagged", store).rejections] == ["not_english"]


def test_the_strictest_licence_of_any_config_counts(tmp_path: Path, store: Store) -> None:
    lines = [line("x-a", labelled(20), "x"), line("x-b", labelled(20), "x", license="cc-by-nd-4.0")]
    metadata = read(JsonlCatalog(write(tmp_path / "all.jsonl", lines)), "x", store)
    assert [item.reason for item in metadata.rejections] == ["refused_license"]


def test_the_revision_follows_the_dataset_alone(tmp_path: Path) -> None:
    path = tmp_path / "all.jsonl"
    before = [line("x-a", labelled(9), "x"), line("x-b", labelled(9), "x"), line("y", labelled(9))]
    catalog = JsonlCatalog(write(path, before))
    old = {ref.repo_id: ref.revision for ref in catalog.list()}
    after = [before[2], before[0], {**before[1], "selected_data": labelled(10)}]
    new = {ref.repo_id: ref.revision for ref in JsonlCatalog(write(path, after)).list()}
    assert new["y"] == old["y"]
    assert new["x"] != old["x"]


def test_the_metadata_file_finds_the_data_beside_it(tmp_path: Path, store: Store) -> None:
    short = write(tmp_path / "huggingface_metadata.jsonl", [line("x", labelled(40)[:2])])
    assert len(rows_of(read(JsonlCatalog(short), "x", store), store)) == 2
    write(tmp_path / "huggingface_data.jsonl", [line("x", labelled(40))])
    assert rows_of(read(JsonlCatalog(short), "x", store), store) == labelled(40)


def test_a_compressed_file(tmp_path: Path, store: Store) -> None:
    plain = write(tmp_path / "all.jsonl", [line("x", labelled(20)), line("y", labelled(20, 100))])
    packed = tmp_path / "packed.jsonl.gz"
    packed.write_bytes(gzip.compress(Path(plain).read_bytes()))
    assert list(JsonlCatalog(str(packed)).list()) == list(JsonlCatalog(plain).list())
    assert rows_of(read(JsonlCatalog(str(packed)), "y", store), store) == labelled(20, 100)
    packed.write_bytes(packed.read_bytes()[:-200])
    with pytest.raises(DynosaurError) as raised:
        JsonlCatalog(str(packed))
    assert raised.value.code is Code.BAD_CATALOG


def test_rows_that_do_not_agree(tmp_path: Path, store: Store) -> None:
    rows = [
        {"id": 1, "score": 1, "tags": ["a"], "extra": {"a": 1}},
        {"id": "two", "score": 2.5, "tags": ["b", 3], "extra": {}},
        {"id": None, "score": None, "tags": None, "late": "only here"},
        {"id": 2**70, "score": 3, "tags": [], "extra": {"b": "x"}},
    ]
    metadata = read(JsonlCatalog(write(tmp_path / "all.jsonl", [line("x", rows)])), "x", store)
    assert {field.name: field.type for field in metadata.subsets[0].fields}["id"] == "string"
    found = rows_of(metadata, store)
    assert [row["id"] for row in found] == ["1", "two", None, str(2**70)]
    assert [row["score"] for row in found] == ["1", "2.5", None, "3"]
    assert [row["tags"] for row in found] == [["a"], ["b", "3"], None, []]
    assert [row["late"] for row in found] == [None, None, "only here", None]
    assert found[0]["extra"] == {"a": 1, "b": None}


@pytest.mark.parametrize("rows", [None, "text", ["a", "b"], {"text": "x"}])
def test_rows_that_are_none_fail_their_dataset_alone(tmp_path: Path, store: Store, rows: Any) -> None:
    catalog = JsonlCatalog(write(tmp_path / "all.jsonl", [line("bad", rows), line("good", labelled(9))]))
    with pytest.raises(DynosaurError) as raised:
        read(catalog, "bad", store)
    assert raised.value.code is Code.UNREADABLE_FILES
    assert len(rows_of(read(catalog, "good", store), store)) == 9


def test_prose_cannot_end_or_hide_a_section(tmp_path: Path, store: Store) -> None:
    odd = line(
        "x", labelled(9), summary="# Reviews\nThey are\n---\nlong.\n```\ncode", supported_task="None yet\n====\nx"
    )
    empty = line("y", labelled(9), summary="[More Information Needed]", supported_task=None)
    catalog = JsonlCatalog(write(tmp_path / "all.jsonl", [odd, empty]))
    metadata = read(catalog, "x", store)
    assert metadata.summary is not None and metadata.summary.split() == ["Reviews", "They", "are", "long.", "code"]
    assert metadata.supported_tasks is not None and metadata.supported_tasks.split() == ["None", "yet", "x"]
    assert read(catalog, "y", store).summary is None


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (b'{"task_name": "cut off', "line 3 is not JSON"),
        (b"\xff\xfe", "line 3 is not JSON"),
        (b"[1, 2]", "line 3 has no task_name"),
        (b'{"task_name": null}', "line 3 has no task_name"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, bad: bytes, words: str) -> None:
    path = tmp_path / "all.jsonl"
    path.write_bytes(json.dumps(line("x", labelled(9))).encode() + b"\n\n" + bad + b"\n")
    with pytest.raises(DynosaurError) as raised:
        list(JsonlCatalog(str(path)).list())
    assert raised.value.code is Code.BAD_CATALOG
    assert f"all.jsonl, {words}" in raised.value.message


@pytest.mark.parametrize(
    "name", ["missing.jsonl", "missing_metadata.jsonl", "nothing://x/y_metadata.jsonl", "x.jsonl.gz"]
)
def test_a_file_that_is_not_there_is_said_at_once(tmp_path: Path, name: str) -> None:
    with pytest.raises(DynosaurError) as raised:
        JsonlCatalog(name if "://" in name else str(tmp_path / name))
    assert raised.value.code is Code.BAD_CATALOG


def grow_two(root: Path) -> FolderCatalog:
    write_dataset(root, "shop/reviews", {"train": reviews()}, features=REVIEW_FEATURES, task_ids=["sentiment"])
    configs = [
        {"config_name": name, "data_files": [{"split": "train", "path": f"{name}.jsonl"}]} for name in ("easy", "hard")
    ]
    nested = [{**row, "options": ["a", "b"], "more": {"n": 1}} for row in questions(12)]
    write_dataset(root, "museum/questions", {"easy": questions(30), "hard": nested}, configs=configs)
    return FolderCatalog(root)


def test_what_is_exported_reads_the_same(tmp_path: Path, store: Store) -> None:
    source = grow_two(tmp_path / "catalog")
    before = [read_metadata(ref, source, store, Sampling(), Policy()) for ref in source.list()]
    short, long = str(tmp_path / "out" / "huggingface_metadata.jsonl"), str(tmp_path / "out" / "huggingface_data.jsonl")
    assert write_exports(config_lines(before, store), short, long) == 3
    exported = [json.loads(text) for text in Path(short).read_text().splitlines()]
    assert [tuple(each)[: len(KEYS)] for each in exported] == [KEYS] * 3
    assert [each["task_name"] for each in exported] == [
        "museum/questions-easy",
        "museum/questions-hard",
        "shop/reviews",
    ]
    assert {len(each["selected_data"]) for each in exported} == {2}
    catalog = JsonlCatalog(short)
    after = [read_metadata(ref, catalog, store, Sampling(), Policy()) for ref in catalog.list()]
    facts = {"title", "website", "license", "languages", "summary", "task_categories", "task_ids", "multilinguality"}
    assert [each.model_dump(include=facts) for each in after] == [each.model_dump(include=facts) for each in before]
    for old, new in zip(before, after, strict=True):
        assert [subset.config for subset in new.subsets] == [subset.config for subset in old.subsets]
        for number in range(len(old.subsets)):
            assert rows_of(new, store, number) == rows_of(old, store, number)
    label = after[1].subsets[0].fields[1]
    assert (label.name, label.kind) == ("label", FieldKind.TEXT)


def test_an_export_that_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    def lines() -> Any:
        yield {"task_name": "x"}, labelled(9)
        raise DynosaurError(Code.STORE_FAILED, "gone")

    with pytest.raises(DynosaurError):
        write_exports(lines(), str(tmp_path / "a_metadata.jsonl"), str(tmp_path / "a_data.jsonl"))
    assert list(tmp_path.iterdir()) == []


def test_by_s3(s3_server: S3Server, tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    fsspec.get_filesystem_class("s3").clear_instance_cache()  # those of other tests know another server or key
    fs = fsspec.filesystem("s3", skip_instance_cache=True)
    fs.mkdir("dump-of-2023")
    base = "s3://dump-of-2023/huggingface"
    lines = [(line("glue-a", [], "glue"), labelled(30)), (line("glue-b", [], "glue"), labelled(20, 100))]
    assert write_exports(lines, f"{base}_metadata.jsonl", f"{base}_data.jsonl") == 2
    catalog = JsonlCatalog(f"{base}_metadata.jsonl")
    assert catalog.rows_url == f"{base}_data.jsonl"
    metadata = read(catalog, "glue", store)
    assert rows_of(metadata, store, 0) == labelled(30)
    assert rows_of(metadata, store, 1) == labelled(20, 100)
    fs.pipe_file("dump-of-2023/packed.jsonl.gz", gzip.compress(fs.cat_file(f"{base}_data.jsonl")))
    assert [ref.repo_id for ref in JsonlCatalog("s3://dump-of-2023/packed.jsonl.gz").list()] == ["glue"]
    with pytest.raises(DynosaurError) as raised:
        JsonlCatalog("s3://dump-of-2023/nothing.jsonl")
    assert raised.value.code is Code.BAD_CATALOG


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b'{"task_name": "bad", "selected_data": [{]}', "line 2 is not JSON"),
        (b'{"task_name": "bad", "selected_data": ' + b"[" * 100_000, "line 2 is not JSON: it is nested too deeply"),
        (
            b'{"task_name": "bad", "selected_data": [' + b"[]," * 2_000_000 + b"[]]}",
            "line 2 is not JSON: it holds more",
        ),
        (b'{"task_name": "bad", "x": "' + b"0" * 100_000_000 + b'"}', "line 2 is longer than"),
    ],
)
def test_lines_that_are_beyond_the_limits_harm_their_dataset_alone(
    tmp_path: Path, store: Store, data: bytes, words: str
) -> None:
    path = tmp_path / "all.jsonl"
    good = json.dumps(line("good", labelled(9))).encode()
    path.write_bytes(good + b"\n" + data + b"\n" + good.replace(b"good", b"late") + b"\n")
    catalog = JsonlCatalog(str(path))
    refs = {ref.repo_id: ref for ref in catalog.list()}
    assert list(refs) == ["good", "bad", "late"]
    assert {name for name, ref in refs.items() if ref.unreadable_card} == {"bad"}
    with pytest.raises(DynosaurError) as raised:
        read(catalog, "bad", store)
    assert words in raised.value.message and not raised.value.policy.transient
    for name in ("good", "late"):
        assert len(rows_of(read(catalog, name, store), store)) == 9


def test_lines_without_a_name_are_said_after_all_others(tmp_path: Path) -> None:
    path = tmp_path / "all.jsonl"
    good = json.dumps(line("x", labelled(9))).encode()
    path.write_bytes(b"{\n" + good + b"\n[1]\n")
    found, cursor = [], Cursor()
    with pytest.raises(DynosaurError, match=r"all.jsonl, line 1 is not JSON.*\(1 more such lines\)"):
        for ref in JsonlCatalog(str(path)).list(cursor):
            found.append(ref.repo_id)
    assert found == ["x"] and cursor.pages == 1 and cursor.malformed == 2
    assert not cursor.whole and not cursor.finished


def test_ids_that_cannot_be_kept_are_counted_and_the_first_is_named(tmp_path: Path) -> None:
    cursor, names = Cursor(), ["a\tb", "x" * 300, "x"]
    catalog = JsonlCatalog(write(tmp_path / "all.jsonl", [line(name, labelled(9)) for name in names]))
    assert [ref.repo_id for ref in catalog.list(cursor)] == ["x"]
    assert (cursor.malformed, cursor.example) == (2, r"'a\tb'")


def test_packed_catalogue_that_swells_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "all.jsonl.gz"
    path.write_bytes(gzip.compress(b"0" * 300_000_000, 1))
    with pytest.raises(DynosaurError, match="unpacks to more than") as raised:
        JsonlCatalog(str(path))
    assert raised.value.code is Code.BAD_CATALOG


def test_rows_that_are_nested_or_wide_fail_their_dataset(tmp_path: Path, store: Store) -> None:
    deep: Any = "x"
    for _ in range(200):
        deep = [deep]
    wide = [{f"{n}": "x" for n in range(1_000)}]
    catalog = JsonlCatalog(write(tmp_path / "all.jsonl", [line("deep", [{"a": deep}]), line("wide", wide)]))
    for name, code in (("deep", Code.UNREADABLE_FILES), ("wide", Code.TOO_MANY_COLUMNS)):
        with pytest.raises(DynosaurError) as raised:
            read(catalog, name, store)
        assert raised.value.code is code
