"""A growth of the loopback Hub's datasets, released to the same Hub, as the tests of this folder look at it."""

from __future__ import annotations

import io
import json
import re
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pyarrow.parquet as pq

from dynosaur_core.models import Release
from tests.support.datasets import REVIEW_FEATURES, Row, reviews, write_dataset
from tests.support.hub import LoopbackHub, Repo

GROWN = "me/grown"
RELEASE = f"hf://datasets/{GROWN}"


def add_reviews(
    hub: LoopbackHub, repo_id: str, start: int = 0, rows: Sequence[Row] | None = None, **header: Any
) -> Repo:
    """A sentiment dataset, of 40 rows where none are given, with a licence, a language and label names."""
    rows = reviews(start=start) if rows is None else rows
    return add_dataset(hub, repo_id, {"train": rows}, **{"features": REVIEW_FEATURES, **header})


def add_dataset(hub: LoopbackHub, repo_id: str, splits: dict[str, Sequence[Row]], **header: Any) -> Repo:
    with tempfile.TemporaryDirectory() as root:
        folder = write_dataset(Path(root), repo_id, splits, **header)
        return hub.add(repo_id, {path.name: path.read_bytes() for path in sorted(folder.iterdir())})


@dataclass(frozen=True)
class Released:
    """What a commit of the release repository holds."""

    manifest: Release
    files: dict[str, bytes]

    @property
    def records(self) -> list[dict[str, Any]]:
        tables = [pq.read_table(io.BytesIO(self.files[file.path])) for file in self.manifest.files]
        return [row for table in tables for row in table.to_pylist()]

    @property
    def sources(self) -> Counter[str]:
        """Records of each source."""
        return Counter(row["repo_id"] for row in self.records)

    @property
    def removals(self) -> list[tuple[str, str]]:
        lines = [json.loads(line) for line in self.files["removals.jsonl"].decode().splitlines()]
        return [(line["repo_id"], line["reason"]) for line in lines]

    @property
    def card(self) -> str:
        return self.files["README.md"].decode()

    @property
    def content(self) -> list[str]:
        """The records as they are compared: without their order."""
        return sorted(json.dumps(row, sort_keys=True) for row in self.records)


def released(hub: LoopbackHub, sha: str | None = None) -> Released:
    """The release at the head of its repository, or at a commit; every commit but the first holds a whole one."""
    repo = hub[GROWN]
    commit = repo.commits[sha] if sha else repo.head
    files = {path: blob.read() for path, blob in commit.files.items()}
    manifest = Release.model_validate_json(files["manifest.json"])
    data = {path for path in files if path.startswith("data/")}
    assert data == {file.path for file in manifest.files}
    made = Released(manifest, files)
    assert len(made.records) == manifest.records
    return made


def release_commits(hub: LoopbackHub) -> list[str]:
    """The commits that made a release, oldest first; each is checked to be a whole one."""
    repo, shas = hub[GROWN], []
    sha: str | None = repo.head.sha
    while sha:
        if "manifest.json" in repo.commits[sha].files:
            released(hub, sha)
            shas.append(sha)
        sha = repo.commits[sha].parent
    return shas[::-1]


def asked(hub: LoopbackHub) -> dict[str, Counter[str]]:
    """Requests since the last reset by dataset ("" for the listing), as endpoint-like words."""
    found: dict[str, Counter[str]] = {}
    for method, target, _, _ in hub.log:
        repo_id, what = _place(method, target)
        found.setdefault(repo_id, Counter())[what] += 1
    return found


def _place(method: str, target: str) -> tuple[str, str]:
    split = urlsplit(target)
    path = unquote(split.path)
    if path == "/api/datasets":
        return "", "list"
    if match := re.match(r"/(?:api/)?datasets/([^/]+/[^/]+)(?:/(\w+))?(?:/[^/]+(/.*)?)?$", path):
        file = (match[3] or "").removeprefix("/")
        return match[1], f"{match[2] or 'info'} {file}".strip()
    return "elsewhere", f"{method} {path}"
