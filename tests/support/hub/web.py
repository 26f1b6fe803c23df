"""HTTP of the loopback Hub: requests, responses, and the handler that counts them and commits the faults."""

from __future__ import annotations

import json
import re
import socket
import struct
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from tests.support.hub.repos import Blob

if TYPE_CHECKING:
    from tests.support.hub.hub import LoopbackHub


@dataclass(frozen=True)
class Request:
    method: str
    target: str
    """Path and query as sent."""
    path: str
    """Still percent-encoded: a revision may hold %2F."""
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes
    user: str | None
    """Whose token it carries; None without one."""

    def first(self, name: str, default: str = "") -> str:
        return self.query.get(name, [default])[0]

    def json(self) -> Any:
        return json.loads(self.body or b"{}")


@dataclass
class Response:
    status: int = 200
    body: bytes | Blob = b""
    headers: dict[str, str] = field(default_factory=dict)

    @staticmethod
    def json(value: Any, status: int = 200, **headers: str) -> Response:
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        return Response(status, json.dumps(value).encode(), {"Content-Type": "application/json", **named})


class HubError(Exception):
    """An answer of the Hub that is an error, with its X-Error-Code and X-Error-Message."""

    def __init__(self, status: int, code: str | None, message: str, **extra: Any) -> None:
        super().__init__(status, code, message)
        self.status, self.code, self.message, self.extra = status, code, message, extra

    def response(self) -> Response:
        headers = {"X-Error-Message": self.message.encode("ascii", "replace").decode().replace("\n", " ")}
        if self.code:
            headers["X-Error-Code"] = self.code
        response = Response.json({"error": self.message, **self.extra}, self.status)
        response.headers |= headers
        return response


def ranged(response: Response, header: str | None) -> Response:
    """The response cut to a Range header; 416 where the range lies outside."""
    match = re.fullmatch(r"bytes=(\d*)-(\d*)", (header or "").strip())
    if response.status != 200 or match is None or match.group(0) == "bytes=-":
        return response
    blob = response.body if isinstance(response.body, Blob) else Blob(response.body)
    first, last = match.groups()
    start = int(first) if first else max(blob.size - int(last), 0)
    end = min(int(last) + 1, blob.size) if first and last else blob.size
    if start >= blob.size or start >= end:
        return Response(416, b"", {"Content-Range": f"bytes */{blob.size}"})
    headers = {**response.headers, "Content-Range": f"bytes {start}-{end - 1}/{blob.size}"}
    return Response(206, blob.read(start, end), headers)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    hub: LoopbackHub

    def do_GET(self) -> None:
        request = self._read()
        endpoint, view = self.hub.route(request)
        fault = self.hub.faults.choose(endpoint, request.method, request.target)
        kind = fault.kind if fault else ""
        if fault and kind.isdigit():  # refused before anything was done
            response = HubError(int(kind), None, HTTPStatus(int(kind)).phrase).response()
            if kind == "429":
                response.headers["Retry-After"] = f"{fault.retry_after:g}"
        else:  # done, but the answer does not arrive whole
            response = self.hub.answer(endpoint, view, request)
        if kind == "garbage":
            response.body = b"\x00\xff<html>\x9c not what you asked for" * 7
        if kind in ("reset", "hang"):
            self.hub.count(endpoint, request, 0, 0)
            if kind == "hang":
                self.hub.closing.wait()
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            return
        self._send(endpoint, request, response, kind == "truncated")

    do_HEAD = do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815

    def _read(self) -> Request:
        headers = {name.lower(): value for name, value in self.headers.items()}
        if headers.get("transfer-encoding", "").lower() == "chunked":
            body = b"".join(iter(self._chunk, b""))
        else:
            body = self.rfile.read(int(headers.get("content-length", 0)))
        split = urlsplit(self.path)
        query = parse_qs(split.query, keep_blank_values=True)
        user = self.hub.user(headers.get("authorization"))
        return Request(self.command, self.path, split.path, query, headers, body, user)

    def _chunk(self) -> bytes:
        size = int(self.rfile.readline().split(b";")[0], 16)
        data = self.rfile.read(size)
        self.rfile.readline()
        return data

    def _send(self, endpoint: str, request: Request, response: Response, cut: bool) -> None:
        """Counts and sends the response; or half of it, and then the end of the connection."""
        blob = response.body if isinstance(response.body, Blob) else Blob(response.body)
        length = 0 if request.method == "HEAD" else blob.size
        lines = [f"HTTP/1.1 {response.status} {HTTPStatus(response.status).phrase}"]
        headers = {"Content-Length": str(blob.size), **response.headers}
        lines += [f"{name}: {value}" for name, value in headers.items()]
        head = "\r\n".join([*lines, "", ""]).encode("latin-1")
        end = length // 2 if cut else length
        self.close_connection = self.close_connection or cut
        self.hub.count(endpoint, request, response.status, len(head) + end)  # before the client can look
        self.wfile.write(head + blob.read(0, min(end, 1 << 20)))
        for start in range(1 << 20, end, 1 << 20):
            self.wfile.write(blob.read(start, min(end, start + (1 << 20))))

    def log_message(self, format: str, *args: Any) -> None:
        """Requests are in `LoopbackHub.log`, not on stderr."""


_ports: set[int] = set()


def _fresh_port() -> int:
    """A free port that no Hub of this process has had: clients remember by address what a server holds."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        if port not in _ports:
            _ports.add(port)
            return port


class Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, port: int, hub: LoopbackHub) -> None:
        super().__init__(("127.0.0.1", port or _fresh_port()), type("HubHandler", (Handler,), {"hub": hub}))
        self._open: set[socket.socket] = set()

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        # After SO_LINGER 0 only close() resets: shutdown() would end the connection politely.
        if request.fileno() >= 0 and request.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8)[:1] != b"\x01":
            super().shutdown_request(request)
        else:
            request.close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that went away are no error of the Hub's."""

    def drop_connections(self) -> None:
        for connection in list(self._open):
            self._open.discard(connection)
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # it closed by itself meanwhile
