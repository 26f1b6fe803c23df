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
    """Digest of its content, as `digest_bytes` computes it; None where only a download would show it."""


class BrokenManifest(DynosaurError):  # noqa: N818 - what was found, as Code names it
    """What lies in the place of the manifest cannot be read: it was cut or edited by hand. With its `token` `commit`
    replaces it."""

    def __init__(self, url: str, data: bytes, token: str | None) -> None:
        super().__init__(Code.RELEASE_FAILED, f"{MANIFEST} of {url} is cut or was written over")
        self.token = token
        text = data.decode("utf-8", "replace")
        version, store = re.search(r'"version": ?(\d{1,9}),', text), re.search(r'"store": ?"(\w+)"', text)
        self.version, self.store = int(version[1]) if version else 0, store[1] if store else None
        """What is still legible of it: 0 and None where nothing is."""


def read_manifest(data: bytes, url: str, token: str | None) -> Release:
    """Returns the release that a manifest describes. Raises BrokenManifest for a text that is no manifest, and
    ReleaseFailed for one of a higher format, even if that is cut. Unknown keys are ignored.
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
    """Returns those of `names` that no release made, although a release would overwrite or remove them. A card does not
    count: it is for its reader.

    A release that was cut off before its manifest leaves data files with our names, and perhaps the tables.
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


def first_versions(release: Release) -> dict[tuple[str, str], int]:
    """(repo id, digest of its contribution) -> the version of the release that added it."""
    return {
        (repo_id, name): file.since.get(repo_id, data_version(file.path))
        for file in release.files
        for repo_id, name in file.contributions.items()
    }


def stale_files(names: Iterable[str], release: Release) -> list[str]:
    """Returns those of `names` that match `data/*.parquet` although the release does not list them.

    Files of later versions are not among them: another writer may be about to commit those.
    """
    held = {file.path for file in release.files}
    return [name for name in names if _is_data(name) and data_version(name) <= release.version and name not in held]


class Sink(Protocol):
    """One place of releases. A release is what its manifest says; the rest may be half written.

    All methods raise `DynosaurError`: ReleaseConflict if another writer was first, a transient code if another attempt
    may succeed, and ReleaseFailed otherwise.

    Two writers must not harm each other, and a writer may be cut off anywhere. So the manifest appears whole and in one
    step (a rename, a conditional write, a commit), and only where `token` or the lock of `writing` still holds at that
    moment. A lock ends with its holder, or counts as lost after a time; who has lost it must not commit. A data file
    that no manifest names is nobody's: `put` may find what a writer has left who was cut off.
    """

    url: str

    def writing(self) -> AbstractContextManager[None]:
        """A lock that is held from reading the manifest until its commit, where the place has locks. Raises
        ReleaseConflict if another writer holds it."""

    def manifest(self) -> tuple[Release | None, str | None]:
        """Returns the current release, and the token that `commit` compares; (None, None) before the first release.

        Raises BrokenManifest, which carries the token too.
        """

    def listing(self) -> Mapping[str, Stored]:
        """Returns the files that really lie beside the manifest just read, by name."""

    def read(self, name: str) -> bytes | None:
        """Returns the content of a file beside the manifest just read; None if there is no such file."""

    def put(self, name: str, file: Path) -> bool:
        """Stores a data file that no manifest names yet. Returns False if the name is taken by other content."""

    def commit(self, release: Release, token: str | None, files: Mapping[str, bytes]) -> None:
        """Makes `release` the current one: writes `files`, then its manifest, only if `token` still holds."""

    def tidy(self, release: Release) -> None:
        """Cleans up after a commit: deletes data files that `release`, the current one, does not list.

        This is done immediately, so that withdrawn rows are gone and `data/*.parquet` is exactly the release. A reader
        that still holds the previous manifest will miss a file and must reload the manifest.
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
    """Returns the sink without touching the network; only its methods do."""


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
