"""Stages: what a range of a release's versions added, read from wherever the release lies.

A data file of a release is named by the version that wrote it, and holds what that version added; what was only moved
into it from an older file has the older version by `ReleaseFile.since`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dynosaur_core.digest import digest
from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.models import Release
from dynosaur_core.publish.sinks import Sink, first_versions, open_sink
from dynosaur_core.settings import Settings

NEW, EARLIER = "new", "earlier"
_RANGE = re.compile(r"(\d{1,9})(?:(-)(\d{1,9})?)?")
_FORM = "give `new`, or versions such as 3, 2-4 or 5-, of another release as URL@2-4"


@dataclass(frozen=True)
class Part:
    """What a data file holds of a stage."""

    path: str
    digest: str
    versions: Mapping[str, int]
    """repo id -> the version that added it."""


@dataclass(frozen=True)
class Stage:
    """What some versions of a release added and is still in it."""

    sink: Sink
    release: Release
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
        return digest([(part.digest, dict(part.versions)) for part in self.parts])

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
            names = pa.array(list(part.versions), pa.string())
            found = pc.index_in(table["repo_id"], value_set=names)
            versions = pc.take(pa.array(part.versions.values(), pa.int64()), found.combine_chunks())
            table = table.append_column("version", versions)
            table = table.append_column("at", pa.array(range(table.num_rows), pa.int64()))
            yield table.filter(pc.is_valid(table["version"]))


def open_stages(stage: str, earlier: str, settings: Settings) -> tuple[Stage, Stage]:
    """The new stage and the earlier ones, as `ReplayChoice` writes them.

    Raises BadSetting for a text that names no versions, versions that are not there or added nothing, and a place
    without a release; or what the sink raises.
    """
    url, text = _parted(stage, settings)
    release, sink = _release(url, settings)
    first, last = _versions(NEW if text == "" else text, release, sink.url, "--stage")
    new = _stage(sink, release, first, last, "--stage")
    from_url, text = _parted(earlier, settings)
    if text in ("", EARLIER):
        if from_url != url and text == "":
            text = "1-"
        elif first == 1:
            raise DynosaurError(Code.BAD_SETTING, f"{sink.url} has no version before {first}: nothing to replay")
        else:
            text = f"1-{first - 1}"
    if from_url != url:
        release, sink = _release(from_url, settings)
    first, last = _versions(text, release, sink.url, "--from")
    return new, _stage(sink, release, first, last, "--from")


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


def _release(url: str, settings: Settings) -> tuple[Release, Sink]:
    sink = open_sink(url, settings.releasing)
    release, _ = sink.manifest()
    if release is None:
        raise DynosaurError(Code.BAD_SETTING, f"there is no release at {url}")
    return release, sink


def _versions(text: str, release: Release, url: str, option: str) -> tuple[int, int]:
    if text == NEW:
        return release.version, release.version
    match = _RANGE.fullmatch(text)
    if not match:
        raise DynosaurError(Code.BAD_SETTING, f"{option} {text!r} names no versions of a release: {_FORM}")
    first = int(match[1])
    last = int(match[3]) if match[3] else release.version if match[2] else first
    if not 1 <= first <= last <= release.version:
        message = f"{option} {text}: {url} has the versions 1 to {release.version}"
        raise DynosaurError(Code.BAD_SETTING, message)
    return first, last


def _stage(sink: Sink, release: Release, first: int, last: int, option: str) -> Stage:
    added = first_versions(release)
    parts = []
    for file in release.files:
        versions = {repo_id: added[repo_id, name] for repo_id, name in sorted(file.contributions.items())}
        if held := {repo_id: version for repo_id, version in versions.items() if first <= version <= last}:
            parts.append(Part(file.path, file.digest, held))
    stage = Stage(sink, release, first, last, tuple(parts))
    if not parts:
        message = f"{option}: nothing that {stage.name} added is in the release now"
        raise DynosaurError(Code.BAD_SETTING, message)
    return stage
