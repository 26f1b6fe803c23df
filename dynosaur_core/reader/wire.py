"""Messages between a process and its child: a JSON object, and bytes beside it. Nothing that arrives is executed."""

from __future__ import annotations

import json
import socket
import struct
import time
from typing import Any

_LENGTHS = struct.Struct(">IQ")
MAX_BODY = 1 << 30
Message = tuple[dict[str, Any], bytes]


def send(connection: socket.socket, head: dict[str, Any], body: bytes = b"") -> None:
    data = json.dumps(head).encode()
    connection.settimeout(None)
    connection.sendall(_LENGTHS.pack(len(data), len(body)) + data)
    if body:
        connection.sendall(body)


def receive(connection: socket.socket, deadline: float | None = None) -> Message:
    """The next message. Raises EOFError where the other side is gone, TimeoutError at `deadline` (`time.monotonic()`
    seconds)."""
    head, body = _LENGTHS.unpack(_exactly(connection, _LENGTHS.size, deadline))
    if body > MAX_BODY:
        raise EOFError("a message is longer than any that is sent")
    return json.loads(_exactly(connection, head, deadline)), _exactly(connection, body, deadline)


def _exactly(connection: socket.socket, size: int, deadline: float | None) -> bytes:
    data = bytearray(size)
    view, filled = memoryview(data), 0
    while filled < size:
        left = None if deadline is None else deadline - time.monotonic()
        if left is not None and left <= 0:
            raise TimeoutError
        connection.settimeout(left)
        try:
            count = connection.recv_into(view[filled:])
        except ConnectionError as error:
            raise EOFError from error
        if not count:
            raise EOFError
        filled += count
    return bytes(data)
