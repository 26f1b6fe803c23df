"""Releases on S3: data first, the manifest last by a conditional put, which refuses the second of two writers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cached_property
from pathlib import Path
from typing import Any

import s3fs
from botocore.exceptions import BotoCoreError, ClientError  # type: ignore[import-untyped]

from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.models import Release
from dynosaur_core.publish.sinks import MANIFEST, Stored, read_manifest, stale_files

_TAKEN = {409, 412}
"""Another writer was first: conflict, or a precondition that does not hold."""


class S3Sink:
    """A release under `s3://bucket/path`. Credentials and AWS_ENDPOINT_URL are read where botocore reads them."""

    def __init__(self, url: str, **options: Any) -> None:
        self.url = url.rstrip("/")
        self.root = self.url.removeprefix("s3://")
        self._options = options

    @cached_property
    def fs(self) -> s3fs.S3FileSystem:
        """Opened when something is first asked of it: it looks for credentials, on the network where none are set."""
        return s3fs.S3FileSystem(use_listings_cache=False, skip_instance_cache=True, **self._options)

    def writing(self) -> AbstractContextManager[None]:
        return nullcontext()

    def manifest(self) -> tuple[Release | None, str | None]:
        data, tag = self._manifest()
        return (None if data is None else read_manifest(data, self.url, tag)), tag

    def _manifest(self) -> tuple[bytes | None, str | None]:
        with self._errors():
            try:
                # the file reads with If-Match: its bytes are those of its tag
                with self.fs.open(f"{self.root}/{MANIFEST}", "rb") as file:
                    return file.read(), str(file.details["ETag"])
            except FileNotFoundError:
                return None, None

    def listing(self) -> dict[str, Stored]:
        with self._errors():
            found = self.fs.find(self.root, detail=True)
        return {path.removeprefix(f"{self.root}/"): Stored(facts["size"]) for path, facts in found.items()}

    def read(self, name: str) -> bytes | None:
        with self._errors():
            try:
                return bytes(self.fs.cat_file(f"{self.root}/{name}"))
            except FileNotFoundError:
                return None

    def put(self, name: str, file: Path) -> bool:
        """Never replaces a file; one of the same content, from an attempt that did not finish, is taken as it is."""
        with self._errors():
            try:
                self.fs.put_file(str(file), f"{self.root}/{name}", mode="create")
            except OSError as error:
                if _status(error) not in _TAKEN:
                    raise
                return self.read(name) == file.read_bytes()
        return True

    def commit(self, release: Release, token: str | None, files: Mapping[str, bytes]) -> None:
        # a writer that has lost already must not touch the winner's card and tables
        if self._manifest()[1] != token:
            raise DynosaurError(Code.RELEASE_CONFLICT, f"another release was made at {self.url}")
        condition = {"IfMatch": token} if token else {"IfNoneMatch": "*"}
        bucket, key, _ = self.fs.split_path(f"{self.root}/{MANIFEST}")
        with self._errors():
            for name, data in files.items():
                self.fs.pipe_file(f"{self.root}/{name}", data)
            body = release.model_dump_json(indent=1).encode()
            self.fs.call_s3("put_object", Bucket=bucket, Key=key, Body=body, **condition)

    def tidy(self, release: Release) -> None:
        stale = stale_files(self.listing(), release)
        with self._errors():
            for name in stale:
                self.fs.rm_file(f"{self.root}/{name}")

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Foreign exceptions become errors with a code."""
        try:
            yield
        except (OSError, BotoCoreError, ClientError) as error:
            raise DynosaurError(_code(error), f"release at {self.url}: {error}") from error


def _code(error: Exception) -> Code:
    status = _status(error)
    if status in _TAKEN:
        return Code.RELEASE_CONFLICT
    if status == 429:
        return Code.RATE_LIMITED
    if status >= 500:
        return Code.SERVER_ERROR
    return Code.CONNECTION_FAILED if isinstance(error, ConnectionError | BotoCoreError) else Code.RELEASE_FAILED


def _status(error: BaseException | None) -> int:
    """HTTP status behind an exception of s3fs, or 0: s3fs keeps the client's error as its cause."""
    while error is not None and not isinstance(error, ClientError):
        error = error.__cause__
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)) if error is not None else 0
