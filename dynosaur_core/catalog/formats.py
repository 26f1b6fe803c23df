"""What `datasets` finds in a folder: which formats are only data, and what their parsers say when they cannot read."""

from __future__ import annotations

import csv
import lzma
import re
import traceback
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import yaml
from datasets.exceptions import DatasetGenerationError, DatasetsError
from datasets.table import CastError

from dynosaur_core.errors import Code, DynosaurError

_POINTER = b"version https://git-lfs.github.com/spec/"
_POINTER_BYTES = 1_024
FORMATS = {"parquet", "json", "csv", "text", "arrow"}
"""Packaged modules of `datasets` that only read data."""
READ_ERRORS = (
    OSError,
    ValueError,
    TypeError,
    KeyError,
    NotImplementedError,
    pa.ArrowException,
    yaml.YAMLError,
    DatasetsError,
    DatasetGenerationError,
    EOFError,
    csv.Error,
    lzma.LZMAError,
    zipfile.BadZipFile,
    zlib.error,
)
"""What `datasets` and its parsers are known to raise for files and cards that they cannot read."""


class UnparsableError(ValueError):
    """What a parser raised that is not among `READ_ERRORS`, in one line."""


@contextmanager
def parsing() -> Iterator[None]:
    """The wall around calls into `datasets`, pandas and pyarrow that read a stranger's card or files.

    Whatever they raise there is the fault of what they read, and becomes one of `READ_ERRORS`. Only their calls
    belong inside: what our own code raises is a bug.
    """
    try:
        yield
    except (DynosaurError, MemoryError, RecursionError, *READ_ERRORS):
        raise
    except Exception as error:  # parsers raise what they like
        raise UnparsableError(first_line(error)) from error


def module_of(builder: Any) -> str:
    """`json` for a builder of datasets.packaged_modules.json.json."""
    for base in type(builder).__mro__:
        if base.__module__.startswith("datasets.packaged_modules."):
            return base.__module__.split(".")[2]
    return "script"


def check_pointers(files: Iterable[Any]) -> None:
    """Raises LfsPointer for a file that only says where Git LFS keeps its content."""
    for path in map(Path, map(str, files)):
        if path.is_file() and path.stat().st_size <= _POINTER_BYTES:
            with path.open("rb") as file:
                if file.read(len(_POINTER)) == _POINTER:
                    raise DynosaurError(Code.LFS_POINTER, f"{path.name} is a pointer of Git LFS, not the file itself")


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error, and what it came of, one after the other."""
    seen: list[BaseException] = []
    while error is not None and error not in seen:
        yield error
        seen.append(error)
        error = error.__cause__ or error.__context__


def is_memory(error: BaseException) -> bool:
    """Whether memory was what it lacked, whatever the parser made of it."""
    return any(
        isinstance(cause, MemoryError | pa.ArrowMemoryError) or "out of memory" in str(cause).lower()
        for cause in causes(error)
    )


def uncaught(error: Exception) -> DynosaurError:
    """What ended the reading of a dataset, by our codes: of an error that nobody has foreseen, its place too."""
    if isinstance(error, DynosaurError):
        return error
    if isinstance(error, RecursionError):
        return DynosaurError(Code.UNREADABLE_FILES, "its files hold values that are nested too deeply")
    place = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{Path(place.filename).name}:{place.lineno}"
    return DynosaurError(Code.UNEXPECTED, f"{type(error).__name__}: {error} ({where})"[:500])


def first_line(error: BaseException) -> str:
    """The innermost cause in one line, without the folders of this machine."""
    while error.__cause__ is not None:
        error = error.__cause__
    said = str(error).strip().splitlines()
    text = said[0] if said else ""
    if isinstance(error, CastError):  # its first line says nothing
        text = f"{text}: {error.details()}"
    text = _FOLDERS.sub("", text)
    return f"{type(error).__name__}: {text[:300]}" if text else type(error).__name__


_FOLDERS = re.compile(r"(?<![^\s'\"(\[:,=])(?:file:/{2})?/(?:[^/\s'\"]{1,255}/){1,64}")
"""The folders of an absolute path."""
