"""A local folder in the Hub's layout: `owner/name` below it is a dataset, and its content's digest is the revision."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from dynosaur_core.card import listing_fields, parse_card
from dynosaur_core.catalog.files import FolderSource
from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.models import DatasetRef
from dynosaur_core.protocols import Cursor


class FolderCatalog:
    """A `protocols.Catalog` over a folder."""

    scope = ""

    def __init__(self, root: Path) -> None:
        if not root.is_dir():
            raise DynosaurError(Code.BAD_CATALOG, f"{root} is not a folder")
        self.root = root
        self.name = f"folder {root.name}"

    def list(self, cursor: Cursor | None = None) -> Iterator[DatasetRef]:
        for folder in _dataset_folders(self.root):
            yield self._ref(folder)
        if cursor:
            cursor.finished = cursor.whole = True

    def ref(self, repo_id: str) -> DatasetRef:
        for folder in _dataset_folders(self.root):
            if folder.relative_to(self.root).as_posix() == repo_id:
                return self._ref(folder)
        raise DynosaurError(Code.NOT_FOUND, f"{repo_id} is not in {self.name}")

    def open(self, ref: DatasetRef) -> FolderSource:
        # ids come from our own listing; one that is not there, or leads elsewhere, is not found
        if ref.repo_id not in {f.relative_to(self.root).as_posix() for f in _dataset_folders(self.root)}:
            raise DynosaurError(Code.NOT_FOUND, f"{ref.repo_id} is not in {self.name}")
        return FolderSource(self.root / ref.repo_id, ref.repo_id)

    def _ref(self, folder: Path) -> DatasetRef:
        revision, newest = _fingerprint(folder)
        readme = folder / "README.md"
        text = readme.read_text(encoding="utf-8", errors="replace") if readme.is_file() else ""
        try:
            listing = listing_fields(parse_card(text))
        except DynosaurError:
            listing = {}  # the metadata stage says what is wrong with the card
        return DatasetRef(
            repo_id=folder.relative_to(self.root).as_posix(), revision=revision, last_modified=newest, **listing
        )


def _dataset_folders(root: Path) -> Iterator[Path]:
    """Folders with a card or a file directly in them, else the folders in those."""
    for first in sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith(".")):
        if any(path.is_file() for path in first.iterdir()):
            yield first
        else:
            yield from sorted(path for path in first.iterdir() if path.is_dir() and not path.name.startswith("."))


def _fingerprint(folder: Path) -> tuple[str, datetime]:
    """Digest over the names and contents of all files (a git-like 40 hex digits), and the newest change."""
    total, newest = hashlib.sha256(), 0.0
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        total.update(f"{path.relative_to(folder).as_posix()}\0{content}\n".encode())
        newest = max(newest, path.stat().st_mtime)
    return total.hexdigest()[:40], datetime.fromtimestamp(newest, UTC)
