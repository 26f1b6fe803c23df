"""The store: everything that is kept between growths, under names made of content digests.

A file appears whole or not at all: local writes go to a temporary name and are renamed, object stores put at once.
Because names are digests, writing what is there already changes nothing, and two writers cannot disagree.

    results/<stage>/<key>.json   stage results       answers/<xx>/<digest>.json   raw LLM answers
    rows/<xx>/<digest>.parquet   sampled rows        records/<xx>/<digest>.parquet   rendered records
    store.json                   its id
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeVar

import fsspec
from botocore.exceptions import BotoCoreError  # type: ignore[import-untyped]

from dynosaur_core.digest import canonical_json, digest_bytes
from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.models import Stored
from dynosaur_core.stored import damaged, from_stored

if TYPE_CHECKING:  # not every look into the store is at a table
    import pyarrow as pa
    import pyarrow.parquet as pq

IDENTITY = "store.json"
T = TypeVar("T")
_REMEDY = "remove it, and run `dynosaur grow`"
STORAGE_ERRORS = (OSError, BotoCoreError)
"""What fsspec's file systems raise where storage fails; those of S3 let some of botocore's own through."""


class Identity(Stored):
    """What store.json holds."""

    id: str


class Store:
    """Reads and writes under one folder or fsspec URL. Safe to share between threads."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        try:
            # another process writes here too: a listing of a moment ago must not say what is there
            self.fs, self.root = fsspec.core.url_to_fs(self.url, use_listings_cache=False)
        except (ValueError, ImportError) as error:
            raise DynosaurError(Code.BAD_SETTING, f"store {url!r} cannot be opened: {error}") from error
        self.local = isinstance(self.fs, fsspec.implementations.local.LocalFileSystem)

    def path(self, name: str) -> str:
        return f"{self.root}/{name}"

    def exists(self, name: str) -> bool:
        with self._telling("look for", name):
            return bool(self.fs.exists(self.path(name)))

    @property
    def id(self) -> str | None:
        """What the store is known by to its ledger and its releases; None before the first growth."""
        found = self.read_model(IDENTITY, Identity)
        return found.id if found else None

    @id.setter
    def id(self, value: str) -> None:
        self.write_model(IDENTITY, Identity(id=value))

    def names(self, folder: str) -> list[str]:
        """The names of the whole files in a folder of the store, sorted."""
        with self._telling("list", folder):
            try:
                found = self.fs.ls(self.path(folder), detail=False)
            except FileNotFoundError:
                return []
        return sorted(f"{folder}/{path.rsplit('/', 1)[-1]}" for path in found if not path.endswith(".tmp"))

    def remove(self, name: str) -> None:
        """Removes a file; nothing happens where there is none."""
        with self._telling("remove", name), suppress(FileNotFoundError):
            self.fs.rm_file(self.path(name))

    def read_bytes(self, name: str) -> bytes | None:
        """The file's bytes, or None where there is none."""
        with self._telling("read", name):
            try:
                return bytes(self.fs.cat_file(self.path(name)))
            except FileNotFoundError:
                return None

    def write_bytes(self, name: str, data: bytes) -> None:
        """Writes whole or not at all."""
        path = self.path(name)
        with self._telling("write", name):
            if not self.local:
                self.fs.pipe_file(path, data)
                return
            temporary = Path(f"{path}.{uuid.uuid4().hex}.tmp")
            temporary.parent.mkdir(parents=True, exist_ok=True)
            try:
                with temporary.open("wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                temporary.replace(path)
            finally:
                temporary.unlink(missing_ok=True)

    @contextmanager
    def _telling(self, action: str, name: str) -> Iterator[None]:
        """Storage that fails is StoreFailed, worth another try."""
        try:
            yield
        except STORAGE_ERRORS as error:
            raise DynosaurError(Code.STORE_FAILED, f"cannot {action} {name} in {self.url}: {error}") from error

    def read_json(self, name: str) -> Any | None:
        """The file's value, or None where there is none; raises StoreFailed where it is no JSON."""
        return self.read_model(name, object)

    def read_model(self, name: str, model: type[T], remedy: str = _REMEDY, of: str | None = None) -> T | None:
        """The file's value as a `model`, or None where there is no file. `of` is the dataset that errors name.

        Raises StoreFailed where it is damaged, or of a newer version.
        """
        data = self.read_bytes(name)
        return None if data is None else from_stored(data, model, self._what(name, of), remedy)

    def _what(self, name: str, of: str | None = None) -> str:
        return f"{name} of {self.url}" + (f", of the dataset {of}," if of else "")

    def write_model(self, name: str, value: Stored) -> None:
        """Writes the value, with the number of its format where a version that does not know it must not read it."""
        number = {"format": value.FORMAT} if value.FORMAT > 1 else {}
        self.write_json(name, number | value.model_dump(mode="json"))

    def write_json(self, name: str, value: Any) -> None:
        self.write_bytes(name, canonical_json(value).encode())

    def write_table(self, kind: str, table: pa.Table) -> tuple[str, int]:
        """Writes `table` as parquet under `kind`; returns its content digest and its size in bytes."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        sink = pa.BufferOutputStream()
        # small tables that several stages read whole: lz4 opens them a third faster than zstd, at 1.4 times the size,
        # and dictionaries of columns with few repeats only take time
        pq.write_table(table, sink, compression="lz4", use_dictionary=False, write_statistics=False, store_schema=True)
        data = sink.getvalue().to_pybytes()
        name = digest_bytes(data)
        self.write_named(kind, name, data)
        return name, len(data)

    def write_named(self, kind: str, name: str, data: bytes) -> None:
        """Writes a parquet file under its digest, unless it is there; one that is damaged is mended so."""
        path = table_name(kind, name)
        if self.read_bytes(path) != data:
            self.write_bytes(path, data)

    def read_table(self, kind: str, name: str, columns: list[str] | None = None) -> pa.Table:
        """The table written under this digest; raises StoreFailed where it is missing or damaged."""
        with self.open_table(kind, name) as file:
            return file.read(columns=columns)

    def _open(self, name: str) -> Any:
        """A local file is opened by Arrow itself: many small tables are read, and each call through Python costs."""
        import pyarrow as pa

        return pa.OSFile(self.path(name)) if self.local else self.fs.open(self.path(name), "rb")

    @contextmanager
    def open_table(self, kind: str, name: str, of: str | None = None) -> Iterator[pq.ParquetFile]:
        """The parquet file itself, for reading it in batches. `of` is the dataset that errors name.

        Raises StoreFailed where the file is missing or damaged, also while it is read.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        path = table_name(kind, name)
        remedy = f"run `dynosaur backfill {of} --force`" if of else "run a backfill of its dataset with --force"
        try:
            # gathering the reads of a file pays only where each is a request
            with self._open(path) as raw, pq.ParquetFile(raw, pre_buffer=not self.local) as file:
                yield file
        except FileNotFoundError as error:
            message = f"{path} is missing from {self.url}: {remedy}"
            raise DynosaurError(Code.STORE_FAILED, message) from error
        except pa.ArrowException as error:
            raise damaged(f"{path} of {self.url}", remedy) from error
        except STORAGE_ERRORS as error:  # of a page that does not decompress Arrow says the same
            message = f"cannot read {path} in {self.url}: {error}; if it is damaged, {remedy}"
            raise DynosaurError(Code.STORE_FAILED, message) from error


def table_name(kind: str, name: str) -> str:
    """`rows/ab/abcd....parquet`; names are digests, never text from outside."""
    return f"{kind}/{name[:2]}/{name}.parquet"


@contextmanager
def written_whole(url: str) -> Iterator[IO[bytes]]:
    """A file of any fsspec URL, open for writing, that appears when the block ends well; `.gz` and such compress.

    Raises BadSetting where it cannot be written, or is a folder.
    """
    try:
        fs, path = fsspec.core.url_to_fs(url)
        if not url.strip() or url.endswith("/"):
            raise IsADirectoryError("it names a folder; give a file in it")
        if isinstance(fs, fsspec.implementations.local.LocalFileSystem):
            if Path(path).is_dir():
                raise IsADirectoryError("it is a folder; give a file in it")
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        raw = fs.open(path, "wb", autocommit=False)
    except (*STORAGE_ERRORS, ValueError, ImportError) as error:
        raise _unwritable(url, error) from error
    compress = fsspec.compression.compr[fsspec.utils.infer_compression(path)]
    try:
        with compress(raw, mode="wb") as file:
            yield file
        raw.close()
        raw.commit()
    except BaseException as error:
        raw.close()
        raw.discard()
        if isinstance(error, STORAGE_ERRORS):
            raise _unwritable(url, error) from error
        raise


def _unwritable(url: str, error: Exception) -> DynosaurError:
    return DynosaurError(Code.BAD_SETTING, f"{url} cannot be written: {error}")
