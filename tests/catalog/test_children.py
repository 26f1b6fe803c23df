"""catalog.children and catalog.inside: what hostile files do to the reading of their dataset, and to nothing else."""

from __future__ import annotations

import gzip
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dynosaur_core.catalog.folder import FolderCatalog
from dynosaur_core.catalog.hub.catalog import HubCatalog
from dynosaur_core.catalog.hub.http import HubHttp
from dynosaur_core.catalog.inside import check_addresses, check_pattern
from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.metadata.stage import read_metadata
from dynosaur_core.protocols import Catalog
from dynosaur_core.settings import Policy, Reading, Sampling, Settings
from dynosaur_core.store import Store
from tests.support.hub import LoopbackHub

CARD = "---\nlicense: mit\n---\n"
ROWS = '{"a": "b", "c": "d"}\n' * 5
DEEP = 100_000
ENDED = (Code.TOO_LARGE, Code.READER_DIED, Code.TIMED_OUT)
"""How a reader ends that gets no more memory: a library may also wait for ever for some."""


def add(root: Path, repo_id: str, files: dict[str, str | bytes], card: str = CARD) -> None:
    for name, data in {"README.md": card, **files}.items():
        path = root / repo_id / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.encode() if isinstance(data, str) else data)


def rows_of(catalog: Catalog, repo_id: str) -> int:
    source = catalog.open(catalog.ref(repo_id))
    source.card()
    return sum(len(source.sample(s, split, Sampling())) for s in source.subsets() for split in s.splits)


def refusal(catalog: Catalog, repo_id: str = "x/bad") -> DynosaurError:
    with pytest.raises(DynosaurError) as caught:
        rows_of(catalog, repo_id)
    return caught.value


@pytest.mark.parametrize(
    ("name", "text", "codes"),
    [
        ("a.jsonl", "[" * DEEP, {Code.READER_DIED, Code.UNREADABLE_FILES}),
        ("a.jsonl", '{"a": ' + "[" * DEEP + "]" * DEEP + "}\n", {Code.READER_DIED, Code.UNREADABLE_FILES}),
        ("a.jsonl", '{"a": ' * DEEP + "1" + "}" * DEEP, {Code.READER_DIED, Code.UNREADABLE_FILES}),
        ("a.jsonl", '{"a": ' + "[" * 500 + "]" * 500 + "}\n", {Code.READER_DIED, Code.UNREADABLE_FILES}),
        ("a.json", "[" * DEEP + "]" * DEEP, {Code.READER_DIED, Code.UNREADABLE_FILES}),
        ("dataset_infos.json", "[" * DEEP, {Code.UNREADABLE_FILES}),
    ],
)
def test_nesting_harms_its_dataset_alone(tmp_path: Path, name: str, text: str, codes: set[Code]) -> None:
    add(tmp_path, "x/bad", {"good.jsonl" if name == "dataset_infos.json" else name: ROWS, name: text})
    add(tmp_path, "x/good", {"a.jsonl": ROWS})
    catalog = FolderCatalog(tmp_path)
    assert refusal(catalog).code in codes
    assert rows_of(catalog, "x/good") == 5


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "txt"])
def test_packed_file_that_swells_is_ended(tmp_path: Path, suffix: str) -> None:
    cell = b"0" * 300_000_000
    text = {"jsonl": b'{"a": "q", "b": "' + cell + b'"}\n', "csv": b"a,b\nq," + cell + b"\n", "txt": cell}[suffix]
    add(tmp_path, "x/bad", {f"train.{suffix}.gz": gzip.compress(text, 1)})
    error = refusal(FolderCatalog(tmp_path, Reading(max_memory_bytes=200_000_000), deadline_s=60.0))
    assert error.code in ENDED


def test_config_that_ends_the_reader_ends_its_dataset(tmp_path: Path) -> None:
    rows = "".join(f'{{"a": "b{n}", "c": "d"}}\n' for n in range(20))
    swelling = gzip.compress(b'{"a": "q", "b": "' + b"0" * 300_000_000 + b'"}\n', 1)
    configs = "".join(f"- config_name: {n}\n  data_files: {n}.jsonl*\n" for n in "abc")
    card = f"---\nlicense: mit\nlanguage: en\nconfigs:\n{configs}---\n"
    add(tmp_path, "x/bad", {"a.jsonl": rows, "b.jsonl.gz": swelling, "c.jsonl": rows}, card)
    catalog = FolderCatalog(tmp_path, Reading(max_memory_bytes=200_000_000), deadline_s=60.0)
    with pytest.raises(DynosaurError) as caught:
        read_metadata(catalog.ref("x/bad"), catalog, Store(str(tmp_path / "store")), Sampling(), Policy())
    assert caught.value.code in ENDED


def test_parquet_that_swells_is_ended(tmp_path: Path) -> None:
    add(tmp_path, "x/bad", {})
    table = pa.table({"a": pa.array(["0" * 1_000_000] * 300), "b": ["x"] * 300})
    pq.write_table(table, tmp_path / "x/bad/a.parquet", compression="zstd")
    error = refusal(FolderCatalog(tmp_path, Reading(max_memory_bytes=100_000_000), deadline_s=60.0))
    assert error.code in ENDED


def test_reading_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    add(tmp_path, "x/bad", {"a.jsonl": ROWS})
    add(tmp_path, "x/good", {"a.jsonl": ROWS})
    rows_of(FolderCatalog(tmp_path), "x/good")  # the processes are there
    assert refusal(FolderCatalog(tmp_path, deadline_s=-2.0)).code is Code.TIMED_OUT
    assert rows_of(FolderCatalog(tmp_path), "x/bad") == 5


@pytest.mark.parametrize(
    ("card", "words"),
    [
        ("license: !!bool maybe", "at line 2"),
        ("a: b\nlicense: &x [*x]", "at line 3"),
        ("a: b\n\tc: d", "at line 3"),
        ('title: "\\ud83d\\ude00"', "at line 2"),
    ],
)
def test_broken_card_is_listed_and_said_when_it_is_read(tmp_path: Path, card: str, words: str) -> None:
    add(tmp_path, "x/bad", {"a.jsonl": ROWS}, f"---\n{card}\n---\n")
    [ref] = FolderCatalog(tmp_path).list()
    assert ref.unreadable_card and ref.licenses == ()
    error = refusal(FolderCatalog(tmp_path))
    assert error.code is Code.UNREADABLE_CARD and words in error.message


def test_card_that_only_one_parser_takes_is_said(tmp_path: Path) -> None:
    add(tmp_path, "x/bad", {"a.jsonl": ROWS}, "---\nlicense:\tcc-by-4.0\n---\n")
    error = refusal(FolderCatalog(tmp_path))
    assert error.code is Code.UNREADABLE_CARD and "no YAML" in error.message


def test_broken_huggingface_yaml_is_said(tmp_path: Path) -> None:
    add(tmp_path, "x/bad", {"a.jsonl": ROWS, ".huggingface.yaml": "a: b\nc: *nothing\n"})
    error = refusal(FolderCatalog(tmp_path))
    assert error.code is Code.UNREADABLE_CARD and ".huggingface.yaml" in error.message and "line 2" in error.message


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """Hears whether anybody asks an address of this machine."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0)
        yield server


def address(listener: socket.socket) -> str:
    return f"http://127.0.0.1:{listener.getsockname()[1]}/secret.jsonl"


def heard(listener: socket.socket) -> bool:
    try:
        listener.accept()[0].close()
    except BlockingIOError:
        return False
    return True


PATTERNS = [
    "HTTP",
    "hf://datasets/other/repo/a.jsonl",
    "hf://datasets/x/bad@0000000000000000000000000000000000000000/a.jsonl",
    "s3://bucket/a.jsonl",
    "file:///etc/hostname",
    "file:/etc/hostname",
    "local:/etc/hostname",
    "/etc/hostname",
    "~/a.jsonl",
    "../other/a.jsonl",
    "data/../../other/a.jsonl",
    "zip://a.jsonl::HTTP",
    "simplecache::HTTP",
    "..\\other\\a.jsonl",
]


@pytest.mark.parametrize("where", ["README.md", ".huggingface.yaml"])
@pytest.mark.parametrize("pattern", PATTERNS)
def test_pattern_that_leads_out_of_a_folder_opens_nothing(
    tmp_path: Path, listener: socket.socket, where: str, pattern: str
) -> None:
    add(tmp_path, "x/other", {"a.jsonl": ROWS})
    named = pattern.replace("HTTP", address(listener))
    header = f"configs:\n- config_name: a\n  data_files:\n  - split: train\n    path: ['a.jsonl', '{named}']\n"
    if where == "README.md":
        add(tmp_path, "x/bad", {"a.jsonl": ROWS}, f"---\nlicense: mit\n{header}---\n")
    else:
        add(tmp_path, "x/bad", {"a.jsonl": ROWS, where: header})
    assert refusal(FolderCatalog(tmp_path)).code is Code.UNREADABLE_FILES
    assert not heard(listener)


@pytest.mark.parametrize("where", ["README.md", ".huggingface.yaml"])
@pytest.mark.parametrize("pattern", ["HTTP", "hf://datasets/other/repo/a.jsonl", "simplecache::HTTP", "/etc/hostname"])
def test_pattern_that_leads_out_of_a_repository_opens_nothing(
    hub: LoopbackHub, listener: socket.socket, where: str, pattern: str
) -> None:
    named = pattern.replace("HTTP", address(listener))
    header = f"configs:\n- config_name: a\n  data_files: '{named}'\n"
    files = {"README.md": CARD.encode(), "a.jsonl": ROWS.encode(), where: header.encode()}
    if where == "README.md":
        files[where] = f"---\nlicense: mit\n{header}---\n".encode()
    hub.add("x/bad", files)
    catalog = HubCatalog(Settings(), http=HubHttp(hub.url, hub.token))
    assert refusal(catalog).code is Code.UNREADABLE_FILES
    assert not heard(listener) and not hub.requests["viewer:parquet"]


def test_huggingface_yaml_of_a_repository_names_its_files(hub: LoopbackHub) -> None:
    header = b"configs:\n- config_name: a\n  data_files: b.jsonl\n"
    files = {"README.md": CARD.encode(), "a.jsonl": ROWS.encode() * 2, "b.jsonl": ROWS.encode()}
    hub.add("x/good", {**files, ".huggingface.yaml": header, "dataset_infos.json": b"{}"})
    assert rows_of(HubCatalog(Settings(), http=HubHttp(hub.url, hub.token)), "x/good") == 5


@pytest.mark.parametrize("name", ["a.jsonl", "data", "README.md"])
def test_link_that_leads_out_of_a_folder_is_not_followed(tmp_path: Path, name: str) -> None:
    add(tmp_path, "x/bad", {"b.csv": "a,b\n1,2\n"} if name == "README.md" else {})
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "a.jsonl").write_text(ROWS)
    link = tmp_path / "x" / "bad" / name
    link.unlink(missing_ok=True)
    link.symlink_to(outside if name == "data" else outside / "a.jsonl")
    assert refusal(FolderCatalog(tmp_path)).code is Code.UNREADABLE_FILES


@pytest.mark.parametrize("pattern", ["a.jsonl", "data/*.parquet", "**/train-*", "data/", "a..b.csv", "train[0-9].csv"])
def test_check_pattern_allows_what_lies_inside(pattern: str) -> None:
    check_pattern(pattern)


@pytest.mark.parametrize(
    "path",
    [
        "http://127.0.0.1/a",
        "hf://datasets/me/other@1/a",
        "hf://datasets/me/x@2/a",
        "hf://datasets/me/x@1/../../other@1/a",
        "zip://a::hf://datasets/me/x@1/a.zip",
        "/etc/hostname",
    ],
)
def test_check_addresses_refuses_what_lies_outside(path: str) -> None:
    class Config:
        data_files: ClassVar = {"train": ["hf://datasets/me/x@1/a", path]}

    class Builder:
        config = Config

    with pytest.raises(DynosaurError) as caught:
        check_addresses(Builder, "hf://datasets/me/x@1/")
    assert caught.value.code is Code.UNREADABLE_FILES
