"""How fast the endpoint is asked: in flight, requests and tokens a minute, and pauses that it asks for.

One `RateLimiter` serves all threads of a process. It begins with the limits of the settings, learns those of its
endpoint from headers, and halves what is in flight when the endpoint pushes back.
"""

from __future__ import annotations

import math
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from dynosaur_core import stopping
from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.exchange import LONGEST_WAIT_S, duration
from dynosaur_core.logs import logger
from dynosaur_core.settings import Llm

_LOG = logger("llm")

HEADROOM = 1.02
"""Spacing of requests is this much wider than the limit, so that jitter does not press two into one."""
_LEAST = {"requests": 1.0, "tokens": 1_000.0}
"""Limits a minute below these are not believed: a single request would wait for hours."""
_TOKEN_BURST_S = 5.0
"""Seconds' worth of tokens that may be sent at once."""


class Rate:
    """At most `per_minute` units, evenly spaced with a burst of `burst_s` seconds' worth (GCRA). Not locked."""

    def __init__(self, per_minute: float | None, burst_s: float = 0.0) -> None:
        self.per_minute = per_minute
        self.burst_s = burst_s
        self._next = 0.0

    def ready_at(self) -> float:
        """Monotonic time from which the next unit may go."""
        return 0.0 if self.per_minute is None else self._next - self.burst_s

    def take(self, amount: float, now: float) -> None:
        """Books `amount`; a negative one gives back what was booked too much."""
        if self.per_minute:
            start = max(self._next, now) if amount > 0 else self._next
            self._next = start + amount * 60.0 * HEADROOM / self.per_minute


@dataclass(eq=False)
class _Waiter:
    owner: str


class RateLimiter:
    """Turns for requests: the dataset with the fewest in flight goes first, then the one that waited longest.

    A thread that wants a turn joins the queue and waits until it is first in it, a place is free, and the moment has
    come (`_wait_s`). Whatever changes one of these wakes all who wait, and each looks again.
    """

    def __init__(self, llm: Llm) -> None:
        self.max_in_flight = llm.max_in_flight
        self.allowed = float(llm.max_in_flight)
        """In flight at present: halved when the endpoint pushes back, up again by one a round."""
        self._requests = Rate(llm.requests_per_minute)
        self._tokens = Rate(llm.tokens_per_minute, _TOKEN_BURST_S)
        self._learning = {"requests": self._requests, "tokens": self._tokens}
        self._fixed = {name for name, rate in self._learning.items() if rate.per_minute is not None}
        self._changed = threading.Condition()
        self._waiting: list[_Waiter] = []
        self._in_flight: Counter[str] = Counter()
        self._resume_at = 0.0

    @contextmanager
    def turn(self, owner: str, tokens: int) -> Iterator[None]:
        """Waits for a turn of `owner` with about `tokens`, and holds it."""
        with self._changed:
            self._queue(owner)
            now = time.monotonic()
            self._in_flight[owner] += 1
            self._requests.take(1, now)
            self._tokens.take(tokens, now)
        try:
            yield
        finally:
            with self._changed:
                self._in_flight[owner] -= 1
                self._in_flight += Counter()  # drops owners with none
                self._changed.notify_all()

    def _queue(self, owner: str) -> None:
        waiter = _Waiter(owner)
        self._waiting.append(waiter)
        try:
            while (wait_s := self._wait_s(waiter)) > 0:
                stopping.wait(self._changed, wait_s)
        finally:
            self._waiting.remove(waiter)
            self._changed.notify_all()  # another one is first now

    def _wait_s(self, waiter: _Waiter) -> float:
        """Seconds until the turn of `waiter`; infinite while another one is first or no place is free."""
        first = min(self._waiting, key=lambda each: self._in_flight[each.owner])
        if waiter is not first or self._in_flight.total() >= int(self.allowed):
            return math.inf
        return max(self._resume_at, self._requests.ready_at(), self._tokens.ready_at()) - time.monotonic()

    def failed(self, error: DynosaurError, backoff_s: float) -> float:
        """Learns from an error that came in the place of an answer. Returns the seconds that its own thread waits;
        where the endpoint asks for a pause, all wait for their turns instead."""
        if error.code is Code.MODEL_RATE_LIMITED:
            self.push_back(error.retry_after or backoff_s)
            return 0.0 if error.retry_after else backoff_s
        if error.code is Code.MODEL_TIMED_OUT:
            self.push_back(0.0)
        elif error.retry_after:
            self.pause(error.retry_after)
        return backoff_s

    def pause(self, seconds: float) -> None:
        """No request begins for this long: what a Retry-After asks of every worker."""
        with self._changed:
            self._resume(seconds)
        _LOG.info("the endpoint asks for a pause of %.1f s", seconds)

    def push_back(self, pause_s: float) -> None:
        """The endpoint has too much: half as many in flight (once for a volley of refusals), and a pause."""
        with self._changed:
            if first := time.monotonic() >= self._resume_at:
                self.allowed = max(1.0, self.allowed / 2)
            self._resume(pause_s)
        if first:
            _LOG.info("the endpoint pushes back: %d requests at a time, after %.1f s", int(self.allowed), pause_s)

    def _resume(self, seconds: float) -> None:
        self._resume_at = max(self._resume_at, time.monotonic() + min(seconds, LONGEST_WAIT_S))

    def answered(self, tokens_over: int, headers: Mapping[str, str]) -> None:
        """After an answer: books tokens beyond the estimate, and learns from `x-ratelimit-*`."""
        with self._changed:
            now = time.monotonic()
            self.allowed = min(self.max_in_flight, self.allowed + 1 / self.allowed)
            self._tokens.take(min(float(tokens_over), self._tokens.per_minute or 0.0), now)
            for name, rate in self._learning.items():
                limit = _number(headers, f"x-ratelimit-limit-{name}")
                left = _number(headers, f"x-ratelimit-remaining-{name}")
                reset_s = duration(headers.get(f"x-ratelimit-reset-{name}", ""))
                if limit and limit >= _LEAST[name] and name not in self._fixed and (reset_s is None or reset_s <= 60):
                    rate.per_minute = limit
                if left == 0 and reset_s:  # until all is free again: one part of it is free much sooner
                    self._resume(reset_s / (limit or 1.0))


def _number(headers: Mapping[str, str], name: str) -> float | None:
    text = headers.get(name, "")[:40]
    return float(text) if text.isdecimal() else None
