"""Predictions as they come: JSON lines that a killed evaluation goes on from."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.models import Stored
from dynosaur_core.stored import as_stored
from dynosaur_core.text import Said


class Predicted(Stored):
    """A line: what a model wrote for a prompt."""

    id: str
    """Of the instance."""
    task: str
    prompt: str
    """Digest of the prompt, by which a prediction is found again."""
    prediction: Said
    error: Said = ""
    """Why there is none, where the model refused this prompt."""


def kept(path: Path) -> dict[str, Predicted]:
    """prompt digest -> what was predicted; empty where there is no file. A last line that was cut off does not count.

    Raises StoreFailed for a file that was changed since.
    """
    try:
        lines = path.read_bytes().split(b"\n")[:-1]
    except FileNotFoundError:
        return {}
    return {line.prompt: line for line in map(_read, lines, [str(path)] * len(lines))}


def _read(line: bytes, path: str) -> Predicted:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DynosaurError(Code.STORE_FAILED, f"{path} is damaged: remove it, and evaluate anew") from error
    return as_stored(value, Predicted, path, "remove it, and evaluate anew")


class Journal:
    """Appends lines, each of which is whole or is not read."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> Journal:
        self._file: IO[bytes] = self._path.open("ab")
        end = self._path.read_bytes().rfind(b"\n") + 1
        self._file.truncate(end)  # what a kill left of a line
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, lines: Iterator[Predicted]) -> None:
        """Lines that are kept from now on, whatever happens to this process."""
        for line in lines:
            self._file.write(json_line(line.model_dump(mode="json", exclude_defaults=True)))
        self._file.flush()


def json_line(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode() + b"\n"
