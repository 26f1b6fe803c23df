"""Releases in a folder. One writer at a time, by a lock that ends with its process."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.logs import logger
from dynosaur_core.models import Release
from dynosaur_core.publish.sinks import MANIFEST, Stored, read_manifest, stale_files

_LOG = logger("release")


class LocalSink:
    """A release folder; created with its first release."""

    def __init__(self, url: str, *, wait_s: float = 600.0) -> None:
        self.url = url
        self.root = Path(url.removeprefix("file://")).expanduser()
        self._wait_s = wait_s

    @contextmanager
    def writing(self) -> Iterator[None]:
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.root / ".dynosaur.lock", timeout=self._wait_s)
            if not _is_free(lock):
                _LOG.info("%s is being written by another process: waiting up to %.0f s", self.url, self._wait_s)
            with lock:
                yield
        except Timeout as error:
            raise DynosaurError(Code.RELEASE_CONFLICT, f"another release is being written to {self.url}") from error
        except OSError as error:
            raise DynosaurError(Code.RELEASE_FAILED, f"cannot write the release {self.url}: {error}") from error

    def manifest(self) -> tuple[Release | None, str | None]:
        data = self.read(MANIFEST)
        return (None, None) if data is None else (read_manifest(data, self.url, None), None)

    def listing(self) -> dict[str, Stored]:
        with self._reading():
            paths = [path for folder in (self.root, self.root / "data") for path in folder.glob("*") if path.is_file()]
            return {path.relative_to(self.root).as_posix(): Stored(path.stat().st_size) for path in paths}

    def read(self, name: str) -> bytes | None:
        with self._reading():
            try:
                return (self.root / name).read_bytes()
            except FileNotFoundError:
                return None

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise DynosaurError(Code.RELEASE_FAILED, f"cannot read the release {self.url}: {error}") from error

    def put(self, name: str, file: Path) -> bool:
        """What stands under the name is an unfinished attempt's: the lock is held, and no manifest names it."""
        target = self.root / name
        target.parent.mkdir(exist_ok=True)
        temporary = target.with_suffix(".tmp")
        shutil.copyfile(file, temporary)
        _appear(temporary, target)
        return True

    def commit(self, release: Release, token: str | None, files: Mapping[str, bytes]) -> None:
        manifest = {MANIFEST: release.model_dump_json(indent=1).encode()}
        for name, data in {**files, **manifest}.items():
            temporary = self.root / f".{name}.tmp"
            temporary.write_bytes(data)
            _appear(temporary, self.root / name)

    def tidy(self, release: Release) -> None:
        for name in stale_files(self.listing(), release):
            (self.root / name).unlink()


def _is_free(lock: FileLock) -> bool:
    try:
        with lock.acquire(timeout=0):
            return True
    except Timeout:
        return False


def _appear(temporary: Path, target: Path) -> None:
    """`temporary` takes the place of `target`, and stays there when the machine stops."""
    with temporary.open("rb") as file:
        os.fsync(file.fileno())
    temporary.replace(target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
