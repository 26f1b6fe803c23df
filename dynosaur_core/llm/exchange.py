"""A deadline and a size for a whole exchange with an endpoint, headers and informational responses included.

The timeouts of an HTTP client hold for each read: an endpoint that sends a header, or a 103, now and then would never
meet one. Here every read of a socket is held against the exchange in which its thread is.
"""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import httpcore2
import httpx2


class _Exchange(threading.local):
    """What this thread's exchange may still take; no exchange, no bounds."""

    until: float | None = None
    bytes_left: int = 0


_exchange = _Exchange()


@contextmanager
def within(seconds: float, max_bytes: int) -> Iterator[None]:
    """Whatever this thread reads meanwhile is a read timeout after `seconds`, a read error after `max_bytes`."""
    _exchange.until, _exchange.bytes_left = time.monotonic() + seconds, max_bytes
    try:
        yield
    finally:
        _exchange.until = None


def bounded(client: httpx2.Client) -> httpx2.Client:
    """The client, whose connections keep to `within`; of compressed error bodies it reads no more than the bytes."""
    for transport in (client._transport, *client._mounts.values()):
        pool = getattr(transport, "_pool", None)  # no public way leads there; the tests would notice another name
        if pool is not None:
            pool._network_backend = _Backend(pool._network_backend)
    client.event_hooks = {"response": [_leave_packed]}
    return client


def _leave_packed(response: httpx2.Response) -> None:
    if response.is_error:
        response.headers.pop("content-encoding", None)


class _Backend(httpcore2.NetworkBackend):
    def __init__(self, inner: httpcore2.NetworkBackend) -> None:
        self._inner = inner

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        left = _left(timeout)
        return _Stream(self._inner.connect_tcp(host, port, left, local_address, socket_options))

    def sleep(self, seconds: float) -> None:
        self._inner.sleep(seconds)


class _Stream(httpcore2.NetworkStream):
    def __init__(self, inner: httpcore2.NetworkStream) -> None:
        self._inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        data = self._inner.read(max_bytes, _left(timeout))
        if _exchange.until is not None:
            _exchange.bytes_left -= len(data)
            if _exchange.bytes_left < 0:
                raise httpcore2.ReadError("the endpoint sends more than an answer can be")
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, _left(timeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, _left(timeout)))

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


def _left(timeout: float | None) -> float | None:
    if _exchange.until is None:
        return timeout
    left = _exchange.until - time.monotonic()
    if left <= 0:
        raise httpcore2.ReadTimeout("the exchange took too long")
    return left if timeout is None else min(timeout, left)
