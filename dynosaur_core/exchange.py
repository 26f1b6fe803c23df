"""A deadline for a whole exchange over HTTP, and numbers of servers within bounds.

The timeouts of HTTP clients begin anew with every piece that arrives: a server that sends one byte of a header every
few seconds, or interim responses (103) without an end, is never met by one. Here every read and write of a connection
gets the time that is left of the exchange.
"""

from __future__ import annotations

import math
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

LONGEST_WAIT_S = 900.0
"""The most that a server can make its client wait before the next request."""


class _Local(threading.local):
    deadline: float = math.inf
    """In seconds of `time.monotonic()`, for the exchanges of this thread."""


_local = _Local()


@contextmanager
def within(deadline: float) -> Iterator[None]:
    """Exchanges of this thread, by a client that is `bounded`, end at `deadline` (`time.monotonic()` seconds) with the
    client's own timeout error."""
    before = _local.deadline
    _local.deadline = min(before, deadline)
    try:
        yield
    finally:
        _local.deadline = before


def bounded(client: Any) -> Any:
    """The httpx or httpx2 client, whose connections keep the deadlines of `within`. To do so twice does no harm."""
    for transport in (client._transport, *client._mounts.values()):
        pool = getattr(transport, "_pool", None)
        if pool is not None and not isinstance(pool._network_backend, _Backend):
            core = sys.modules[type(pool).__module__.split(".", maxsplit=1)[0]]  # httpcore or httpcore2
            pool._network_backend = _Backend(pool._network_backend, core.ReadTimeout)
    return client


class _Bounded:
    """Stands before a network stream or backend."""

    def __init__(self, inner: Any, timed_out: type[Exception]) -> None:
        self._inner, self._timed_out = inner, timed_out

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def _left(self, timeout: float | None) -> float | None:
        left = _local.deadline - time.monotonic()
        if left <= 0:
            raise self._timed_out("the whole exchange took longer than allowed")
        return left if timeout is None and left < math.inf else timeout if timeout is None else min(timeout, left)


class _Stream(_Bounded):
    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        data: bytes = self._inner.read(max_bytes, timeout=self._left(timeout))
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, timeout=self._left(timeout))

    def start_tls(self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None) -> _Stream:
        inner = self._inner.start_tls(ssl_context, server_hostname, timeout=self._left(timeout))
        return _Stream(inner, self._timed_out)


class _Backend(_Bounded):
    def connect_tcp(self, host: str, port: int, timeout: float | None = None, **options: Any) -> _Stream:
        inner = self._inner.connect_tcp(host, port, timeout=self._left(timeout), **options)
        return _Stream(inner, self._timed_out)


def number_within(digits: str, most: int) -> int:
    """The number that these digits write, at most `most`; however many there are."""
    digits = digits.lstrip("0")
    return min(int(digits or 0), most) if len(digits) <= len(str(most)) else most


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, at most LONGEST_WAIT_S, as a Retry-After header tells; None where it tells nothing."""
    value = headers.get("retry-after", "").strip()[:100]
    try:
        seconds = float(value)
    except ValueError:  # the other form is a date
        try:
            seconds = (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds()
        except (ValueError, TypeError, OverflowError):
            return None
    return None if math.isnan(seconds) else min(max(0.0, seconds), LONGEST_WAIT_S)
