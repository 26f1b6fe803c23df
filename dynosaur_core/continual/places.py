"""Where folders go: this machine, a dataset repository of the Hub, or any storage that fsspec opens."""

from __future__ import annotations

import re
import shutil
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import fsspec

from dynosaur_core.errors import Code, DynosaurError

_HUB = re.compile(r"hf://datasets/([\w.-]+/[\w.-]+)(?:/([\w./-]*))?")


class Place(Protocol):
    """A folder somewhere. All methods raise OSError, what the file system raises, or DynosaurError."""

    beside: Path | None
    """A folder from which files can be put in place by renaming; None where there is none."""

    def empty(self) -> bool:
        """Whether nothing lies there."""

    def read(self, name: str) -> bytes | None:
        """A file of it; None where there is none. Called after `empty`."""

    def put(self, folder: Path, names: Sequence[str]) -> None:
        """Puts the files of `folder` in place of what lies there, the last one last. The folder may be gone then."""


def open_place(url: str) -> Place:
    """Raises BadSetting for an address of no form."""
    if url.startswith("hf:"):
        match = _HUB.fullmatch(url)
        if not match:
            message = f"{url!r} is no place on the Hub: give hf://datasets/owner/name, or a folder in it"
            raise DynosaurError(Code.BAD_SETTING, message)
        return _Hub(match[1], (match[2] or "").strip("/"))
    try:
        fs, root = fsspec.core.url_to_fs(url, use_listings_cache=False)
    except (ValueError, ImportError) as error:
        raise DynosaurError(Code.BAD_SETTING, f"{url!r} cannot be opened: {error}") from error
    root = str(root).rstrip("/")
    return _Local(fs, root) if isinstance(fs, fsspec.implementations.local.LocalFileSystem) else _Remote(fs, root)


class _Remote:
    beside: Path | None = None

    def __init__(self, fs: Any, root: str) -> None:
        self._fs, self._root = fs, root

    def empty(self) -> bool:
        return not self._fs.exists(self._root) or not self._fs.ls(self._root, detail=False)

    def read(self, name: str) -> bytes | None:
        path = f"{self._root}/{name}"
        return bytes(self._fs.cat_file(path)) if self._fs.exists(path) else None

    def put(self, folder: Path, names: Sequence[str]) -> None:
        last = f"{self._root}/{names[-1]}"
        if self._fs.exists(last):
            self._fs.rm_file(last)
        for name in names:
            self._fs.put_file(str(folder / name), f"{self._root}/{name}")


class _Local(_Remote):
    def __init__(self, fs: Any, root: str) -> None:
        super().__init__(fs, root)
        self._target = Path(root)
        self.beside = self._target.parent

    def put(self, folder: Path, names: Sequence[str]) -> None:
        """Between the two renames there is no folder at all, and what was made lies beside it."""
        if not self._target.exists():
            folder.rename(self._target)
            return
        old = self._target.with_name(f".{self._target.name}.{uuid.uuid4().hex}.old")
        self._target.rename(old)
        folder.rename(self._target)
        shutil.rmtree(old)


class _Hub:
    """One commit for all files, so that none is there without the others."""

    beside: Path | None = None

    def __init__(self, repo_id: str, path: str) -> None:
        from dynosaur_core.publish.sinks.hub import HubSink

        self._path, self._sink = path, HubSink(f"hf://datasets/{repo_id}")

    def empty(self) -> bool:
        from dynosaur_core.publish.sinks.hub import GIT_ATTRIBUTES

        self._sink.manifest()  # reads the newest commit
        below = f"{self._path}/" if self._path else ""
        return not any(name.startswith(below) and name != GIT_ATTRIBUTES for name in self._sink.listing())

    def read(self, name: str) -> bytes | None:
        return self._sink.read(f"{self._path}/{name}".lstrip("/"))

    def put(self, folder: Path, names: Sequence[str]) -> None:
        self._sink.manifest()
        self._sink.commit_folder(self._path, folder, names, f"{names[-1]}: {len(names):,} files")
