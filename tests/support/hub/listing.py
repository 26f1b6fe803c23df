"""Endpoints that list and describe datasets: /api/datasets and what lies below it, without the files."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from tests.support.hub.repos import CONVERTED, Repo, is_lfs
from tests.support.hub.web import HubError, Request, Response

if TYPE_CHECKING:
    from tests.support.hub.hub import LoopbackHub

PLAIN = ("author", "sha", "lastModified", "private", "gated", "disabled", "tags", "description", "downloads", "likes",
         "createdAt")  # fmt: skip
FULL = (*PLAIN, "cardData", "siblings")


def iso(date: datetime) -> str:
    return date.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def describe(repo: Repo, keys: tuple[str, ...], sha: str | None = None) -> dict[str, Any]:
    """A dataset's entry with these keys, at its head or at `sha`."""
    commit = repo.commits[sha] if sha else repo.head
    values = {
        "author": lambda: repo.id.split("/")[0],
        "sha": lambda: commit.sha,
        "lastModified": lambda: iso(repo.head.date),
        "createdAt": lambda: iso(repo.created),
        "private": lambda: repo.private,
        "gated": lambda: repo.gated,
        "disabled": lambda: repo.disabled,
        "tags": repo.tags_of_card,
        "cardData": repo.card_data,
        "description": repo.describe,
        "downloads": lambda: 0,
        "likes": lambda: 0,
        "siblings": lambda: [{"rfilename": path} for path in sorted(commit.files)],
        "usedStorage": lambda: sum(blob.size for blob in commit.files.values()),
        "mainSize": lambda: sum(blob.size for blob in repo.head.files.values()),
    }
    entry: dict[str, Any] = {"_id": repo.head.sha[:24], "id": repo.id}
    return entry | {key: values[key]() for key in keys if key in values} | {"key": ""}


class Synthetic:
    """Many datasets that exist in the listing only, all older than the real ones: `bulk/d0000000` is the newest."""

    def __init__(self, count: int, newest: datetime) -> None:
        self.count, self.newest = count, newest

    def date(self, index: int) -> datetime:
        return self.newest - timedelta(seconds=index)

    def entry(self, index: int) -> dict[str, Any]:
        date = iso(self.date(index))
        license_, language = ("mit", "other", "cc-by-4.0")[index % 3], ("en", "de", "en", "fr")[index % 4]
        return {
            "_id": f"{index:024x}", "id": f"bulk/d{index:07d}", "author": "bulk", "sha": f"{index:040x}",
            "lastModified": date, "createdAt": date, "private": False, "gated": False, "disabled": False,
            "tags": [f"license:{license_}", f"language:{language}", "size_categories:1K<n<10K", "modality:text"],
            "cardData": {"license": license_, "language": [language]}, "description": f"Dataset number {index}.",
            "downloads": 0, "likes": 0, "usedStorage": 1000 + index, "mainSize": 1000 + index, "key": "",
        }  # fmt: skip


def list_datasets(hub: LoopbackHub, request: Request) -> Response:
    """A page, newest first; the cursor names the last entry of the page before."""
    keys = tuple(
        request.query.get("expand") or request.query.get("expand[]") or (FULL if "full" in request.query else PLAIN)
    )
    limit = max(1, min(int(request.first("limit", str(hub.page_size))), hub.page_size))
    cursor = json.loads(base64.urlsafe_b64decode(request.first("cursor"))) if "cursor" in request.query else None
    entries: list[dict[str, Any]] = []
    following = last = None
    for entry, place in _entries(hub, request, keys, cursor):
        if len(entries) == limit:
            following = last
            break
        entries.append(entry)
        last = place
    response = Response.json(entries)
    if following is not None:
        token = base64.urlsafe_b64encode(json.dumps(following).encode()).decode()
        query = urlencode({**request.query, "cursor": [token]}, doseq=True)
        response.headers["Link"] = f'<{hub.url}/api/datasets?{query}>; rel="next"'
    return response


def _entries(
    hub: LoopbackHub, request: Request, keys: tuple[str, ...], cursor: Any
) -> Iterator[tuple[dict[str, Any], Any]]:
    """Entries after the cursor, with the cursor that stands for each."""
    visible = [repo for repo in hub.all_repos() if not repo.private or hub.may_read(repo, request.user)]
    placed = sorted(((iso(repo.head.date), repo.id, repo) for repo in visible), key=lambda row: row[:2], reverse=True)
    for date, name, repo in placed:
        if cursor is not None and (isinstance(cursor, int) or [date, name] >= cursor):
            continue
        if _wanted(request, describe(repo, ("tags", "author", "gated"))):
            yield describe(repo, keys), [date, name]
    for index in range(cursor + 1 if isinstance(cursor, int) else 0, hub.synthetic.count):
        entry = hub.synthetic.entry(index)
        if _wanted(request, entry):
            yield {key: value for key, value in entry.items() if key in (*keys, "_id", "id", "key")}, index


def _wanted(request: Request, entry: dict[str, Any]) -> bool:
    query = request.query
    tags = set(entry["tags"])
    return (
        all(word.lower() in entry["id"].lower() for word in query.get("search", []))
        and all(author == entry["author"] for author in query.get("author", []))
        and all(tag in tags for tag in query.get("filter", []))
        and ("gated" not in query or bool(entry["gated"]) == (query["gated"][0].lower() == "true"))
    )


def dataset_info(hub: LoopbackHub, request: Request, repo_id: str, revision: str = "main") -> Response:
    repo = hub.repo(request, repo_id)
    commit = hub.commit(repo, revision)
    keys = tuple(request.query.get("expand") or request.query.get("expand[]") or (*FULL, "usedStorage"))
    entry = describe(repo, keys, commit.sha)
    if "blobs" in request.query:
        entry["siblings"] = [_sibling(path, commit.files[path]) for path in sorted(commit.files)]
    return Response.json(entry)


def _sibling(path: str, blob: Any) -> dict[str, Any]:
    entry = {"rfilename": path, "size": blob.size, "blobId": blob.oid}
    if is_lfs(path, blob.size):
        entry["lfs"] = {"sha256": blob.sha256, "size": blob.size, "pointerSize": 130}
    return entry


def refs(hub: LoopbackHub, request: Request, repo_id: str) -> Response:
    repo = hub.repo(request, repo_id)
    branches = [{"name": name, "ref": f"refs/heads/{name}", "targetCommit": sha} for name, sha in repo.branches.items()]
    tags = [{"name": name, "ref": f"refs/tags/{name}", "targetCommit": sha} for name, sha in repo.tags.items()]
    converted = hub.viewer.converted(repo)
    converts = [{"name": "parquet", "ref": CONVERTED, "targetCommit": converted.sha}] if converted else []
    answer = {"branches": branches, "tags": tags, "converts": converts}
    return Response.json(answer | ({"pullRequests": []} if "include_prs" in request.query else {}))


def commits(hub: LoopbackHub, request: Request, repo_id: str, revision: str = "main") -> Response:
    repo = hub.repo(request, repo_id)
    commit, history = hub.commit(repo, revision), []
    while commit is not None:
        history.append({"id": commit.sha, "title": commit.title, "message": commit.message,
                        "authors": [{"user": "loopback"}], "date": iso(commit.date)})  # fmt: skip
        commit = repo.commits.get(commit.parent or "")
    return Response.json(history)


def whoami(hub: LoopbackHub, request: Request) -> Response:
    if request.user is None:
        raise HubError(401, None, "Invalid username or password.")
    return Response.json({"type": "user", "id": "0" * 24, "name": request.user, "fullname": request.user, "orgs": [],
                          "auth": {"accessToken": {"displayName": "loopback", "role": "write"}}})  # fmt: skip
