"""How fast the endpoint is asked: in flight, requests and tokens a minute, and pauses that it asks for.

One `Pace` serves all threads of a process. It begins with the settings' limits, learns the endpoint's own from its
headers, and halves what is in flight when the endpoint pushes back.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from dynosaur_core import stopping
from dynosaur_core.exchange import LONGEST_WAIT_S, duration
from dynosaur_core.settings import Llm

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


@dataclass
class _Waiter:
    owner: str
    tokens: int
    wake: threading.Event = field(default_factory=threading.Event)
    granted: bool = False
    due: float | None = None
    """When to look again (monotonic), for the first in the queue; the others are woken."""


class Pace:
    """Turns for requests: the dataset with the fewest in flight goes first, then the one that waited longest."""

    def __init__(self, llm: Llm) -> None:
        self.max_in_flight = llm.max_in_flight
        self.allowed = float(llm.max_in_flight)
        """In flight at present: halved when the endpoint pushes back, up again by one a round."""
        self._requests = Rate(llm.requests_per_minute)
        self._tokens = Rate(llm.tokens_per_minute, _TOKEN_BURST_S)
        self._learning = {"requests": self._requests, "tokens": self._tokens}
        self._fixed = {name for name, rate in self._learning.items() if rate.per_minute is not None}
        self._lock = threading.Lock()
        self._waiting: list[_Waiter] = []
        self._in_flight: Counter[str] = Counter()
        self._resume_at = 0.0

    @contextmanager
    def turn(self, owner: str, tokens: int) -> Iterator[None]:
        """Waits for a turn of `owner` with about `tokens`, and holds it."""
        waiter = _Waiter(owner, tokens)
        with self._lock:
            self._waiting.append(waiter)
            self._dispatch()
        try:
            while not waiter.granted:
                stopping.wait(waiter.wake, None if waiter.due is None else max(0.0, waiter.due - time.monotonic()))
                with self._lock:
                    waiter.due = None
                    self._dispatch()
                    waiter.wake.clear()
        except stopping.StoppedError:
            self._leave(waiter)
            raise
        try:
            yield
        finally:
            self._leave(waiter)

    def pause(self, seconds: float) -> None:
        """No request begins for this long: what a Retry-After asks of every worker."""
        with self._lock:
            self._resume_at = max(self._resume_at, time.monotonic() + min(seconds, LONGEST_WAIT_S))

    def push_back(self, pause_s: float) -> None:
        """The endpoint has too much: half as many in flight (once for a volley of refusals), and a pause."""
        with self._lock:
            now = time.monotonic()
            if now >= self._resume_at:
                self.allowed = max(1.0, self.allowed / 2)
            self._resume_at = max(self._resume_at, now + min(pause_s, LONGEST_WAIT_S))

    def answered(self, tokens_over: int, headers: Mapping[str, str]) -> None:
        """After an answer: books tokens beyond the estimate, and learns from `x-ratelimit-*`."""
        with self._lock:
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
                    part_s = min(reset_s / (limit or 1.0), LONGEST_WAIT_S)
                    self._resume_at = max(self._resume_at, now + part_s)

    def _leave(self, waiter: _Waiter) -> None:
        with self._lock:
            if not waiter.granted:
                self._waiting.remove(waiter)
                return
            self._in_flight[waiter.owner] -= 1
            if not self._in_flight[waiter.owner]:
                del self._in_flight[waiter.owner]
            self._dispatch()

    def _dispatch(self) -> None:
        """Lets go whoever may; where the time has not come, the first in the queue sleeps until it has."""
        while self._waiting and sum(self._in_flight.values()) < int(self.allowed):
            now = time.monotonic()
            due = max(self._resume_at, self._requests.ready_at(), self._tokens.ready_at())
            if due > now:
                first = self._waiting[0]
                if first.due != due:
                    first.due = due
                    first.wake.set()
                return
            waiter = min(self._waiting, key=lambda each: self._in_flight[each.owner])
            self._waiting.remove(waiter)
            self._in_flight[waiter.owner] += 1
            self._requests.take(1, now)
            self._tokens.take(waiter.tokens, now)
            waiter.granted = True
            waiter.wake.set()


def _number(headers: Mapping[str, str], name: str) -> float | None:
    text = headers.get(name, "")[:40]
    return float(text) if text.isdecimal() else None
