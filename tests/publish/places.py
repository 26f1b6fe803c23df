"""The places that releases go to, each as a person sees it with their own tools. A new sink is a line in `PLACES`."""

from __future__ import annotations

import io
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import s3fs

from dynosaur_core.digest import digest
from dynosaur_core.models import Contribution, Release, Removal
from dynosaur_core.publish import release
from dynosaur_core.publish.plan import PlannedSource
from dynosaur_core.publish.sinks import Sink, open_sink
from dynosaur_core.publish.sinks.local import LocalSink
from dynosaur_core.publish.standing import Maker
from dynosaur_core.results import ReleaseOutcome
from dynosaur_core.settings import ReleaseSettings, Settings
from dynosaur_core.store import Store
from dynosaur_core.withdrawals import check_withdrawals, reasons
from tests.support.hub import LoopbackHub

SETTINGS = ReleaseSettings(shard_records=4)
REPO = "loopback/grown"
NOW = datetime(2026, 3, 1, 4, 0, tzinfo=UTC)


class Planned:
    """Contributions under the names that a store gives them, asked for anew each time."""

    def __init__(self, contributions: Iterable[Contribution]) -> None:
        self.contributions = contributions

    def __iter__(self) -> Iterator[PlannedSource]:
        return (PlannedSource(each, digest(each)) for each in self.contributions)


def make_release(contributions: Iterable[Contribution], *rest: Any, **options: Any) -> ReleaseOutcome:
    """`publish.release.make_release` of contributions."""
    return release.make_release(Planned(contributions), *rest, **options)


@dataclass
class Place:
    """A release as a person sees it, with their own tools."""

    url: str
    read: Callable[[], dict[str, bytes]]
    change: Callable[[dict[str, bytes | None]], None]
    """Writes files, or deletes those of None."""
    growth: int = 7
    known: set[str] = field(default_factory=set)
    rival: Callable[[], Sink] | None = None
    """Opens a sink that waits for no other writer; where there are no locks it is like any."""

    def sink(self) -> Sink:
        return open_sink(self.url, SETTINGS)

    def maker(self, store: str, **options: bool) -> Maker:
        def may_leave(leaving: Sequence[Removal], held: int) -> None:
            if not options.get("withdraw_many"):
                check_withdrawals(len(leaving), held, Settings(withdrawn_floor=3), reasons(leaving), "a release")

        return Maker(store, self.known.__contains__, lambda: self.growth, may_leave, options.get("adopt", False))

    def make(
        self,
        wanted: list[Contribution],
        store: Store,
        of: str = "ours",
        removals: list[Removal] | None = None,
        verify: bool = False,
        **options: bool,
    ) -> ReleaseOutcome:
        maker = self.maker(of, **options)
        return make_release(
            wanted, self.sink(), store, SETTINGS, NOW, removals or [], maker=maker, verify=verify, pause_s=0
        )

    @property
    def manifest(self) -> Release:
        return Release.model_validate_json(self.read()["manifest.json"])

    @property
    def inputs(self) -> list[str]:
        """Of the manifest's files, which are all the data files there are, each as the manifest says."""
        files = self.read()
        manifest = Release.model_validate_json(files["manifest.json"])
        assert {name for name in files if name.startswith("data/")} == {file.path for file in manifest.files}
        assert all(len(files[file.path]) == file.size_bytes for file in manifest.files)
        tables = [pq.read_table(io.BytesIO(files[file.path])) for file in manifest.files]
        return sorted(text for table in tables for text in table["input"].to_pylist())


def _folder(request: pytest.FixtureRequest, scheme: str = "") -> Place:
    root = Path(request.getfixturevalue("tmp_path")) / "release"

    def read() -> dict[str, bytes]:
        paths = [path for path in root.rglob("*") if path.is_file() and path.name != ".dynosaur.lock"]
        return {path.relative_to(root).as_posix(): path.read_bytes() for path in paths}

    def change(files: dict[str, bytes | None]) -> None:
        for name, data in files.items():
            if data is None:
                (root / name).unlink()
            else:
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_bytes(data)

    url = f"{scheme}{root}"
    return Place(url, read, change, rival=lambda: LocalSink(url, wait_s=0))


def _s3(request: pytest.FixtureRequest) -> Place:
    _set(request, request.getfixturevalue("s3_server").environment)
    fs = s3fs.S3FileSystem(skip_instance_cache=True, use_listings_cache=False)
    root = f"b-{uuid.uuid4().hex[:12]}/grown"
    fs.mkdir(root.split("/")[0])

    def change(files: dict[str, bytes | None]) -> None:
        for name, data in files.items():
            if data is None:
                fs.rm_file(f"{root}/{name}")
            else:
                fs.pipe_file(f"{root}/{name}", data)

    def read() -> dict[str, bytes]:
        return {path.removeprefix(f"{root}/"): fs.cat_file(path) for path in fs.find(root)}

    return Place(f"s3://{root}", read, change)


def _hub(request: pytest.FixtureRequest) -> Place:
    hub: LoopbackHub = request.getfixturevalue("hub")
    _set(request, {"HF_ENDPOINT": hub.url, "HF_TOKEN": hub.token})

    def read() -> dict[str, bytes]:
        return {name: blob.read() for name, blob in hub[REPO].head.files.items() if name != ".gitattributes"}

    return Place(f"hf://datasets/{REPO}", read, lambda files: hub.edit(REPO, files, "By hand") and None)


def _set(request: pytest.FixtureRequest, variables: Mapping[str, str]) -> None:
    monkeypatch: pytest.MonkeyPatch = request.getfixturevalue("monkeypatch")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


PLACES: dict[str, Callable[[pytest.FixtureRequest], Place]] = {
    "": _folder,
    "file": lambda request: _folder(request, "file://"),
    "s3": _s3,
    "hf": _hub,
}
"""By the scheme of `SINKS`."""
