"""The store: a file is there whole or not at all, for every writer, in a folder and on S3."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import fsspec
import pyarrow as pa
import pytest

from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.models import ShardHandle
from dynosaur_core.store import Store, table_name, written_whole
from tests.support.s3 import S3Server


@pytest.fixture(params=["folder", "s3"])
def url(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "folder":
        return str(tmp_path / "deep" / "store")
    server: S3Server = request.getfixturevalue("s3_server")
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    fsspec.get_filesystem_class("s3").clear_instance_cache()  # those of other tests know another server or key
    bucket = f"store-{tmp_path.name.replace('_', '-')}".lower()
    fsspec.filesystem("s3", skip_instance_cache=True).mkdir(bucket)
    return f"s3://{bucket}/deep/store/"


def other_process(store: Store) -> Store:
    """A store at the same place that shares nothing with this one."""
    type(store.fs).clear_instance_cache()
    other = Store(store.url)
    assert other.fs is not store.fs
    return other


def failure(call: Callable[[], object]) -> DynosaurError:
    with pytest.raises(DynosaurError) as raised:
        call()
    return raised.value


def test_bytes_json_and_tables(url: str) -> None:
    store = Store(url)
    assert (store.exists("a/b.json"), store.read_bytes("a/b.json"), store.read_json("a/b.json")) == (False, None, None)
    assert store.names("a") == []
    store.remove("a/b.json")
    store.write_json("a/b.json", {"text": "ü", "list": [1, None]})
    assert store.read_json("a/b.json") == {"text": "ü", "list": [1, None]}
    store.write_bytes("a/b.json", b"2")
    assert store.read_json("a/b.json") == 2
    assert store.names("a") == ["a/b.json"]
    table = pa.table({"a": ["x", None], "b": pa.array([[1], []], pa.list_(pa.int32()))})
    name, size = store.write_table("rows", table)
    assert (name, size) == store.write_table("rows", table)
    assert store.names(f"rows/{name[:2]}") == [table_name("rows", name)]
    assert store.read_table("rows", name).equals(table)
    assert store.read_table("rows", name, columns=["b"]).column_names == ["b"]
    store.remove("a/b.json")
    assert not store.exists("a/b.json")


def test_what_another_process_does_is_seen_at_once(url: str) -> None:
    store = Store(url)
    store.write_json("queue/1.json", 1)
    assert store.names("queue") == ["queue/1.json"]
    other = other_process(store)
    other.write_json("queue/2.json", 2)
    other.remove("queue/1.json")
    assert (store.exists("queue/2.json"), store.read_json("queue/2.json")) == (True, 2)
    assert (store.exists("queue/1.json"), store.read_json("queue/1.json")) == (False, None)
    assert store.names("queue") == ["queue/2.json"]


def test_a_table_that_is_missing_says_what_to_do(url: str) -> None:
    error = failure(lambda: Store(url).read_table("rows", "ab" * 16))
    assert error.code is Code.STORE_FAILED
    assert "is missing" in error.message and "--force" in error.message


@pytest.mark.parametrize("data", [b"", b"PAR1", b"\x00\xff" * 500])
def test_a_table_that_is_damaged_says_what_to_do_and_is_mended(url: str, data: bytes) -> None:
    store = Store(url)
    table = pa.table({"a": ["x"] * 1000})
    name, _ = store.write_table("rows", table)
    store.write_bytes(table_name("rows", name), data)
    with (
        pytest.raises(DynosaurError, match="dynosaur backfill a/b --force") as raised,
        store.open_table("rows", name, "a/b"),
    ):
        pass
    assert raised.value.code is Code.STORE_FAILED and table_name("rows", name) in raised.value.message
    assert failure(lambda: store.read_table("rows", name)).code is Code.STORE_FAILED
    store.write_table("rows", table)
    assert store.read_table("rows", name).equals(table)


def test_a_table_whose_pages_are_damaged_says_what_to_do(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    name, _ = store.write_table("rows", pa.table({"a": [f"text {number}" for number in range(1000)]}))
    whole = store.read_bytes(table_name("rows", name)) or b""
    store.write_bytes(table_name("rows", name), whole[:20] + b"\xff" * 60 + whole[80:])
    error = failure(lambda: store.read_table("rows", name))
    assert error.code is Code.STORE_FAILED and "--force" in error.message


@pytest.mark.parametrize("data", [b"{", b"", b"\xff", b"[" * 100_000])
def test_json_that_is_damaged_names_its_file(tmp_path: Path, data: bytes) -> None:
    store = Store(str(tmp_path))
    store.write_bytes("a/b.json", data)
    for call in (store.read_json, partial(store.read_model, model=ShardHandle)):
        error = failure(partial(call, "a/b.json"))
        assert error.code is Code.STORE_FAILED and "a/b.json" in error.message and "remove it" in error.message


def test_a_store_has_an_id(url: str) -> None:
    store = Store(url)
    assert store.id is None
    store.id = "abc"
    assert (Store(url).id, store.read_json("store.json")) == ("abc", {"id": "abc"})
    for damaged in (b"", b"[1]", b'{"other": 1}', b"\xff"):
        store.write_bytes("store.json", damaged)
        error = failure(lambda: store.id)
        assert error.code is Code.STORE_FAILED and "store.json" in error.message


def test_readers_never_see_half_a_file(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    texts = [json.dumps([number] * 40_000).encode() for number in range(4)]
    done = threading.Event()

    def write(number: int) -> None:
        for _ in range(15):
            store.write_bytes("same.json", texts[number])

    def read() -> set[bytes | None]:
        seen = set()
        while not done.is_set():
            seen.add(store.read_bytes("same.json"))
        return seen

    with ThreadPoolExecutor(6) as pool:
        readers = [pool.submit(read) for _ in range(2)]
        list(pool.map(write, range(4)))
        done.set()
        seen = set().union(*(reader.result() for reader in readers))
    assert seen - {None} <= set(texts)
    assert [path.name for path in tmp_path.iterdir()] == ["same.json"]


def test_a_table_written_by_many_at_once_is_one_file(tmp_path: Path) -> None:
    table = pa.table({"a": list(range(5_000))})
    with ThreadPoolExecutor(8) as pool:
        names = set(pool.map(lambda _: Store(str(tmp_path)).write_table("rows", table), range(16)))
    assert len(names) == 1
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 1


def test_storage_that_fails_is_worth_another_try(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    (tmp_path / "taken").write_text("a file where a folder should be")
    (tmp_path / "folder.json").mkdir()
    for error in (
        failure(lambda: store.write_bytes("taken/x.json", b"1")),
        failure(lambda: store.write_bytes("folder.json", b"1")),
        failure(lambda: store.read_bytes("folder.json")),
    ):
        assert error.code is Code.STORE_FAILED and error.policy.transient
        assert store.url in error.message
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder.json", "taken"]


def test_s3_without_rights_or_without_a_server(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for changed in ({"AWS_SECRET_ACCESS_KEY": "sk-wrong"}, {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}):
        for name, value in {**s3_server.environment, "AWS_MAX_ATTEMPTS": "1", **changed}.items():
            monkeypatch.setenv(name, value)
        store = other_process(Store("s3://bucket-of-nobody/x"))
        for call in (store.read_bytes, store.exists, store.names, lambda name: store.write_bytes(name, b"1")):  # noqa: B023
            error = failure(partial(call, "a"))
            assert error.code is Code.STORE_FAILED
            assert "sk-wrong" not in error.message


@pytest.mark.parametrize("url", ["nothing://here", "s4://x/y"])
def test_an_address_that_is_none(url: str) -> None:
    assert failure(lambda: Store(url)).code is Code.BAD_SETTING


def test_an_export_appears_whole(url: str) -> None:
    base = url.rstrip("/")
    fs, path = fsspec.core.url_to_fs(base, use_listings_cache=False)
    with written_whole(f"{base}/new.jsonl.gz") as file:
        for number in range(1_000):
            file.write(f"line {number}\n".encode())
        assert not fs.exists(f"{path}/new.jsonl.gz")
    assert gzip.decompress(fs.cat_file(f"{path}/new.jsonl.gz")).splitlines()[-1] == b"line 999"
    with pytest.raises(RuntimeError), written_whole(f"{base}/new.jsonl.gz") as file:
        file.write(b"half")
        raise RuntimeError("broken off")
    assert len(gzip.decompress(fs.cat_file(f"{path}/new.jsonl.gz"))) > 8_000
    with pytest.raises(RuntimeError), written_whole(f"{base}/other.jsonl") as file:
        file.write(b"half")
        raise RuntimeError("broken off")
    assert not fs.exists(f"{path}/other.jsonl")


def test_an_export_to_nowhere(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for url in (str(tmp_path / "file" / "x.jsonl"), "nothing://x/y.jsonl"):
        with pytest.raises(DynosaurError) as raised, written_whole(url):
            pass
        assert raised.value.code is Code.BAD_SETTING
