"""Endpoints that give files: tree, paths-info, resolve, and the storage behind it."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote, urlencode

from tests.support.hub.repos import Blob, Commit, Repo, is_lfs
from tests.support.hub.web import HubError, Request, Response, ranged

if TYPE_CHECKING:
    from tests.support.hub.hub import LoopbackHub

TREE_PAGE = 1000


def _file(path: str, blob: Blob, commit: Commit | None) -> dict[str, Any]:
    entry: dict[str, Any] = {"type": "file", "oid": blob.oid, "size": blob.size, "path": path}
    if is_lfs(path, blob.size):
        entry["lfs"] = {"oid": blob.sha256, "size": blob.size, "pointerSize": 130}
    return entry | _last_commit(commit)


def _folder(path: str, commit: Commit | None) -> dict[str, Any]:
    return {"type": "directory", "oid": Blob(path.encode()).oid, "size": 0, "path": path} | _last_commit(commit)


def _last_commit(commit: Commit | None) -> dict[str, Any]:
    if commit is None:
        return {}
    date = commit.date.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    return {"lastCommit": {"id": commit.sha, "title": commit.title, "date": date}}


def _folders(paths: list[str]) -> set[str]:
    return {"/".join(parts[:n]) for parts in (path.split("/") for path in paths) for n in range(1, len(parts))}


def tree(hub: LoopbackHub, request: Request, repo_id: str, revision: str, folder: str = "") -> Response:
    repo = hub.repo(request, repo_id)
    commit = hub.commit(repo, revision)
    recursive = request.first("recursive").lower() == "true"
    shown = commit if request.first("expand").lower() == "true" else None
    prefix = f"{folder.strip('/')}/" if folder.strip("/") else ""
    below = [path for path in commit.files if path.startswith(prefix)]
    if prefix and not below:
        raise HubError(404, "EntryNotFound", f"{folder} does not exist on {revision!r}")
    names = {path: _file(path, commit.files[path], shown) for path in below}
    names |= {path: _folder(path, shown) for path in _folders(list(commit.files)) if path.startswith(prefix)}
    chosen = sorted(path for path in names if recursive or "/" not in path[len(prefix) :])
    after = base64.urlsafe_b64decode(request.first("cursor")).decode()
    size = int(request.first("limit", str(50 if shown else TREE_PAGE)))
    rest = [path for path in chosen if path > after]
    response = Response.json([names[path] for path in rest[:size]])
    if len(rest) > size:
        token = base64.urlsafe_b64encode(rest[size - 1].encode()).decode()
        query = urlencode({**request.query, "cursor": [token]}, doseq=True)
        response.headers["Link"] = f'<{hub.url}{request.path}?{query}>; rel="next"'
    return response


def paths_info(hub: LoopbackHub, request: Request, repo_id: str, revision: str) -> Response:
    commit = hub.commit(hub.repo(request, repo_id), revision)
    if request.headers.get("content-type", "").startswith("application/json"):
        form = request.json()
        paths, expand = form["paths"], form.get("expand")
    else:
        fields = parse_qs(request.body.decode(), keep_blank_values=True)
        paths, expand = fields.get("paths", []), fields.get("expand", ["false"])[0].lower() == "true"
    shown, folders = commit if expand else None, _folders(list(commit.files))
    found = [_file(path, commit.files[path], shown) for path in paths if path in commit.files]
    return Response.json(found + [_folder(path, shown) for path in paths if path in folders])


def resolve(hub: LoopbackHub, request: Request, repo_id: str, revision: str, path: str) -> Response:
    """A small file's bytes, or the redirect to the storage of large ones. HEAD gives the same headers."""
    repo = hub.repo(request, repo_id)
    _may_download(hub, repo, request)
    commit = hub.commit(repo, revision)
    blob = commit.files.get(path)
    if blob is None:
        raise HubError(404, "EntryNotFound", "Entry not found")
    headers = {"X-Repo-Commit": commit.sha, "Accept-Ranges": "bytes", "Content-Type": "text/plain; charset=utf-8"}
    if not is_lfs(path, blob.size):
        if request.headers.get("if-none-match") == f'"{blob.oid}"':
            return Response(304, b"", headers | {"ETag": f'"{blob.oid}"'})
        if hub.resolve_cache and "_resolve-cache" not in request.path:
            cached = f"/_resolve-cache/datasets/{repo.id}/resolve/{commit.sha}/{quote(path)}"
            return Response(307, b"", headers | {"ETag": f'"{blob.oid}"', "Location": cached})
        return ranged(Response(200, blob, headers | {"ETag": f'"{blob.oid}"'}), request.headers.get("range"))
    hub.stored[blob.sha256] = blob
    headers |= {"X-Linked-Size": str(blob.size), "X-Linked-Etag": f'"{blob.sha256}"', "Vary": "Origin, Accept",
                "Location": f"{hub.storage_url}/_storage/{blob.sha256}?repo={quote(repo.id)}"}  # fmt: skip
    return Response(302, b"", headers)


def storage(hub: LoopbackHub, request: Request, sha256: str) -> Response:
    blob = hub.stored.get(sha256)
    if blob is None:
        return Response(403, b"<Error><Code>AccessDenied</Code></Error>", {"Content-Type": "application/xml"})
    headers = {"ETag": f'"{sha256}"', "Accept-Ranges": "bytes", "Content-Type": "binary/octet-stream"}
    return ranged(Response(200, blob, headers), request.headers.get("range"))


def _may_download(hub: LoopbackHub, repo: Repo, request: Request) -> None:
    if not repo.gated or (hub.may_read(repo, request.user) and request.user in repo.granted):
        return
    page = f"{hub.url}/datasets/{repo.id}"
    if request.user is None:
        message = f"Access to dataset {repo.id} is restricted. You must have access to it and be authenticated."
        raise HubError(401, "GatedRepo", f"{message} Please log in. {page}")
    raise HubError(403, "GatedRepo", f"Access to dataset {repo.id} is restricted. Visit {page} to ask for access.")
