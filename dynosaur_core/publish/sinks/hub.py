"""Releases as a dataset repository of the Hub: one commit each, on top of the one that was read."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias, TypeVar

from huggingface_hub import (
    CommitOperationAdd,
    CommitOperationCopy,
    CommitOperationDelete,
    HfApi,
    get_session,
    hf_hub_url,
)
from huggingface_hub.errors import HfHubHTTPError, RemoteEntryNotFoundError, RepositoryNotFoundError
from huggingface_hub.hf_api import RepoSibling
from huggingface_hub.utils import build_hf_headers, hf_raise_for_status  # type: ignore[attr-defined]

from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.exchange import bounded, retry_after, within
from dynosaur_core.logs import logger
from dynosaur_core.models import Release
from dynosaur_core.publish.sinks import MANIFEST, Stored, read_manifest, stale_files
from dynosaur_core.retry import retrying
from dynosaur_core.scratch import scratch_folder

GIT_ATTRIBUTES = ".gitattributes"
"""The Hub makes this file in every repository."""
ATTEMPTS = 5
"""Of one request, see `retry`; the client itself does not repeat those that change or describe a repository."""
_CODES = {409: Code.RELEASE_CONFLICT, 412: Code.RELEASE_CONFLICT, 429: Code.RATE_LIMITED}
_TIMEOUT_S = 60.0
_EXCHANGE_S = 1_800.0
"""Seconds for all that one call sends and receives; a data file of a release goes up in one."""
_HTTP_ERROR: type[Exception] = HfHubHTTPError.__mro__[1]
"""Base of all errors of the HTTP client that huggingface_hub uses, whichever that is."""
_Operation: TypeAlias = CommitOperationAdd | CommitOperationCopy | CommitOperationDelete
T = TypeVar("T")
_LOG = logger("release")


class HubSink:
    """A release at `hf://datasets/<owner>/<name>`; HF_ENDPOINT and HF_TOKEN as everywhere.

    Data files go up before the commit and are invisible until then; what a commit replaces stays in the history.
    """

    def __init__(self, url: str, *, private: bool = True, api: HfApi | None = None, pause_s: float = 1.0) -> None:
        self.url = url.rstrip("/")
        self.repo_id = self.url.removeprefix("hf://datasets/")
        self._private = private
        self._api = api or HfApi(endpoint=os.environ.get("HF_ENDPOINT"), library_name="dynosaur")
        self._pause_s = pause_s
        self._head: str | None = None
        """The commit that was read; None while there is no repository."""
        self._listing: dict[str, Stored] = {}
        """The files of that commit."""
        self._folder: Path | None = None
        self._data: list[CommitOperationAdd] = []

    @contextmanager
    def writing(self) -> Iterator[None]:
        """No lock: the Hub refuses a commit on another parent. Keeps the data files until the commit."""
        with tempfile.TemporaryDirectory(prefix="hub-", dir=scratch_folder()) as folder:
            self._folder, self._data = Path(folder), []
            yield

    def manifest(self) -> tuple[Release | None, str | None]:
        try:
            info = self._ask(lambda: self._api.dataset_info(self.repo_id, files_metadata=True), RepositoryNotFoundError)
        except RepositoryNotFoundError:
            self._head, self._listing = None, {}
            return None, None
        self._head = info.sha
        self._listing = {file.rfilename: _stored(file) for file in info.siblings or ()}
        data = self.read(MANIFEST)
        return (None if data is None else read_manifest(data, self.url, self._head)), self._head

    def listing(self) -> dict[str, Stored]:
        return self._listing

    def read(self, name: str) -> bytes | None:
        """At the commit that `manifest` read. Not from a cache, which would answer for a Hub that does not."""
        if self._head is None:
            return None
        try:
            return self._ask(lambda: self._download(name), RemoteEntryNotFoundError)
        except RemoteEntryNotFoundError:
            return None

    def _download(self, name: str) -> bytes:
        """The file in one request, checked against the digest that the Hub names it by."""
        url = hf_hub_url(self.repo_id, name, repo_type="dataset", revision=self._head, endpoint=self._api.endpoint)
        headers = build_hf_headers(token=self._api.token, library_name="dynosaur")
        response = get_session().get(url, headers=headers, follow_redirects=True, timeout=_TIMEOUT_S)
        hf_raise_for_status(response)
        linked = [answer.headers["X-Linked-Etag"] for answer in response.history if "X-Linked-Etag" in answer.headers]
        tag = (linked or [response.headers.get("ETag", "")])[-1].removeprefix("W/").strip('"')
        data = bytes(response.content)
        if tag not in (hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest(), hashlib.sha256(data).hexdigest()):
            raise ValueError(f"{name} came damaged")
        return data

    def put(self, name: str, file: Path) -> bool:
        assert self._folder is not None, "put belongs inside writing()"
        kept = self._folder / name.replace("/", "-")  # the commit reads it again
        shutil.copyfile(file, kept)
        operation = CommitOperationAdd(path_in_repo=name, path_or_fileobj=kept)
        self._create()
        self._ask(
            lambda: self._api.preupload_lfs_files(self.repo_id, [operation], repo_type="dataset", free_memory=False)
        )
        self._data.append(operation)
        return True

    def commit(self, release: Release, token: str | None, files: Mapping[str, bytes]) -> None:
        self._create()
        small = {**files, MANIFEST: release.model_dump_json(indent=1).encode()}
        # what a person has deleted already cannot be deleted again: the Hub would refuse the commit
        gone = set(stale_files(self._listing, release)) - {operation.path_in_repo for operation in self._data}
        operations: list[_Operation] = [
            *self._data,
            *(CommitOperationAdd(path_in_repo=name, path_or_fileobj=data) for name, data in small.items()),
            *(CommitOperationDelete(path_in_repo=path) for path in sorted(gone)),
        ]
        title = f"Release {release.version}: {release.records:,} records of {release.sources:,} sources"
        self._commit(operations, title, release.changelog[0])
        self._listing = {path: stored for path, stored in self._listing.items() if path not in gone}

    def commit_folder(self, path: str, folder: Path, files: Sequence[str], title: str) -> None:
        """One commit after which the files below `path` (the repository's root for "") are those of `folder`."""
        self._create()
        named = {f"{path}/{name}".lstrip("/"): folder / name for name in files}
        below = f"{path}/" if path else ""
        gone = [name for name in self._listing if name.startswith(below) and name not in {*named, GIT_ATTRIBUTES}]
        operations: list[_Operation] = [
            *(CommitOperationAdd(path_in_repo=name, path_or_fileobj=file) for name, file in named.items()),
            *(CommitOperationDelete(path_in_repo=name) for name in sorted(gone)),
        ]
        self._commit(operations, title)

    def _commit(self, operations: list[_Operation], title: str, description: str | None = None) -> None:
        """On top of the commit that was read; ReleaseConflict where another one is there."""
        made = self._ask(
            lambda: self._api.create_commit(
                self.repo_id,
                operations,
                commit_message=title,
                commit_description=description,
                repo_type="dataset",
                parent_commit=self._head,
            )
        )
        self._head = made.oid

    def tidy(self, release: Release) -> None:
        """The commit has removed files already, but for those that somebody has added since; the version's tag may be
        missing."""
        if added := sorted(stale_files(self._listing, release)):
            removing: list[_Operation] = [CommitOperationDelete(path_in_repo=path) for path in added]
            self._commit(removing, f"Files beside release {release.version} removed: {len(added):,}")
            self._listing = {path: stored for path, stored in self._listing.items() if path not in added}
        name = f"v{release.version}"
        refs = self._ask(lambda: self._api.list_repo_refs(self.repo_id, repo_type="dataset"))
        if name not in {tag.name for tag in refs.tags}:
            self._ask(
                lambda: self._api.create_tag(
                    self.repo_id, tag=name, revision=self._head, repo_type="dataset", exist_ok=True
                )
            )

    def _create(self) -> None:
        """Creates the repository if there was none; one that has got a release meanwhile is another writer's."""
        if self._head is not None:
            return
        self._ask(
            lambda: self._api.create_repo(self.repo_id, repo_type="dataset", private=self._private, exist_ok=True)
        )
        if self.manifest()[0] is not None:
            raise DynosaurError(Code.RELEASE_CONFLICT, f"another release was made at {self.url}")

    def _ask(self, request: Callable[[], T], absent: type[HfHubHTTPError] | tuple[()] = ()) -> T:
        """Returns what `request` returns, and retries transient failures. Raises `absent` unchanged, and any other
        failure as a DynosaurError.

        A commit whose answer was lost is refused when it is sent again: that is a conflict, and who reads the manifest
        anew finds it done.
        """

        def attempt() -> T:
            try:
                bounded(get_session())
                with within(time.monotonic() + _EXCHANGE_S):
                    return request()
            except absent:
                raise
            except (_HTTP_ERROR, OSError, ValueError) as error:
                raise self._error(error) from error

        return retrying(attempt, what=self.url, log=_LOG, attempts=ATTEMPTS, backoff_s=self._pause_s)

    def _error(self, error: Exception) -> DynosaurError:
        message = f"release at {self.url}: {error}"
        if isinstance(error, HfHubHTTPError):
            status = error.response.status_code
            code = _CODES.get(status, Code.SERVER_ERROR if status >= 500 else Code.RELEASE_FAILED)
            return DynosaurError(code, message, retry_after=retry_after(error.response.headers))
        # a ValueError is an answer that is damaged, or no JSON
        return DynosaurError(Code.SERVER_ERROR if isinstance(error, ValueError) else Code.CONNECTION_FAILED, message)


def _stored(file: RepoSibling) -> Stored:
    return Stored(file.size or 0, file.lfs.sha256[:32] if file.lfs else None)
