"""A deadline and a size for a whole exchange over HTTP, and numbers of servers within bounds.

The timeouts of HTTP clients begin anew with every piece that arrives: a server that sends one byte of a header every
few seconds, or interim responses (103) without an end, is never met by one. Here every read and write of a connection
gets the time that is left of the exchange, and every read counts, headers included.
"""

from __future__ import annotations

import math
import re
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
    """Bounds of the exchanges of this thread."""

    deadline: float = math.inf
    """In seconds of `time.monotonic()`."""
    bytes_left: float = math.inf


_local = _Local()


@contextmanager
def within(deadline: float, max_bytes: float = math.inf) -> Iterator[None]:
    """Exchanges of this thread, by a client that is `bounded`, end at `deadline` (`time.monotonic()` seconds) with the
    client's own timeout error, and after `max_bytes` with its read error."""
    before = _local.deadline, _local.bytes_left
    _local.deadline, _local.bytes_left = min(before[0], deadline), min(before[1], max_bytes)
    try:
        yield
    finally:
        _local.deadline, _local.bytes_left = before


def bounded(client: Any) -> Any:
    """The httpx or httpx2 client, whose connections keep the bounds of `within`. To do so twice does no harm."""
    for transport in (client._transport, *client._mounts.values()):
        pool = getattr(transport, "_pool", None)  # no public way leads there; the tests would notice another name
        if pool is not None and not isinstance(pool._network_backend, _Backend):
            core = sys.modules[type(pool).__module__.split(".", maxsplit=1)[0]]  # httpcore or httpcore2
            pool._network_backend = _Backend(pool._network_backend, core)
    return client


class _Bounded:
    """Stands before a network stream or backend of `core`, the package httpcore or httpcore2."""

    def __init__(self, inner: Any, core: Any) -> None:
        self._inner, self._core = inner, core

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def _left(self, timeout: float | None) -> float | None:
        left = _local.deadline - time.monotonic()
        if left <= 0:
            raise self._core.ReadTimeout("the whole exchange took longer than allowed")
        return left if timeout is None and left < math.inf else timeout if timeout is None else min(timeout, left)


class _Stream(_Bounded):
    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        data: bytes = self._inner.read(max_bytes, timeout=self._left(timeout))
        _local.bytes_left -= len(data)
        if _local.bytes_left < 0:
            raise self._core.ReadError("the server sends more than the whole exchange may hold")
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, timeout=self._left(timeout))

    def start_tls(self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None) -> _Stream:
        inner = self._inner.start_tls(ssl_context, server_hostname, timeout=self._left(timeout))
        return _Stream(inner, self._core)


class _Backend(_Bounded):
    def connect_tcp(self, host: str, port: int, timeout: float | None = None, **options: Any) -> _Stream:
        inner = self._inner.connect_tcp(host, port, timeout=self._left(timeout), **options)
        return _Stream(inner, self._core)


def number_within(digits: str, most: int) -> int:
    """The number that these digits write, at most `most`; however many there are."""
    digits = digits.lstrip("0")
    return min(int(digits or 0), most) if len(digits) <= len(str(most)) else most


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, at most LONGEST_WAIT_S, as `retry-after-ms` or Retry-After says; None where neither does."""
    value = headers.get("retry-after", "").strip()[:100]
    ms = _number(headers.get("retry-after-ms", "")[:100])
    found = ms / 1000 if ms is not None else next((s for read in _FORMS if (s := read(value)) is not None), None)
    return None if found is None else min(max(0.0, found), LONGEST_WAIT_S)


def duration(text: str) -> float | None:
    """Seconds of a duration as headers write it: `20`, `1s`, `6m0s`, `120ms`; None where it is none."""
    text = text[:40]
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)", text)
    units = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
    return sum(float(number) * units[unit] for number, unit in parts) if parts else None


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return None if math.isnan(value) else value


def _until(date: str) -> float | None:
    try:
        return (parsedate_to_datetime(date) - datetime.now(UTC)).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return None


_FORMS = (_number, _until, duration)
"""How a Retry-After may be written."""
