"""Stops all calls to an endpoint that is dead or refuses the key: within seconds, and with one message."""

from __future__ import annotations

import threading
import time

from dynosaur_core import stopping
from dynosaur_core.errors import Code, DynosaurError, Endpoint
from dynosaur_core.logs import logger

DEAD_AFTER_S = 3.0
"""Seconds of failing connections, with no response in between, after which an endpoint counts as dead."""
SILENT_TIMEOUTS = 4
"""As many timeouts' worth of silence mean the same."""
TRY_AGAIN_S = 30.0
"""After it, one request tries a dead endpoint again; a refused key is not tried again."""

_LOG = logger("llm")


class CircuitBreaker:
    """One per endpoint; safe to share between threads. What an error says of the endpoint is its policy's `endpoint`.

    closed      requests pass. It opens at once when the key or quota is refused, and after some seconds of silence.
    open        every request raises the error that opened it.
    half-open   `try_again_s` later one request passes: a response closes the breaker, silence opens it again.
    """

    def __init__(self, timeout_s: float, *, try_again_s: float = TRY_AGAIN_S) -> None:
        self._silence_s = {Code.MODEL_UNREACHABLE: DEAD_AFTER_S, Code.MODEL_TIMED_OUT: SILENT_TIMEOUTS * timeout_s}
        self._try_again_s = try_again_s
        self._lock = threading.Lock()
        self._open = threading.Event()
        self._error: DynosaurError | None = None
        self._try_at = float("inf")
        self._silent_since: float | None = None

    def check(self, *, sending: bool = False) -> None:
        """Raises the error that opened the breaker, if one did. Half-open it lets the first request pass that is about
        to be sent (`sending`)."""
        with self._lock:
            if self._error is None:
                return
            if time.monotonic() < self._try_at:
                raise DynosaurError(self._error.code, self._error.message)
            if sending:
                self._try_at = time.monotonic() + self._try_again_s

    def responded(self) -> None:
        """The endpoint lives: any response but a refused key or quota."""
        with self._lock:
            if self._error is not None:
                _LOG.info("circuit breaker closes: the endpoint responds again")
            self._silent_since, self._error, self._try_at = None, None, float("inf")
            self._open.clear()

    def failed(self, error: DynosaurError) -> None:
        """Counts an error that came in the place of an answer."""
        says = error.policy.endpoint
        if says is Endpoint.RESPONDS:
            self.responded()
        with self._lock:
            now = time.monotonic()
            if says is Endpoint.CLOSED:
                self._stop(error, float("inf"))
            elif says is Endpoint.SILENT:
                self._silent_since = self._silent_since or now
                if now - self._silent_since >= self._silence_s[error.code]:
                    self._stop(error, now + self._try_again_s)

    def sleep(self, seconds: float) -> None:
        """Waits, but no longer than until the calls are stopped."""
        stopping.wait(self._open, seconds)

    def _stop(self, error: DynosaurError, try_at: float) -> None:
        if self._error is None:
            self._error = error
            again = f"one request tries again in {self._try_again_s:.0f} s" if try_at < float("inf") else "for good"
            _LOG.warning("circuit breaker opens, %s: %s", again, error)
        self._try_at = try_at
        self._open.set()
