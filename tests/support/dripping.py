"""A server whose answers never end: they come byte by byte, or are only interim ones."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

PAUSE_S = 0.02
_GZIP = b"\x1f\x8b\x08\x10" + bytes(6)
"""A gzip header that a comment follows, up to a NUL."""
ANSWERS: dict[str, tuple[bytes, bytes]] = {
    "status line": (b"", b"H"),
    "header": (b"HTTP/1.1 200 OK\r\nX-A: ", b"a"),
    "headers": (b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n"),
    "interim": (b"", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"),
    "continue": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "body": (b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", b" "),
    "chunks": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n"),
    "packed body": (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 99999\r\n\r\n" + _GZIP, b"a"),
}
"""What is sent first, and again and again after it."""


@contextmanager
def dripping(kind: str) -> Iterator[str]:
    """The address of a server that answers every request so."""
    first, more = ANSWERS[kind]
    over = threading.Event()

    def answer(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.recv(65536)
            connection.sendall(first)
            while not over.wait(PAUSE_S):
                connection.sendall(more)

    def serve() -> None:
        while not over.is_set():
            with contextlib.suppress(OSError):
                threading.Thread(target=answer, args=(listener.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        over.set()
        with contextlib.suppress(OSError):
            socket.create_connection(listener.getsockname()).close()  # wakes the thread that accepts
