"""Dataset repositories in memory: blobs, commits, branches, tags."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

LFS_SUFFIXES = (".parquet", ".arrow", ".gz", ".zip", ".zst", ".bz2", ".xz", ".tar", ".bin", ".png", ".jpg", ".wav")
LFS_BYTES = 10_000_000
CONVERTED = "refs/convert/parquet"
_HEADER = re.compile(r"\A\s*---[ \t]*\r?\n(.*?)\r?\n---[ \t]*(?:\r?\n|\Z)", re.DOTALL)


@dataclass(frozen=True)
class Blob:
    """A file's content: bytes, or a path that is read when somebody asks."""

    data: bytes | Path

    @staticmethod
    def of(data: bytes | str | Path) -> Blob:
        return Blob(data.encode() if isinstance(data, str) else data)

    def read(self, start: int = 0, end: int | None = None) -> bytes:
        if isinstance(self.data, bytes):
            return self.data[start:end]
        with self.data.open("rb") as file:
            file.seek(start)
            return file.read(-1 if end is None else end - start)

    @cached_property
    def size(self) -> int:
        return len(self.data) if isinstance(self.data, bytes) else self.data.stat().st_size

    @cached_property
    def oid(self) -> str:
        """Git's name of the content."""
        return hashlib.sha1(b"blob %d\0" % self.size + self.read()).hexdigest()

    @cached_property
    def sha256(self) -> str:
        return hashlib.sha256(self.read()).hexdigest()


def is_lfs(path: str, size: int) -> bool:
    return path.lower().endswith(LFS_SUFFIXES) or size > LFS_BYTES


@dataclass(frozen=True)
class Commit:
    sha: str
    date: datetime
    title: str
    message: str
    parent: str | None
    files: Mapping[str, Blob]


def make_commit(files: Mapping[str, Blob], date: datetime, title: str, message: str, parent: str | None) -> Commit:
    content = [parent, title, message, date.isoformat(), sorted((path, blob.oid) for path, blob in files.items())]
    sha = hashlib.sha1(json.dumps(content).encode()).hexdigest()
    return Commit(sha, date, title, message, parent, dict(files))


@dataclass
class Repo:
    """One dataset repository. `viewer` says how far the dataset viewer has come with it (see viewer.py)."""

    id: str
    created: datetime
    commits: dict[str, Commit] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    private: bool = False
    gated: str | bool = False
    disabled: bool = False
    granted: set[str] = field(default_factory=set)
    """Users whose request for access to the gated files was granted."""
    viewer: str = "ready"
    """ready, stale (answers for the parent commit), pending, or absent."""
    converted: dict[str, Blob] | None = None
    """Files of the converted branch, where a test gives its own."""

    @property
    def head(self) -> Commit:
        return self.commits[self.branches["main"]]

    def commit(
        self, files: Mapping[str, Blob], date: datetime, title: str, message: str = "", branch: str = "main"
    ) -> Commit:
        commit = make_commit(files, date, title, message, self.branches.get(branch))
        self.commits[commit.sha] = commit
        self.branches[branch] = commit.sha
        return commit

    def at(self, revision: str) -> Commit | None:
        """The commit of a branch, a tag, or a sha (also abbreviated)."""
        sha = self.branches.get(revision) or self.tags.get(revision)
        if sha is None and re.fullmatch(r"[0-9a-f]{7,40}", revision):
            sha = next((known for known in self.commits if known.startswith(revision)), None)
        return self.commits.get(sha) if sha else None

    @property
    def card_text(self) -> str:
        readme = self.head.files.get("README.md")
        return readme.read().decode("utf-8", "replace") if readme else ""

    def card_data(self) -> dict[str, Any] | None:
        """The card's YAML header as the Hub shows it; None where there is none, or where it does not parse."""
        match = _HEADER.match(self.card_text)
        try:
            data = yaml.safe_load(match.group(1)) if match else None
        except yaml.YAMLError:
            return None
        return json.loads(json.dumps(data, default=str)) if isinstance(data, dict) else None

    def describe(self) -> str:
        """The first words of the card's prose, as the listing's `description`."""
        prose = " ".join(_HEADER.sub("", self.card_text).split())
        return prose if len(prose) <= 300 else f"{prose[:300]}… See the full description on the dataset page."

    def tags_of_card(self) -> list[str]:
        """Tags as the Hub makes them of the YAML header."""
        data = self.card_data() or {}
        tags = [str(tag) for tag in _as_list(data.get("tags"))]
        for key, prefix in TAGGED.items():
            tags += [f"{prefix}:{value}" for value in _as_list(data.get(key))]
        return [*tags, "region:us"]


TAGGED = {
    "task_categories": "task_categories",
    "task_ids": "task_ids",
    "annotations_creators": "annotations_creators",
    "language_creators": "language_creators",
    "multilinguality": "multilinguality",
    "source_datasets": "source_datasets",
    "language": "language",
    "languages": "language",
    "license": "license",
    "licenses": "license",
    "size_categories": "size_categories",
}


def _as_list(value: Any) -> list[Any]:
    if isinstance(value, dict):  # per config: {"default": ["en"]}
        value = [item for items in value.values() for item in _as_list(items)]
    return [] if value is None else value if isinstance(value, list) else [value]


def with_yaml(card: str, changes: Mapping[str, Any]) -> str:
    """The card with keys of its YAML header set, or removed (None)."""
    match = _HEADER.match(card)
    data = yaml.safe_load(match.group(1)) if match else {}
    data = {key: value for key, value in {**(data or {}), **changes}.items() if value is not None}
    body = card[match.end() :] if match else card
    return f"---\n{yaml.safe_dump(data, sort_keys=False, allow_unicode=True)}---\n{body}"
