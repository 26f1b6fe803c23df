"""A local folder in the Hub's layout: `owner/name` below it is a dataset, and its content's digest is the revision."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from dynosaur_core.card import listing_fields, parse_card
from dynosaur_core.catalog.children import FolderChild
from dynosaur_core.catalog.files import read_card
from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.models import DatasetRef
from dynosaur_core.protocols import Cursor
from dynosaur_core.settings import Reading, Sampling
from dynosaur_core.text import is_storable_id


class FolderCatalog:
    """A `protocols.Catalog` over a folder."""

    scope = ""

    def __init__(self, root: Path, reading: Reading | None = None, deadline_s: float | None = None) -> None:
        if not root.is_dir():
            raise DynosaurError(Code.BAD_CATALOG, f"{root} is not a folder")
        self.root = root
        self.place: str | None = _readable(root.resolve())
        self.name = f"folder {_readable(Path(os.path.abspath(root))).rpartition('/')[2]}"[:100]  # noqa: PTH100 - no link is followed
        self.reading = reading or Reading()
        self.deadline_s = Sampling().deadline_s if deadline_s is None else deadline_s

    def list(self, cursor: Cursor | None = None) -> Iterator[DatasetRef]:
        for folder in _dataset_folders(self.root):
            repo_id = folder.relative_to(self.root).as_posix()
            if is_storable_id(repo_id):
                yield self._ref(folder)
            elif cursor:
                cursor.skip(repo_id)
        if cursor:
            cursor.finished = cursor.whole = True

    def ref(self, repo_id: str) -> DatasetRef:
        return self._ref(self._folder(repo_id))

    def open(self, ref: DatasetRef) -> FolderChild:
        return FolderChild(self._folder(ref.repo_id), ref.repo_id, self.reading, self.deadline_s)

    def _folder(self, repo_id: str) -> Path:
        """The folder of an id, which is text from outside: what the listing would not show is not found."""
        names = repo_id.split("/")
        plain = len(names) <= 2 and all(name and not name.startswith(".") for name in names)
        folder = self.root.joinpath(*names) if plain else None
        shown = folder is not None and _is_shown(self.root / names[0]) and _is_shown(folder)
        if folder and shown and _is_dataset(self.root / names[0]) is (len(names) == 1):
            return folder
        raise DynosaurError(Code.NOT_FOUND, f"{repo_id} is not in {self.name}")

    def _ref(self, folder: Path) -> DatasetRef:
        revision, newest = _fingerprint(folder)
        try:
            listing = listing_fields(parse_card(read_card(folder), header_only=True))
        except DynosaurError:
            listing = {"unreadable_card": True}  # the metadata stage says what is wrong with the card
        return DatasetRef(
            repo_id=folder.relative_to(self.root).as_posix(), revision=revision, last_modified=newest, **listing
        )


def _readable(path: Path) -> str:
    """A path as text that can be stored, also where its name is not UTF-8."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _dataset_folders(root: Path) -> Iterator[Path]:
    """Folders with a card or a file directly in them, else the folders in those."""
    for first in sorted(filter(_is_shown, root.iterdir())):
        if _is_dataset(first):
            yield first
        else:
            yield from sorted(filter(_is_shown, first.iterdir()))


def _is_shown(path: Path) -> bool:
    """Whether the listing shows a folder. A link to one is not followed: it would show other datasets twice."""
    return path.is_dir() and not path.is_symlink() and not path.name.startswith(".")


def _is_dataset(folder: Path) -> bool:
    return any(path.is_file() and not path.name.startswith(".") for path in folder.iterdir())


def _fingerprint(folder: Path) -> tuple[str, datetime]:
    """Digest over the names and contents of all files (a git-like 40 hex digits), and the newest change.

    Hidden ones are left out: a checkout's `.git` and a download's `.cache` change without the dataset.
    """
    total, newest = hashlib.sha256(), 0.0
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = path.relative_to(folder)
        if any(part.startswith(".") for part in name.parts):
            continue
        try:
            with path.open("rb") as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
            newest = max(newest, path.stat().st_mtime)
        except OSError as error:  # its branch says so; the listing goes on
            content = type(error).__name__
        total.update(os.fsencode(name.as_posix()) + f"\0{content}\n".encode())
    return total.hexdigest()[:40], datetime.fromtimestamp(newest, UTC)
