"""Endpoints that change a repository: create, delete, move, settings, preupload, LFS, commit, tags, branches."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from tests.support.hub.repos import Blob, Repo, is_lfs
from tests.support.hub.web import HubError, Request, Response

if TYPE_CHECKING:
    from tests.support.hub.hub import LoopbackHub


def _writer(request: Request) -> str:
    if request.user is None:
        raise HubError(401, None, "Invalid username or password.")
    return request.user


def _name(request: Request, form: dict[str, Any]) -> str:
    return f"{form.get('organization') or _writer(request)}/{form['name']}"


def create(hub: LoopbackHub, request: Request) -> Response:
    _writer(request)
    form = request.json()
    repo_id = _name(request, form)
    url = f"{hub.url}/datasets/{repo_id}"
    if form.get("type") != "dataset":
        raise HubError(400, None, "The loopback Hub holds datasets only")
    if hub.find(repo_id) is not None:
        raise HubError(409, None, "You already created this dataset repo", url=url)
    private = form.get("visibility") == "private" or form.get("private") is True
    hub.add(
        repo_id,
        {".gitattributes": "*.parquet filter=lfs diff=lfs merge=lfs -text\n"},
        "initial commit",
        private=private,
    )
    return Response.json({"url": url, "name": repo_id, "id": repo_id})


def remove(hub: LoopbackHub, request: Request) -> Response:
    _writer(request)
    repo_id = _name(request, request.json())
    if hub.find(repo_id) is None:
        raise HubError(404, "RepoNotFound", "Repository not found")
    hub.delete(repo_id)
    return Response.json({})


def move(hub: LoopbackHub, request: Request) -> Response:
    _writer(request)
    form = request.json()
    hub.rename(form["fromRepo"], form["toRepo"])
    return Response.json({})


def settings(hub: LoopbackHub, request: Request, repo_id: str) -> Response:
    _writer(request)
    repo, form = hub.repo(request, repo_id), request.json()
    repo.private = form["visibility"] == "private" if "visibility" in form else form.get("private", repo.private)
    repo.gated = form.get("gated", repo.gated)
    return Response.json({})


def validate_yaml(hub: LoopbackHub, request: Request) -> Response:
    return Response.json({"errors": [], "warnings": []})


def preupload(hub: LoopbackHub, request: Request, repo_id: str, revision: str) -> Response:
    """Which of the files go through LFS, and what is there under their names already."""
    _writer(request)
    files = hub.commit(hub.repo(request, repo_id), revision).files
    answer = []
    for file in request.json()["files"]:
        mode = "lfs" if is_lfs(file["path"], file["size"]) else "regular"
        entry = {"path": file["path"], "uploadMode": mode, "shouldIgnore": False}
        known = files.get(file["path"])
        answer.append(entry | ({"oid": known.sha256 if mode == "lfs" else known.oid} if known else {}))
    return Response.json({"files": answer, "commitOid": hub.repo(request, repo_id).head.sha})


def lfs_batch(hub: LoopbackHub, request: Request, repo_id: str) -> Response:
    _writer(request)
    hub.repo(request, repo_id)
    objects = []
    for item in request.json()["objects"]:
        entry = {"oid": item["oid"], "size": item["size"]}
        if item["oid"] not in hub.stored:
            entry |= {"authenticated": True, "actions": {"upload": _upload_action(hub, item)}}
        objects.append(entry)
    return Response.json({"transfer": "basic", "objects": objects})


def _upload_action(hub: LoopbackHub, item: dict[str, Any]) -> dict[str, Any]:
    href = f"{hub.url}/_upload/{item['oid']}"
    if hub.part_bytes is None or item["size"] <= hub.part_bytes:
        return {"href": href}
    parts = -(-item["size"] // hub.part_bytes)
    urls = {f"{n:05d}": f"{href}/{n}" for n in range(1, parts + 1)}
    return {"href": href, "header": {"chunk_size": str(hub.part_bytes), **urls}}


def upload(hub: LoopbackHub, request: Request, sha256: str, part: str | None = None) -> Response:
    """The storage's side: a whole object, one part of it, or the completion of its parts."""
    parts = hub.parts.setdefault(sha256, {})
    if part is not None:
        parts[int(part)] = request.body
        return Response(200, b"", {"ETag": f'"{Blob(request.body).sha256}"'})
    body = request.body if request.method == "PUT" else b"".join(parts[n] for n in sorted(parts))
    if Blob(body).sha256 != sha256:
        return Response(400, b"<Error><Code>BadDigest</Code></Error>", {"Content-Type": "application/xml"})
    hub.parts.pop(sha256, None)
    hub.stored[sha256] = Blob(body)
    return Response(200, b"", {"ETag": f'"{sha256}"'})


def commit(hub: LoopbackHub, request: Request, repo_id: str, revision: str) -> Response:
    """All operations or none; 412 when the named parent is no longer the head."""
    _writer(request)
    repo = hub.repo(request, repo_id)
    lines = [json.loads(line) for line in request.body.splitlines() if line.strip()]
    header = next(line["value"] for line in lines if line["key"] == "header")
    with hub.lock:
        head = hub.commit(repo, revision)
        if revision not in repo.branches:
            raise HubError(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        if header.get("parentCommit", head.sha) != head.sha:
            raise HubError(412, None, "A commit has happened since. Please refresh and try again.")
        files = dict(head.files)
        for line in lines:
            _apply(hub, files, line["key"], line["value"])
        made = repo.commit(files, hub.tick(), header["summary"], header.get("description", ""), revision)
    url = f"{hub.url}/datasets/{repo.id}/commit/{made.sha}"
    return Response.json({"success": True, "commitOid": made.sha, "commitUrl": url, "hookOutput": ""})


def _apply(hub: LoopbackHub, files: dict[str, Blob], key: str, value: dict[str, Any]) -> None:
    path = value.get("path", "")
    if key == "file":
        files[path] = Blob(base64.b64decode(value["content"]))
    elif key == "lfsFile":
        if value["oid"] not in hub.stored:
            raise HubError(400, None, f"LFS pointer pointed to a file that does not exist: {path}")
        files[path] = hub.stored[value["oid"]]
    elif key == "deletedFile":
        if path not in files:
            raise HubError(404, "EntryNotFound", "A file with this name doesn't exist")
        del files[path]
    elif key == "deletedFolder":
        prefix = path.rstrip("/") + "/"
        for name in [name for name in files if name.startswith(prefix)]:
            del files[name]
    elif key != "header":
        raise HubError(400, None, f"Unknown operation {key!r}")


def tag(hub: LoopbackHub, request: Request, repo_id: str, revision: str) -> Response:
    """POST names a revision; DELETE takes the name away (it stands where the revision stands)."""
    _writer(request)
    repo = hub.repo(request, repo_id)
    if request.method == "DELETE":
        if repo.tags.pop(revision, None) is None:
            raise HubError(404, "RevisionNotFound", f"Tag {revision} does not exist")
        return Response.json({})
    name = request.json()["tag"]
    if name in repo.tags:
        raise HubError(409, None, f"Tag {name} already exists")
    repo.tags[name] = hub.commit(repo, revision).sha
    return Response.json({})


def branch(hub: LoopbackHub, request: Request, repo_id: str, name: str) -> Response:
    _writer(request)
    repo: Repo = hub.repo(request, repo_id)
    if request.method == "DELETE":
        repo.branches.pop(name, None)
        return Response.json({})
    if name in repo.branches:
        raise HubError(409, None, f"Reference already exists: {name}")
    repo.branches[name] = hub.commit(repo, request.json().get("startingPoint", "main")).sha
    return Response.json({})
