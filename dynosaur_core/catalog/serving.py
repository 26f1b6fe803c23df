"""What a child process does: it opens the source of one dataset at a time and answers what is asked of it."""

from __future__ import annotations

import logging
import os
import socket
from pathlib import Path
from typing import Any

import pyarrow as pa

from dynosaur_core.catalog.children import said_subset, table_bytes
from dynosaur_core.catalog.files import FolderSource
from dynosaur_core.catalog.formats import is_memory, uncaught
from dynosaur_core.catalog.hub.serving import open_hub
from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.logs import ROOT
from dynosaur_core.models import Split
from dynosaur_core.protocols import Source, SourceSubset
from dynosaur_core.reader.limits import data_bytes, limit_memory
from dynosaur_core.reader.session import said_of
from dynosaur_core.reader.wire import Message, receive, send
from dynosaur_core.reading.valid import valid_texts
from dynosaur_core.settings import Sampling


class _ToParent(logging.Handler):
    """Hands what is logged here to the parent, whose log shows it: this process has none."""

    def __init__(self, connection: socket.socket) -> None:
        super().__init__()
        self._connection = connection

    def emit(self, record: logging.LogRecord) -> None:
        area = record.name.removeprefix(f"{ROOT.name}.")
        send(self._connection, {"log": record.levelno, "area": area, "message": record.getMessage()})


_THREADS = 2
_BLOW_UP = 8
"""Times sampling.max_bytes that a sample may take on its way; its rows are weighed where it arrives."""


class _Opened:
    """The source of one session."""

    def __init__(self, opening: dict[str, Any], connection: socket.socket) -> None:
        self.session = opening["session"]
        self.source: Source = _KINDS[opening["kind"]](opening, connection)
        self._found: dict[str, SourceSubset] | None = None

    def subsets(self) -> dict[str, SourceSubset]:
        if self._found is None:
            self._found = {subset.config: subset for subset in self.source.subsets()}
        return self._found


def _open_folder(opening: dict[str, Any], _connection: socket.socket) -> Source:
    return FolderSource(Path(opening["folder"]), opening["repo_id"], Path(opening["scratch"]))


_KINDS = {"folder": _open_folder, "hub": open_hub}


def serve(connection: socket.socket) -> None:
    """Answers until the parent closes the connection."""
    pa.set_cpu_count(_THREADS)
    pa.set_io_thread_count(_THREADS)
    ROOT.addHandler(_ToParent(connection))
    taken = data_bytes()
    opened: _Opened | None = None
    while True:
        try:
            asked, _ = receive(connection)
        except EOFError:
            return
        opening = asked["opening"]
        limit_memory(taken, opening["memory"])
        last = False
        try:
            if opened is None or opened.session != opening["session"]:
                opened = None
                opened = _Opened(opening, connection)
            head, body = _METHODS[asked["method"]](opened, asked)
        except EOFError:
            return
        except Exception as error:  # noqa: BLE001, every cause goes to the parent by its code
            last = is_memory(error)
            head, body = {"error": said_of(_too_large(opening["memory"]) if last else uncaught(error))}, b""
        if opened is not None:
            head["requests"] = getattr(opened.source, "requests", 0)
        send(connection, {**head, "last": last}, body)
        if last:
            os._exit(0)


def _too_large(max_bytes: int) -> DynosaurError:
    # this process ends with it, and so does the dataset: TooLarge would be one config's alone
    return DynosaurError(Code.READER_DIED, f"reading its files takes more than {max_bytes:,} bytes of memory")


def _card(opened: _Opened, _asked: dict[str, Any]) -> Message:
    return {"text": opened.source.card()}, b""


def _subsets(opened: _Opened, _asked: dict[str, Any]) -> Message:
    return {"subsets": [said_subset(subset) for subset in opened.subsets().values()]}, b""


def _sample(opened: _Opened, asked: dict[str, Any]) -> Message:
    sampling, split = Sampling.model_validate(asked["sampling"]), Split.model_validate(asked["split"])
    table = valid_texts(opened.source.sample(opened.subsets()[asked["config"]], split, sampling))
    if table.nbytes > _BLOW_UP * sampling.max_bytes:
        raise DynosaurError(Code.TOO_LARGE, f"{len(table)} sampled rows take {table.nbytes:,} bytes")
    try:
        return {}, table_bytes(table)
    except pa.ArrowInvalid as error:  # its types are nested deeper than the format allows
        raise DynosaurError(Code.UNREADABLE_FILES, f"its rows cannot be passed on: {error}"[:300]) from error


_METHODS = {"card": _card, "subsets": _subsets, "sample": _sample}
