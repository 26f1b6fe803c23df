"""Releases as a dataset repository of the Hub: one commit each, on top of the one that was read."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
from huggingface_hub import CommitOperationAdd, CommitOperationCopy, CommitOperationDelete, HfApi
from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, RepositoryNotFoundError

from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.models import Release
from dynosaur_core.publish.sinks import MANIFEST

_TAKEN = {409, 412}
"""Another commit was first."""


class HubSink:
    """A release at `hf://datasets/<owner>/<name>`. HF_ENDPOINT and HF_TOKEN are read where huggingface_hub reads them.

    Files go up before the commit and are invisible until then; what the commit replaces stays in the history.
    """

    def __init__(self, url: str, *, private: bool = True, api: HfApi | None = None) -> None:
        self.url = url.rstrip("/")
        self.repo_id = self.url.removeprefix("hf://datasets/")
        self._private = private
        self._api = api or HfApi(library_name="dynosaur")
        self._head: str | None = None
        self._data: list[CommitOperationAdd] = []
        self._folder: Path | None = None

    @contextmanager
    def writing(self) -> Iterator[None]:
        """No lock: a commit on another parent is refused by the Hub. Holds the data files until the commit."""
        with tempfile.TemporaryDirectory(prefix="dynosaur-hub-") as folder:
            self._folder, self._data = Path(folder), []
            yield

    def manifest(self) -> tuple[Release | None, str | None]:
        with self._errors():
            try:
                self._head = self._api.dataset_info(self.repo_id).sha
            except RepositoryNotFoundError:
                self._head = None
                return None, None
        data = self.read(MANIFEST)
        return (Release.model_validate_json(data) if data else None), self._head

    def read(self, name: str) -> bytes | None:
        """At the commit that `manifest` read: a full sha, so that a cached file is the right one."""
        if self._head is None:
            return None
        with self._errors():
            try:
                path = self._api.hf_hub_download(self.repo_id, name, repo_type="dataset", revision=self._head)
            except EntryNotFoundError:
                return None
        return Path(path).read_bytes()

    def put(self, name: str, file: Path) -> bool:
        assert self._folder is not None, "put belongs inside writing()"
        # the caller's file goes away before the commit reads it again
        kept = self._folder / name.replace("/", "-")
        shutil.copyfile(file, kept)
        operation = CommitOperationAdd(path_in_repo=name, path_or_fileobj=kept)
        self._create()
        with self._errors():
            self._api.preupload_lfs_files(self.repo_id, [operation], repo_type="dataset", free_memory=False)
        self._data.append(operation)
        return True

    def commit(self, release: Release, previous: Release | None, token: str | None, files: Mapping[str, bytes]) -> None:
        self._create()
        small = {**files, MANIFEST: release.model_dump_json(indent=1).encode()}
        kept = {file.path for file in release.files}
        gone = [file.path for file in previous.files if file.path not in kept] if previous else []
        operations: list[CommitOperationAdd | CommitOperationCopy | CommitOperationDelete] = [
            *self._data,
            *(CommitOperationAdd(path_in_repo=name, path_or_fileobj=data) for name, data in small.items()),
            *(CommitOperationDelete(path_in_repo=path) for path in gone),
        ]
        with self._errors():
            made = self._api.create_commit(
                self.repo_id,
                operations,
                commit_message=f"Release {release.version}: {release.records:,} records of {release.sources:,} sources",
                commit_description=release.changelog[0],
                repo_type="dataset",
                parent_commit=self._head,
            )
            self._api.create_tag(
                self.repo_id, tag=f"v{release.version}", revision=made.oid, repo_type="dataset", exist_ok=True
            )

    def tidy(self, release: Release) -> None:
        """The commit has removed them already."""

    def _create(self) -> None:
        """Creates the repository if there was none; one that has got a release meanwhile is another writer's."""
        if self._head is not None:
            return
        with self._errors():
            self._api.create_repo(self.repo_id, repo_type="dataset", private=self._private, exist_ok=True)
        if self.manifest()[0] is not None:
            raise DynosaurError(Code.RELEASE_CONFLICT, f"another release was made at {self.url}")

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Foreign exceptions become errors with a code; the release is tried again for those that may pass."""
        try:
            yield
        except HfHubHTTPError as error:
            status = error.response.status_code
            wait = error.response.headers.get("Retry-After", "")
            message = f"release at {self.url}: {error}"
            raise DynosaurError(_code(status), message, retry_after=float(wait) if wait.isdigit() else None) from error
        except (httpx.TransportError, OSError) as error:
            raise DynosaurError(Code.CONNECTION_FAILED, f"release at {self.url}: {error}") from error


def _code(status: int) -> Code:
    if status in _TAKEN:
        return Code.RELEASE_CONFLICT
    if status == 429:
        return Code.RATE_LIMITED
    return Code.SERVER_ERROR if status >= 500 else Code.RELEASE_FAILED
