"""The loopback Hub: its datasets, its switches, its counters."""

from __future__ import annotations

import io
import math
import re
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote

import pyarrow.parquet as pq

from tests.support.hub import cas, files, listing, writing
from tests.support.hub.faults import Faults
from tests.support.hub.repos import CONVERTED, Blob, Commit, Repo, with_yaml
from tests.support.hub.viewer import ENDPOINTS, Viewer
from tests.support.hub.web import HubError, Request, Response, Server

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
_ID = r"([^/]+(?:/[^/]+)?)"
_DATASET = rf"/api/datasets/{_ID}"
_REVISION = r"([^/]+)"
View = Callable[..., Response]
ROUTES: tuple[tuple[str, str, str, View], ...] = (
    # name of the endpoint, methods, path (percent-encoded), what answers
    ("list", "GET", r"/api/datasets", listing.list_datasets),
    ("whoami", "GET", r"/api/whoami-v2", listing.whoami),
    ("refs", "GET", rf"{_DATASET}/refs", listing.refs),
    ("commits", "GET", rf"{_DATASET}/commits/{_REVISION}", listing.commits),
    ("tree", "GET", rf"{_DATASET}/tree/{_REVISION}(?:/(.*))?", files.tree),
    ("paths-info", "POST", rf"{_DATASET}/paths-info/{_REVISION}", files.paths_info),
    ("dataset-info", "GET", rf"{_DATASET}/revision/{_REVISION}", listing.dataset_info),
    ("resolve", "GET HEAD", rf"(?:/_resolve-cache)?/datasets/{_ID}/resolve/{_REVISION}/(.+)", files.resolve),
    ("storage", "GET HEAD", r"/_storage/([0-9a-f]{64})", files.storage),
    ("create", "POST", r"/api/repos/create", writing.create),
    ("delete", "DELETE", r"/api/repos/delete", writing.remove),
    ("move", "POST", r"/api/repos/move", writing.move),
    ("settings", "PUT", rf"{_DATASET}/settings", writing.settings),
    ("validate-yaml", "POST", r"/api/validate-yaml", writing.validate_yaml),
    ("preupload", "POST", rf"{_DATASET}/preupload/{_REVISION}", writing.preupload),
    ("lfs-batch", "POST", rf"/datasets/{_ID}\.git/info/lfs/objects/batch", writing.lfs_batch),
    ("upload", "PUT POST", r"/_upload/([0-9a-f]{64})(?:/(\d+))?", writing.upload),
    ("commit", "POST", rf"{_DATASET}/commit/{_REVISION}", writing.commit),
    ("tag", "POST DELETE", rf"{_DATASET}/tag/{_REVISION}", writing.tag),
    ("branch", "POST DELETE", rf"{_DATASET}/branch/{_REVISION}", writing.branch),
    ("xet-token", "GET", rf"{_DATASET}/xet-write-token/{_REVISION}", cas.write_token),
    ("upload", "POST", r"/_cas/v1/xorbs/default/([0-9a-f]{64})", cas.put_xorb),
    ("upload", "POST", r"/_cas/v1/shards", cas.put_shard),
    ("telemetry", "POST", r"/v1/telemetry", cas.telemetry),
    ("dataset-info", "GET", _DATASET, listing.dataset_info),
)
RESOURCES = {"resolve": "resolvers", "storage": None, "upload": None, "telemetry": None}
"""Whose quota a request counts against; `api` unless named here. The viewer has none."""


class LoopbackHub:
    """Serves datasets from folders and from memory; use it as a context manager.

    `folder` is in the Hub's layout, `<folder>/<owner>/<name>/README.md`; nothing in it is changed.
    """

    def __init__(self, folder: str | Path | None = None, *, port: int = 0, token: str = "hf_loopback") -> None:
        self.lock = threading.RLock()
        self.token = token
        self.users = {token: "loopback"}
        """Token -> user. Requests with another token are refused; those without one are anonymous."""
        self.moved: dict[str, str] = {}
        self.stored: dict[str, Blob] = {}
        """What the large file storage holds: sha256 -> content."""
        self.parts: dict[str, dict[int, bytes]] = {}
        self.xorbs: dict[str, list[bytes]] = {}
        """Uploads by Xet: the chunks of each xorb."""
        self.faults = Faults()
        self.viewer = Viewer(self)
        self.page_size = 1000
        self.part_bytes: int | None = None
        """Objects beyond this many bytes are uploaded in parts."""
        self.resolve_cache = False
        """Answer small files by a redirect to a cache, as the Hub does; it costs each of them a second request."""
        self.quota = {"api": 1_000_000, "resolvers": 1_000_000}
        """Requests per window and resource."""
        self.window_s = 300.0
        self.requests: Counter[str] = Counter()
        """By name of the endpoint (see ROUTES; the viewer's are `viewer:rows`...)."""
        self.bytes: Counter[str] = Counter()
        """Bytes sent, headers included."""
        self.log: list[tuple[str, str, int, int]] = []
        """(method, target, status, bytes sent); status 0 for a connection that was cut."""
        self.errors: list[str] = []
        """Tracebacks of the loopback Hub's own faults: should stay empty."""
        self.closing = threading.Event()
        self._repos: dict[str, Repo] = {}
        self._now = EPOCH
        self._window = (time.monotonic(), Counter[str]())
        self.synthetic = listing.Synthetic(0, EPOCH)
        for readme in sorted(Path(folder).glob("*/*/README.md")) if folder else ():
            self.add_folder(readme.parent)
        self._server = Server(port, self)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self.storage_url = self.url.replace("127.0.0.1", "localhost")
        """Another host, as on the Hub: clients tell a redirect to the storage by it."""

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._server.drop_connections()

    # --- switches ---

    def tick(self, seconds: float = 60) -> datetime:
        """The Hub's clock goes on; every commit has a date of its own."""
        with self.lock:
            self._now += timedelta(seconds=seconds)
            return self._now

    def add(
        self, repo_id: str, content: Mapping[str, bytes | str | Path], title: str = "Add data", *, private: bool = False
    ) -> Repo:
        """A new dataset with these files."""
        with self.lock:
            date = self.tick()
            repo = Repo(repo_id, date, private=private)
            repo.commit({path: Blob.of(data) for path, data in content.items()}, date, title)
            self._repos[repo_id] = repo
            return repo

    def add_folder(self, folder: Path, repo_id: str | None = None) -> Repo:
        """A new dataset with the files of a folder; its id is the folder's path below its grandparent."""
        content = {str(path.relative_to(folder)): path for path in sorted(folder.rglob("*")) if path.is_file()}
        return self.add(repo_id or f"{folder.parent.name}/{folder.name}", content)

    def add_synthetic(self, count: int) -> None:
        """That many datasets that are listed only, older than all others."""
        self.synthetic = listing.Synthetic(count, EPOCH - timedelta(days=1))

    def edit(self, repo_id: str, changes: Mapping[str, bytes | str | Path | None], title: str = "Update") -> Commit:
        """A commit that writes these files, and removes those that are None."""
        with self.lock:
            repo = self[repo_id]
            content = {**repo.head.files, **{path: Blob.of(data) for path, data in changes.items() if data is not None}}
            kept = {path: blob for path, blob in content.items() if changes.get(path, b"") is not None}
            return repo.commit(kept, self.tick(), title)

    def edit_prose(self, repo_id: str, text: str = "Thanks to all who sent corrections.") -> Commit:
        """A commit that adds a sentence to the end of the card, and changes nothing else."""
        return self.edit(repo_id, {"README.md": f"{self[repo_id].card_text.rstrip()}\n\n{text}\n"}, "Update README.md")

    def edit_rows(self, repo_id: str) -> Commit:
        """A commit that drops the last row of the first data file."""
        files = self[repo_id].head.files
        path = next(path for path in sorted(files) if path.endswith((".parquet", ".jsonl", ".csv")))
        if path.endswith(".parquet"):
            table, sink = pq.read_table(io.BytesIO(files[path].read())), io.BytesIO()
            pq.write_table(table.slice(0, len(table) - 1), sink)
            return self.edit(repo_id, {path: sink.getvalue()}, "Remove a row")
        lines = files[path].read().splitlines(keepends=True)
        return self.edit(repo_id, {path: b"".join(lines[:-1])}, "Remove a row")

    def relicense(self, repo_id: str, license_id: str | list[str] | None) -> Commit:
        """A commit that changes the licence in the card's YAML header."""
        changes = {"license": license_id, "licenses": None}
        return self.edit(repo_id, {"README.md": with_yaml(self[repo_id].card_text, changes)}, "Update license")

    def delete(self, repo_id: str) -> None:
        with self.lock:
            del self._repos[repo_id]

    def rename(self, repo_id: str, new_id: str) -> None:
        """The old name answers with redirects."""
        with self.lock:
            repo = self._repos.pop(repo_id)
            repo.id = new_id
            self._repos[new_id] = repo
            self.moved = {old: new_id if new == repo_id else new for old, new in self.moved.items()} | {repo_id: new_id}

    def gate(self, repo_id: str, how: str | bool = "auto") -> None:
        self[repo_id].gated = how

    def privatise(self, repo_id: str, private: bool = True) -> None:
        self[repo_id].private = private

    def disable(self, repo_id: str, disabled: bool = True) -> None:
        self[repo_id].disabled = disabled

    # --- what views ask ---

    def __getitem__(self, repo_id: str) -> Repo:
        return self._repos[repo_id]

    def find(self, repo_id: str) -> Repo | None:
        return self._repos.get(repo_id)

    def all_repos(self) -> list[Repo]:
        with self.lock:
            return list(self._repos.values())

    def user(self, authorization: str | None) -> str | None:
        """The token's owner; "?" for a token that nobody has."""
        if not authorization:
            return None
        return self.users.get(authorization.removeprefix("Bearer ").strip(), "?")

    def may_read(self, repo: Repo, user: str | None) -> bool:
        return not repo.private or user is not None

    def repo(self, request: Request, repo_id: str) -> Repo:
        """The repository, if the user may know of it; raises what the Hub answers otherwise."""
        repo = self._repos.get(repo_id)
        if repo is None or not self.may_read(repo, request.user):
            if request.user is None:
                raise HubError(401, "RepoNotFound", "Invalid username or password.")
            raise HubError(404, "RepoNotFound", "Repository not found")
        if repo.disabled:
            raise HubError(403, None, "Access to this resource is disabled.")
        return repo

    def commit(self, repo: Repo, revision: str) -> Commit:
        found = self.viewer.converted(repo) if revision == CONVERTED else repo.at(revision)
        if found is None and re.fullmatch(r"[0-9a-f]{40}", revision):
            converted = self.viewer.converted(repo)
            found = converted if converted is not None and converted.sha == revision else None
        if found is None:
            raise HubError(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        return found

    # --- requests ---

    def route(self, request: Request) -> tuple[str, View | None]:
        """The endpoint's name, and what answers."""
        name = request.path.strip("/")
        if name in ENDPOINTS:
            return f"viewer:{name}", lambda hub, req: self.viewer.answer(req, name)
        if name == "is-valid":
            return "viewer:is-valid", lambda hub, req: self.viewer.is_valid(req)
        for endpoint, methods, pattern, view in ROUTES:
            match = re.fullmatch(pattern, request.path)
            if match and request.method in methods.split():
                parts = [unquote(part) for part in match.groups() if part is not None]
                return endpoint, partial(_at, view, parts)
        return "unknown", None

    def answer(self, endpoint: str, view: View | None, request: Request) -> Response:
        resource = None if endpoint.startswith("viewer:") else RESOURCES.get(endpoint, "api")
        limits, spent = self._spend(resource) if resource else ({}, False)
        try:
            if spent:
                raise HubError(429, None, "You have exceeded the rate limit of this resource")
            if request.user == "?":
                raise HubError(401, None, "Invalid credentials in Authorization header")
            if view is None:
                raise HubError(404, None, "Sorry, we can't find the page you are looking for.")
            response = self._moved(request) or view(self, request)
        except HubError as error:
            response = error.response()
        except Exception:  # noqa: BLE001, a server answers; the test that runs it fails by `errors`
            self.errors.append(traceback.format_exc())
            response = HubError(500, None, "Internal Error of the loopback Hub").response()
        response.headers = {**limits, **response.headers}
        return response

    def count(self, endpoint: str, request: Request, status: int, sent: int) -> None:
        with self.lock:
            self.requests[endpoint] += 1
            self.bytes[endpoint] += sent
            self.log.append((request.method, request.target, status, sent))

    def reset_counts(self) -> None:
        with self.lock:
            self.requests.clear()
            self.bytes.clear()
            self.log.clear()

    def _moved(self, request: Request) -> Response | None:
        """The redirect from a repository's old name."""
        match = re.match(r"/(?:api/)?datasets/([^/]+/[^/]+?)(?=/|\.git/|$)", request.path)
        if match is None or unquote(match.group(1)) not in self.moved or unquote(match.group(1)) in self._repos:
            return None
        new = self.moved[unquote(match.group(1))]
        target = request.target[: match.start(1)] + new + request.target[match.end(1) :]
        return Response(307, b"", {"Location": target})

    def _spend(self, resource: str) -> tuple[dict[str, str], bool]:
        """Counts the request against its quota; gives the headers that tell, and whether it was one too many."""
        with self.lock:
            start, used = self._window
            now = time.monotonic()
            if now - start >= self.window_s:
                self._window = start, used = now, Counter[str]()
            used[resource] += 1
            limit = self.quota[resource]
            left = limit - used[resource]
            reset = math.ceil(start + self.window_s - now)
        headers = {
            "RateLimit": f'"{resource}";r={max(left, 0)};t={reset}',
            "RateLimit-Policy": f'"fixed window";"{resource}";q={limit};w={self.window_s:g}',
        }
        return headers, left < 0


def _at(view: View, parts: list[Any], hub: LoopbackHub, request: Request) -> Response:
    return view(hub, request, *parts)
