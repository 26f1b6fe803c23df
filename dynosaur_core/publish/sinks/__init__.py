"""Where releases go. `SINKS` lists the kinds of places by scheme; all speak `Sink`."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.models import Release
from dynosaur_core.settings import ReleaseSettings

MANIFEST = "manifest.json"
REMOVALS = "removals.jsonl"
TABLES = ("tasks.parquet", "sources.parquet", REMOVALS)
"""The small files that belong to every release, beside its card and manifest."""
FORMAT: str = Release.model_fields["format"].default
_FORM = re.compile(rb'"format":\s*"dynosaur/(\d{1,9})\b')
_DATA_FILE = re.compile(r"data/(\d{6,9})-\d{5,9}\.parquet")


def data_name(version: int, number: int) -> str:
    """`data/000003-00001.parquet`: the growth that made the file, and its number there."""
    return f"data/{version:06d}-{number:05d}.parquet"


@dataclass(frozen=True)
class Stored:
    """A file of a sink, by its listing."""

    size: int
    """Bytes."""
    digest: str | None = None
    """Of its content, as `digest_bytes` has it; None where the place does not tell without a download."""


class BrokenManifest(DynosaurError):  # noqa: N818 - what was found, as Code names it
    """A manifest that is none: it was cut, or written over by hand. The token is the one to replace it by."""

    def __init__(self, url: str, data: bytes, token: str | None) -> None:
        super().__init__(Code.RELEASE_FAILED, f"{MANIFEST} of {url} is cut or was written over")
        self.token = token
        text = data.decode("utf-8", "replace")
        version, store = re.search(r'"version": ?(\d{1,9}),', text), re.search(r'"store": ?"(\w+)"', text)
        self.version, self.store = int(version[1]) if version else 0, store[1] if store else None
        """What is still legible of it: 0 and None where nothing is."""


def read_manifest(data: bytes, url: str, token: str | None) -> Release:
    """The manifest's text as a release; BrokenManifest where it is none, ReleaseFailed for a later version's.

    Keys of later versions are ignored; a form that this version cannot read has a higher number, also where it is cut.
    """
    form = _FORM.search(data)
    if form and int(form[1]) > int(FORMAT.rpartition("/")[2]):
        message = f"{MANIFEST} of {url} was made by a newer version of Dynosaur: upgrade this one"
        raise DynosaurError(Code.RELEASE_FAILED, message)
    try:
        return Release.model_validate(json.loads(data))
    except (ValueError, RecursionError) as error:  # pydantic's own is a ValueError
        raise BrokenManifest(url, data, token) from error


def _is_data(name: str) -> bool:
    """Whether readers of `data/*.parquet` take the file."""
    return re.fullmatch(r"data/[^/]+\.parquet", name) is not None


def foreign_files(names: Iterable[str]) -> list[str]:
    """Those of `names` that no release has made, and that one would write over or remove; a card is for its reader.

    An attempt that was cut off before its manifest leaves data files of ours, and perhaps the tables beside them.
    """
    names = list(names)
    begun = any(map(data_version, names))
    return sorted(
        name for name in names if (_is_data(name) and not data_version(name)) or (name in TABLES and not begun)
    )


def data_version(name: str) -> int:
    """The version that made a data file; 0 for any other file."""
    match = _DATA_FILE.fullmatch(name)
    return int(match[1]) if match else 0


def stale_files(names: Iterable[str], release: Release) -> list[str]:
    """Those of `names` that readers of `data/*.parquet` take, and that the release does not hold, whoever made them.

    Files of later versions stay: another writer may be about to commit them.
    """
    held = {file.path for file in release.files}
    return [name for name in names if _is_data(name) and data_version(name) <= release.version and name not in held]


class Sink(Protocol):
    """One place of releases. A release is what its manifest says; the rest may be half written.

    Errors are `DynosaurError`: ReleaseConflict where another writer was first, a transient code where another try may
    do, ReleaseFailed for the rest.
    """

    url: str

    def writing(self) -> AbstractContextManager[None]:
        """Held from reading the manifest to its commit, where the place has locks; ReleaseConflict when it is taken."""

    def manifest(self) -> tuple[Release | None, str | None]:
        """The current release and a token that `commit` compares; (None, None) before the first one.

        Raises BrokenManifest, which has the token too.
        """

    def listing(self) -> Mapping[str, Stored]:
        """What really lies beside the manifest just read, by name."""

    def read(self, name: str) -> bytes | None:
        """A file beside the manifest just read; None where there is none."""

    def put(self, name: str, file: Path) -> bool:
        """Stores a data file that no manifest names yet; False when the name is taken by other content."""

    def commit(self, release: Release, token: str | None, files: Mapping[str, bytes]) -> None:
        """Makes `release` the current one: `files` beside it first, its manifest last and only if `token` holds."""

    def tidy(self, release: Release) -> None:
        """What may be left to do after a commit: removes the data files that `release`, the current one, does not hold.

        At once, so that withdrawn rows are gone and reading `data/*.parquet` gives the release. Who still reads by the
        manifest before finds a file missing and reads the manifest again.
        """


def _hub(url: str, settings: ReleaseSettings) -> Sink:
    from dynosaur_core.publish.sinks.hub import HubSink

    return HubSink(url, private=settings.private)


def _s3(url: str, settings: ReleaseSettings) -> Sink:
    from dynosaur_core.publish.sinks.s3 import S3Sink

    return S3Sink(url)


def _folder(url: str, settings: ReleaseSettings) -> Sink:
    from dynosaur_core.publish.sinks.local import LocalSink

    return LocalSink(url)


@dataclass(frozen=True)
class SinkForm:
    """One kind of sink."""

    form: str
    """How its address is written, for errors, help and forms."""
    address: re.Pattern[str]
    """What has to match what follows `scheme://`, or the whole where there is no scheme."""
    open: Callable[[str, ReleaseSettings], Sink]
    """Reaches for no network: that is for the sink's methods."""


_LOCAL = re.compile(r"\A(?!\s*$)(?![^/]*:)[^\0]+", re.DOTALL)
"""No scheme with one slash either (`hf:/datasets`): it would become a folder."""
SINKS: dict[str, SinkForm] = {
    "": SinkForm("a folder", _LOCAL, _folder),
    "file": SinkForm("file:///folder", _LOCAL, _folder),
    "s3": SinkForm("s3://bucket/path", re.compile(r"/*[^/].*", re.DOTALL), _s3),
    "hf": SinkForm("hf://datasets/owner/name", re.compile(r"datasets/[\w.-]+(/[\w.-]+)?/*"), _hub),
}
"""By the scheme of an address; "" for one without."""
SINK_FORMS = ", ".join(each.form for each in SINKS.values())


def open_sink(url: str, settings: ReleaseSettings, store: str | None = None) -> Sink:
    """The sink of an address. Nothing is looked up or made there.

    Raises BadSetting for an address of no form, such as a mistyped one, and for a place in `store`, where the store's
    files are.
    """
    scheme, parted, rest = url.partition("://")
    kind = SINKS.get(scheme if parted else "")
    if kind is None or not kind.address.fullmatch(rest if parted else url):
        raise DynosaurError(Code.BAD_SETTING, f"a release cannot go to {url!r}: give one of {SINK_FORMS}")
    if store is not None and f"{_place(url)}/".startswith(f"{_place(store)}/"):
        message = f"a release cannot go to {url!r}, into the store {store!r}: give a place of its own"
        raise DynosaurError(Code.BAD_SETTING, message)
    return kind.open(url, settings)


def _place(url: str) -> str:
    """A comparable form of a folder or URL."""
    path = url.removeprefix("file://")
    return path.rstrip("/") if "://" in path else str(Path(path).expanduser().resolve())
