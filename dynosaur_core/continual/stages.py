"""Stages: what a range of a release's versions added, or parts of a synthetic split, read from wherever they lie.

A data file of a release is named by the version that wrote it, and holds what that version added; what was only moved
into it from an older file has the older version by `ReleaseFile.since`. The parts of a split are its versions.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dynosaur_core.continual.folder import Made
from dynosaur_core.digest import digest
from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.publish.sinks import Sink, first_versions, open_sink
from dynosaur_core.settings import Settings

NEW, EARLIER = "new", "earlier"
SPLIT_MANIFEST = "split.json"
_PART = re.compile(r"stage-(\d{1,4})/data/[^/]+\.parquet")
"""Where a split keeps the rows of a part that are trained on."""
_RANGE = re.compile(r"(\d{1,9})(?:(-)(\d{1,9})?)?")
_FORM = "give `new`, or versions such as 3, 2-4 or 5-, of another release as URL@2-4"


@dataclass(frozen=True)
class Part:
    """What a data file holds of a stage."""

    path: str
    digest: str
    versions: Mapping[str, int] | int
    """repo id -> the version that added it; a number where all of the file is of one."""


class Records(Protocol):
    """Rows of tasks, wherever they are from."""

    @property
    def name(self) -> str:
        """For a person."""

    @property
    def digest(self) -> str:
        """Of their content, wherever it lies."""

    def tables(self, columns: Sequence[str]) -> Iterator[pa.Table]:
        """The rows part by part, with those of `columns` that there are, `version`, and `at`, the row's place in its
        part. Raises DynosaurError for what cannot be read."""


@dataclass(frozen=True)
class Versions:
    """A release, or a split, whose parts count as versions."""

    sink: Sink
    last: int
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Stage:
    """What some versions of a release added and is still in it."""

    sink: Sink
    first: int
    last: int
    parts: tuple[Part, ...]

    @property
    def name(self) -> str:
        versions = str(self.first) if self.first == self.last else f"{self.first}-{self.last}"
        return f"{self.sink.url}@{versions}"

    @property
    def digest(self) -> str:
        """Of its content, wherever it lies."""
        return digest(
            [
                (part.digest, part.versions if isinstance(part.versions, int) else dict(part.versions))
                for part in self.parts
            ]
        )

    def tables(self, columns: Sequence[str]) -> Iterator[pa.Table]:
        """Per part its rows, with `version` and `at`, the row's place in the file; memory holds one file.

        Raises ReleaseFailed for a file that is missing or damaged.
        """
        for part in self.parts:
            data = self.sink.read(part.path)
            try:
                if data is None:
                    raise FileNotFoundError(f"{part.path} is missing")
                file = pq.ParquetFile(pa.BufferReader(data))
                have = [name for name in columns if name in file.schema_arrow.names]
                table = file.read(columns=sorted({*have, "repo_id"}))
            except (pa.ArrowException, OSError) as error:
                message = f"a data file of {self.sink.url} cannot be read: {error}; run `dynosaur release`"
                raise DynosaurError(Code.RELEASE_FAILED, message) from error
            table = table.append_column("version", _versions_of(table, part.versions))
            table = table.append_column("at", pa.array(range(table.num_rows), pa.int64()))
            yield table.filter(pc.is_valid(table["version"]))


def _versions_of(table: pa.Table, versions: Mapping[str, int] | int) -> pa.ChunkedArray | pa.Array:
    """The version of each row; null for those of other versions."""
    if isinstance(versions, int):
        return pa.array([versions] * table.num_rows, pa.int64())
    found = pc.index_in(table["repo_id"], value_set=pa.array(list(versions), pa.string()))
    return pc.take(pa.array(versions.values(), pa.int64()), found.combine_chunks())


def open_stages(stage: str, earlier: str, settings: Settings) -> tuple[Stage, Stage]:
    """The new stage and the earlier ones, as `ReplayChoice` writes them.

    Raises BadSetting for a text that names no versions, versions that are not there or added nothing, and a place
    without a release; or what the sink raises.
    """
    url, text = _parted(stage, settings)
    all_of = open_versions(url, settings)
    first, last = _range(NEW if text == "" else text, all_of, "--stage")
    new = _stage(all_of, first, last, "--stage")
    from_url, text = _parted(earlier, settings)
    if text in ("", EARLIER):
        if from_url != url and text == "":
            text = "1-"
        elif first == 1:
            message = f"{all_of.sink.url} has no version before {first}: nothing to replay"
            raise DynosaurError(Code.BAD_SETTING, message)
        else:
            text = f"1-{first - 1}"
    if from_url != url:
        all_of = open_versions(from_url, settings)
    return new, _stage(all_of, *_range(text, all_of, "--from"), "--from")


def open_stage(text: str, settings: Settings, option: str) -> Stage:
    """Some versions, as `ReplayChoice` writes them. Raises as `open_stages` does."""
    url, versions = _parted(text, settings)
    all_of = open_versions(url, settings)
    return _stage(all_of, *_range(versions or NEW, all_of, option), option)


def _parted(text: str, settings: Settings) -> tuple[str, str]:
    """The address of the release and the versions."""
    if re.fullmatch(rf"{NEW}|{EARLIER}|[\d-]*", text):
        if not settings.release:
            raise DynosaurError(Code.BAD_SETTING, "no release is set: give --release, or --stage URL@VERSIONS")
        return settings.release[0].rstrip("/"), text
    url, at, versions = text.rpartition("@")
    if not at or not re.fullmatch(rf"{NEW}|{EARLIER}|[\d-]*", versions):
        raise DynosaurError(Code.BAD_SETTING, f"{text!r} names no versions of a release: {_FORM}")
    return url.rstrip("/"), versions


def open_versions(url: str, settings: Settings) -> Versions:
    """What lies at `url`; raises BadSetting where that is no release and no split, or what the sink raises."""
    sink = open_sink(url, settings.releasing)
    release, _ = sink.manifest()
    if release is None:
        if data := sink.read(SPLIT_MANIFEST):
            return _split(sink, data)
        raise DynosaurError(Code.BAD_SETTING, f"there is no release at {url}")
    added = first_versions(release)
    parts = [
        Part(file.path, file.digest, {name: added[name, given] for name, given in sorted(file.contributions.items())})
        for file in release.files
    ]
    return Versions(sink, release.version, tuple(parts))


def _split(sink: Sink, data: bytes) -> Versions:
    try:
        files = Made.model_validate_json(data).files
    except ValueError as error:
        message = f"{SPLIT_MANIFEST} of {sink.url} is cut: make the split again"
        raise DynosaurError(Code.BAD_SETTING, message) from error
    found = [(path, content, _PART.fullmatch(path)) for path, content in files.items()]
    parts = [Part(path, content, int(match[1])) for path, content, match in found if match]
    return Versions(
        sink, max((part.versions for part in parts if isinstance(part.versions, int)), default=0), tuple(parts)
    )


def _range(text: str, all_of: Versions, option: str) -> tuple[int, int]:
    if text == NEW:
        return all_of.last, all_of.last
    match = _RANGE.fullmatch(text)
    if not match:
        raise DynosaurError(Code.BAD_SETTING, f"{option} {text!r} names no versions of a release: {_FORM}")
    first = int(match[1])
    last = int(match[3]) if match[3] else all_of.last if match[2] else first
    if not 1 <= first <= last <= all_of.last:
        message = f"{option} {text}: {all_of.sink.url} has the versions 1 to {all_of.last}"
        raise DynosaurError(Code.BAD_SETTING, message)
    return first, last


def _stage(all_of: Versions, first: int, last: int, option: str) -> Stage:
    parts = []
    for part in all_of.parts:
        if isinstance(part.versions, int):
            parts += [part] if first <= part.versions <= last else []
        elif held := {name: version for name, version in part.versions.items() if first <= version <= last}:
            parts.append(Part(part.path, part.digest, held))
    stage = Stage(all_of.sink, first, last, tuple(parts))
    if not parts:
        message = f"{option}: nothing that {stage.name} added is in the release now"
        raise DynosaurError(Code.BAD_SETTING, message)
    return stage
