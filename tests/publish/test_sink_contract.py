"""The contract of `Sink`, method by method, for every kind of place in `SINKS`."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from dynosaur_core.digest import digest_bytes
from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.models import Release, ReleaseFile
from dynosaur_core.publish.sinks import SINKS, BrokenManifest, Sink, open_sink
from dynosaur_core.settings import ReleaseSettings

from .places import NOW, PLACES, Place

FIRST, SECOND = "data/000001-00000.parquet", "data/000002-00000.parquet"


def _release(version: int, *files: tuple[str, bytes]) -> Release:
    held = tuple(
        ReleaseFile(path=path, digest=digest_bytes(data), records=1, size_bytes=len(data), contributions={})
        for path, data in files
    )
    return Release(
        version=version,
        digest=f"d{version}",
        created=NOW,
        records=len(held),
        tasks=0,
        sources=0,
        files=held,
        changelog=(f"Version {version}",),
    )


def _put(sink: Sink, tmp_path: Path, name: str, data: bytes) -> bool:
    path = tmp_path / "outgoing"
    path.write_bytes(data)
    return sink.put(name, path)


def _made(place: Place, tmp_path: Path, release: Release, data: Mapping[str, bytes], **beside: bytes) -> None:
    """What `make_release` does: data files, the files beside them, the manifest."""
    sink = place.sink()
    with sink.writing():
        _, token = sink.manifest()
        assert all(_put(sink, tmp_path, name, content) for name, content in data.items())
        sink.commit(release, token, {"README.md": b"# Grown\n", **beside})


def test_sinks_each_have_a_place_that_the_contract_is_tried_at() -> None:
    assert set(PLACES) == set(SINKS)


@contextmanager
def _connections() -> Iterator[list[object]]:
    """The addresses that this process looks up or connects to inside."""
    seen: list[object] = []
    watching = True

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        if watching and event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname"):
            seen.append(arguments[-1])

    sys.addaudithook(watch)  # for as long as the process lives
    try:
        yield seen
    finally:
        watching = False


@pytest.mark.parametrize("url", ["release", "file:///nowhere/x", "s3://bucket/x", "hf://datasets/me/x"])
def test_open_sink_reaches_for_no_network_and_makes_nothing(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_EC2_METADATA_DISABLED", "HF_TOKEN"):
        monkeypatch.delenv(name, raising=False)  # s3fs would ask the machine's cloud for them
    with _connections() as seen:
        assert open_sink(url, ReleaseSettings()).url == url
    assert seen == [] and list(tmp_path.iterdir()) == []


def test_a_sink_holds_nothing_before_its_first_release(place: Place) -> None:
    sink = place.sink()
    with sink.writing():
        assert sink.manifest() == (None, None)
        assert not any(name.startswith("data/") for name in sink.listing())
        assert sink.read("manifest.json") is None and sink.read("data/nothing.parquet") is None


def test_a_committed_release_is_read_back_as_it_was(place: Place, tmp_path: Path) -> None:
    release = _release(1, (FIRST, b"one"))
    _made(place, tmp_path, release, {FIRST: b"one"})
    sink = place.sink()
    with sink.writing():
        assert sink.manifest()[0] == release
        assert sink.listing()[FIRST].size == 3
        assert sink.listing()[FIRST].digest in (None, digest_bytes(b"one"))
        assert (sink.read(FIRST), sink.read("README.md")) == (b"one", b"# Grown\n")
    assert place.read()[FIRST] == b"one"


def test_a_file_that_was_put_is_no_release_before_its_commit(place: Place, tmp_path: Path) -> None:
    _made(place, tmp_path, _release(1, (FIRST, b"one")), {FIRST: b"one"})
    sink = place.sink()
    with sink.writing():
        sink.manifest()
        assert _put(sink, tmp_path, SECOND, b"two")
    again = place.sink()
    with again.writing():
        found, _ = again.manifest()
        assert found is not None and found.version == 1


def test_a_name_that_is_taken_by_other_content_is_refused_or_free(place: Place, tmp_path: Path) -> None:
    """An attempt that was cut off has left a file: the next one holds what it has put, under this name or another."""
    _made(place, tmp_path, _release(1, (FIRST, b"one")), {FIRST: b"one"})
    place.change({SECOND: b"left"})
    sink = place.sink()
    with sink.writing():
        _, token = sink.manifest()
        name = SECOND if _put(sink, tmp_path, SECOND, b"two") else "data/000002-00001.parquet"
        assert _put(sink, tmp_path, name, b"two")
        sink.commit(_release(2, (name, b"two")), token, {})
    assert place.read()[name] == b"two"


def test_of_two_writers_the_second_is_refused(place: Place, tmp_path: Path) -> None:
    _made(place, tmp_path, _release(1, (FIRST, b"one")), {FIRST: b"one"})
    first, second = place.sink(), (place.rival or place.sink)()
    with pytest.raises(DynosaurError) as refused, first.writing(), second.writing():
        tokens = [sink.manifest()[1] for sink in (first, second)]
        for sink, token, number in zip((first, second), tokens, (2, 3), strict=True):
            sink.commit(_release(number), token, {"README.md": b"%d" % number})
    assert refused.value.code is Code.RELEASE_CONFLICT
    after = place.sink()
    with after.writing():
        found, _ = after.manifest()
        assert found is not None and found.version < 3
        assert after.read("README.md") != b"3"


def test_of_writers_at_once_none_is_lost(place: Place, tmp_path: Path) -> None:
    """Whoever committed has built on the release before: there are as many versions as commits that succeeded."""
    _made(place, tmp_path, _release(1, (FIRST, b"one")), {FIRST: b"one"})
    together, ends = threading.Barrier(4), list[Code | None]()

    def write(mark: bytes) -> None:
        sink = (place.rival or place.sink)()
        together.wait(60)
        try:
            with sink.writing():
                found, token = sink.manifest()
                assert found is not None
                sink.commit(_release(found.version + 1), token, {"README.md": mark})
            ends.append(None)
        except DynosaurError as error:
            ends.append(error.code)

    for turn in range(2):
        writers = [threading.Thread(target=write, args=[b"# %d by %d" % (turn, n)]) for n in range(4)]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
    assert set(ends) <= {None, Code.RELEASE_CONFLICT} and len(ends) == 8
    assert place.manifest.version == 1 + ends.count(None) > 1


@pytest.mark.parametrize("cut", [b"", b'{"format": "dynosaur/1", "version": 4, "store": "s1", "dig', b"\xff\xfe"])
def test_a_broken_manifest_is_said_and_can_be_replaced(place: Place, tmp_path: Path, cut: bytes) -> None:
    _made(place, tmp_path, _release(1, (FIRST, b"one")), {FIRST: b"one"})
    place.change({"manifest.json": cut})
    sink = place.sink()
    with sink.writing():
        with pytest.raises(BrokenManifest) as broken:
            sink.manifest()
        sink.commit(_release(5, (FIRST, b"one")), broken.value.token, {})
    after = place.sink()
    with after.writing():
        found, _ = after.manifest()
        assert found is not None and found.version == 5


def test_tidy_leaves_the_release_and_what_is_not_ours(place: Place, tmp_path: Path) -> None:
    _made(place, tmp_path, _release(1, (FIRST, b"one")), {FIRST: b"one"})
    place.change({"notes.txt": b"mine", "data/000009-00000.parquet": b"of a later writer"})
    release = _release(2, (SECOND, b"two"))
    _made(place, tmp_path, release, {SECOND: b"two"})
    sink = place.sink()
    with sink.writing():
        sink.manifest()
        sink.tidy(release)
    left = place.read()
    assert FIRST not in left and left[SECOND] == b"two"
    assert (left["notes.txt"], left["data/000009-00000.parquet"]) == (b"mine", b"of a later writer")


def test_a_folder_in_the_place_of_a_file_is_an_error_with_a_code(tmp_path: Path) -> None:
    """Of places with folders of their own; what has no listing of them cannot hold one."""
    (tmp_path / "release" / "manifest.json").mkdir(parents=True)
    sink = open_sink(str(tmp_path / "release"), ReleaseSettings())
    for call in (sink.manifest, lambda: sink.read("manifest.json")):
        with pytest.raises(DynosaurError, match="cannot read the release") as caught:
            call()
        assert caught.value.code is Code.RELEASE_FAILED
