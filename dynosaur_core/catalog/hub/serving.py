"""A dataset of the Hub in the child process that parses it: its requests are made by the parent."""

from __future__ import annotations

import socket
from collections import UserDict
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa

from dynosaur_core.catalog.children import read_table
from dynosaur_core.catalog.hub.files import RemoteRepo
from dynosaur_core.catalog.hub.http import EntryMissingError, HubHttp, Request, Response
from dynosaur_core.catalog.hub.reading import HubSource
from dynosaur_core.catalog.hub.viewer import Viewer
from dynosaur_core.digest import canonical_json
from dynosaur_core.errors import Code
from dynosaur_core.models import DatasetRef
from dynosaur_core.protocols import Source
from dynosaur_core.reader.session import error_of
from dynosaur_core.reader.wire import Message, receive, send
from dynosaur_core.settings import Sampling


def open_hub(opening: dict[str, Any], connection: socket.socket) -> Source:
    """The source of one dataset, over the parent's client."""
    ref = DatasetRef.model_validate(opening["ref"])
    http = ParentHttp(connection, opening)
    repo = RemoteRepo(http, ref.repo_id, ref.revision)
    stream = partial(_streamed, connection)
    return HubSource(repo, Viewer(opening["viewer"]), stream, ref, opening["deadline_s"], Path(opening["folder"]))


class ParentHttp(HubHttp):
    """Makes no request itself."""

    def __init__(self, connection: socket.socket, opening: dict[str, Any]) -> None:
        self.endpoint, self.attempts, self.backoff_s = opening["endpoint"], opening["attempts"], opening["backoff_s"]
        self.unreachable = _Unreachable(connection, opening["unreachable"])
        self._connection = connection
        self._asked: set[str] = set()

    def once(self, request: Request) -> Response:
        """Whoever asks again could do nothing with the answer, and wants another one; a child that begins the dataset
        anew takes what an earlier one was told."""
        given = asdict(request)
        key = canonical_json({**given, "deadline": None})
        said, body = _ask(self._connection, "fetch", request=given, key=key, again=key in self._asked)
        self._asked.add(key)
        found = httpx.Headers([(name, text) for name, text in said["headers"]])
        return Response(said["status"], found, body, said["url"], said["next_url"], said["hops"])

    def pause(self, resource: str, seconds: float) -> None:
        _ask(self._connection, "pause", resource=resource, seconds=seconds)


class _Unreachable(UserDict[str, float]):
    """As HubHttp.unreachable; what is learnt here the parent knows too."""

    def __init__(self, connection: socket.socket, known: dict[str, float]) -> None:
        self.data, self._connection = dict(known), connection

    def __setitem__(self, url: str, until: float) -> None:
        self.data[url] = until
        _ask(self._connection, "unreachable", url=url, until=until)


def _streamed(connection: socket.socket, request: dict[str, str], sampling: Sampling, deadline: float) -> pa.Table:
    place = {"config": request["config"], "split": request["split"]}
    return read_table(_ask(connection, "stream", **place, sampling=sampling.model_dump(), deadline=deadline)[1])


def _ask(connection: socket.socket, wants: str, **given: Any) -> Message:
    """The parent's answer; raises the error that it met."""
    send(connection, {"wants": wants, **given})
    head, body = receive(connection)
    if "error" in head:
        error = error_of(head["error"])
        raise EntryMissingError(Code(error.code), error.message) if head["missing"] else error
    return head, body
