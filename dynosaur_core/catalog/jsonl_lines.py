"""The lines of an export, within limits: long ones are not held, and packed files may not swell without an end."""

from __future__ import annotations

import io
import json
import re
import tempfile
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import fsspec

from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.plain_json import read_json
from dynosaur_core.scratch import scratch_folder
from dynosaur_core.store import STORAGE_ERRORS

MAX_LINE_BYTES = 32_000_000
_BEGINNING = 4_096
"""Bytes of a line that cannot be read in which its name is looked for."""
_NAME = re.compile(r'\s{0,99}\{\s{0,99}"task_name"\s{0,99}:\s{0,99}("(?:[^"\\]|\\.){1,1000}")')
_CHUNK = 1 << 20
_BLOW_UP, _UNPACKED = 100, 256_000_000
"""A packed file may unpack to this many times its size, or to this many bytes."""


def open_file(url: str) -> IO[bytes]:
    """The file at any fsspec URL, or a path; raises BadCatalog."""
    try:
        file: Any = fsspec.open(url, "rb").open()
    except (*STORAGE_ERRORS, ValueError, ImportError) as error:
        raise DynosaurError(Code.BAD_CATALOG, f"{url} cannot be read: {error}") from error
    if isinstance(file, fsspec.spec.AbstractBufferedFile):
        return io.BufferedReader(file, _CHUNK)  # whose readline knows a limit
    opened: IO[bytes] = file
    return opened


def lines_of(file: IO[bytes]) -> Iterator[tuple[int, int, bytes, int]]:
    """Number from 1, offset in bytes, the line, and its bytes; blank ones are left out. Of a line that is too long only
    the beginning is held."""
    offset = number = 0
    while line := file.readline(MAX_LINE_BYTES + 1):
        number, size = number + 1, len(line)
        if size > MAX_LINE_BYTES:
            ended, line = line.endswith(b"\n"), line[:_BEGINNING]
            while not ended and (more := file.readline(_CHUNK)):
                ended, size = more.endswith(b"\n"), size + len(more)
        if line.strip():
            yield number, offset, line, size
        offset += size


def unpack(url: str) -> IO[bytes] | None:
    """A temporary copy of a compressed file, in which lines can be found by their offset; None for any other."""
    if fsspec.utils.infer_compression(url) is None:
        return None
    copy: IO[bytes] = tempfile.NamedTemporaryFile(suffix=".jsonl", dir=scratch_folder(), delete=False)  # noqa: SIM115
    weakref.finalize(copy, Path(copy.name).unlink, missing_ok=True)  # it lives as long as the catalogue
    try:
        fs, path = fsspec.core.url_to_fs(url)
        most = max(_BLOW_UP * (fs.size(path) or 0), _UNPACKED)
        with fsspec.open(url, "rb", compression="infer") as packed:
            while data := packed.read(_CHUNK):
                copy.write(data)
                if copy.tell() > most:
                    message = f"{url} unpacks to more than {_BLOW_UP} times its size"
                    raise DynosaurError(Code.BAD_CATALOG, message)
    except (*STORAGE_ERRORS, EOFError, ValueError, ImportError) as error:
        raise DynosaurError(Code.BAD_CATALOG, f"{url} cannot be read: {error}") from error
    copy.flush()
    return copy


def facts_of(line: bytes, size: int, place: str) -> dict[str, Any]:
    if size > MAX_LINE_BYTES:
        raise DynosaurError(Code.TOO_LARGE, f"{place} is longer than {MAX_LINE_BYTES:,} bytes")
    try:
        found = read_json(line, MAX_LINE_BYTES)
    except ValueError as error:
        raise DynosaurError(Code.BAD_CATALOG, f"{place} is not JSON: {error}") from error
    if not isinstance(found, dict) or not is_name(found.get("task_name")):
        raise DynosaurError(Code.BAD_CATALOG, f"{place} has no task_name")
    return found


def beginning_of(line: bytes) -> dict[str, Any]:
    """The name of a line that cannot be read, which comes first in it; empty where it does not."""
    match = _NAME.match(line[:_BEGINNING].decode("utf-8", "replace"))
    try:
        name = json.loads(match[1]) if match else None
    except ValueError:
        return {}
    return {"task_name": name} if is_name(name) else {}


def is_name(value: Any) -> bool:
    return isinstance(value, str) and value.strip() != ""
