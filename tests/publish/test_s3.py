"""Releases on a real S3 server: conditional commits, conflicts, leftovers of attempts that did not finish."""

from __future__ import annotations

import uuid
from pathlib import Path

import datasets
import pytest
import s3fs

from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.publish.sinks import open_sink
from dynosaur_core.publish.sinks.s3 import S3Sink
from dynosaur_core.settings import ReleaseSettings
from dynosaur_core.store import Store
from tests.support.s3 import S3Server

from .conftest import NOW, contribute, make_release

SETTINGS = ReleaseSettings(shard_records=2)


@pytest.fixture
def url(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> str:
    """A release in a new bucket; the server's address and key stand in the environment, as an operator gives them."""
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()  # `datasets` would take another test's
    bucket = f"b-{uuid.uuid4().hex[:12]}"
    s3fs.S3FileSystem(skip_instance_cache=True).mkdir(bucket)
    return f"s3://{bucket}/grown/release"


def files(sink: S3Sink) -> list[str]:
    return [path.removeprefix(f"{sink.root}/") for path in sink.fs.find(sink.root)]


def test_released_changed_and_the_same_again(url: str, store: Store, tmp_path: Path) -> None:
    sink = open_sink(url, SETTINGS)
    assert isinstance(sink, S3Sink)
    wanted = [contribute(store, f"a/{number}", [f"{number}x", f"{number}y"]) for number in range(3)]
    assert make_release(wanted, sink, store, SETTINGS, NOW).records == 6
    loaded = datasets.load_dataset("parquet", data_files=f"{url}/data/*.parquet", cache_dir=str(tmp_path / "cache"))
    assert len(loaded["train"]) == 6
    before = sink.fs.find(sink.root, detail=True)
    assert not make_release(wanted, sink, store, SETTINGS, NOW).changed
    assert sink.fs.find(sink.root, detail=True) == before
    assert make_release(wanted[1:], sink, store, SETTINGS, NOW).records == 4
    assert [name for name in files(sink) if name.startswith("data/")] == [
        "data/000001-00001.parquet",
        "data/000001-00002.parquet",
    ]
    assert b'"repo_id":"a/0"' in (sink.read("removals.jsonl") or b"")


def test_the_second_of_two_writers_is_refused_and_then_builds_on_the_first(url: str, store: Store) -> None:
    ours, theirs = S3Sink(url), S3Sink(url)
    first, second = contribute(store, "a/first", ["a"]), contribute(store, "b/second", ["b"])
    asked = 0

    class Wanted(list):  # type: ignore[type-arg]
        """While the first try is planned, another growth makes its release and adds to what is wanted."""

        def __iter__(self):  # type: ignore[no-untyped-def]
            nonlocal asked
            asked += 1
            if asked == 1:
                make_release([second], theirs, store, SETTINGS, NOW)
                return iter([first])
            return iter([first, second])

    outcome = make_release(Wanted(), ours, store, SETTINGS, NOW, pause_s=0)
    release, token = ours.manifest()
    assert (outcome.version, outcome.records, asked) == (2, 2, 2)
    assert release is not None and release.sources == 2
    held = {file.path for file in release.files}
    assert {name for name in files(ours) if name.startswith("data/")} == held
    for stale in (None, '"0123456789abcdef0123456789abcdef"'):
        with pytest.raises(DynosaurError) as caught:
            ours.commit(release, stale, {"README.md": b"lost"})
        assert caught.value.code is Code.RELEASE_CONFLICT
    assert b"lost" not in (ours.read("README.md") or b"") and ours.manifest()[1] == token


def test_the_manifest_is_put_on_condition(url: str, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other writer commits after the last look at the manifest: only the server can refuse then."""
    make_release([contribute(store, "a/first", ["a"])], S3Sink(url), store, SETTINGS, NOW)

    class Late(S3Sink):
        looks = 0

        def _manifest(self):  # type: ignore[no-untyped-def]
            seen = super()._manifest()
            self.looks += 1
            if self.looks == 2:
                make_release([contribute(store, "c/third", ["c"])], S3Sink(url), store, SETTINGS, NOW)
            return seen

    late = Late(url)
    outcome = make_release([contribute(store, "b/second", ["b"])], late, store, SETTINGS, NOW, pause_s=0)
    release, _ = late.manifest()
    assert release is not None and (outcome.version, release.version) == (3, 3)
    assert [list(file.contributions) for file in release.files] == [["b/second"]]


def test_leftovers_are_taken_over_or_passed_by(url: str, store: Store, tmp_path: Path) -> None:
    sink = S3Sink(url)
    wanted = [contribute(store, "a/one", ["a", "b"]), contribute(store, "b/two", ["c", "d"])]
    whole = S3Sink(f"{url}-whole")
    make_release(wanted, whole, store, SETTINGS, NOW)
    sink.fs.pipe_file(f"{sink.root}/data/000001-00000.parquet", whole.read("data/000001-00000.parquet"))
    sink.fs.pipe_file(f"{sink.root}/data/000001-00001.parquet", b"another attempt's")
    assert make_release(wanted, sink, store, SETTINGS, NOW).records == 4
    release, _ = sink.manifest()
    assert release is not None
    assert [file.path for file in release.files] == ["data/000001-00000.parquet", "data/000001-00002.parquet"]
    assert "data/000001-00001.parquet" not in files(sink)


def test_a_wrong_key_is_said(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with pytest.raises(DynosaurError) as caught:
        S3Sink(url).manifest()
    assert caught.value.code is Code.RELEASE_FAILED
