"""The Hub's quotas as its answers tell them, kept by all threads of the process together.

Every answer says what is left (`RateLimit: "api";r=489;t=243`: 489 requests in the next 243 seconds) and how much there
is (`RateLimit-Policy: "fixed window";"api";q=500;w=300`).
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass

from dynosaur_core import exchange, stopping
from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.exchange import LONGEST_WAIT_S, number_within
from dynosaur_core.logs import logger

_RATE_LIMIT = re.compile(r'"(\w{1,50})"\s{0,9};\s{0,9}r=(\d+)\s{0,9};\s{0,9}t=(\d+)')
_POLICY = re.compile(r"q=(\d+)[^,]{0,100}?w=(\d+)")
_LARGEST_QUOTA = 1_000_000
_WORTH_A_WORD_S = 5.0
"""A longer wait for the quota is logged."""
_LOG = logger("hub")


@dataclass
class _Window:
    """One quota's present window."""

    left: int
    reset: float
    """When the next one begins, in seconds of `time.monotonic()`."""
    quota: int
    seconds: float


class Quotas:
    """What is left of each resource, and until when nobody may ask."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._windows: dict[str, _Window] = {}
        self._paused: dict[str, float] = {}

    def take(self, resource: str, deadline: float) -> None:
        """Waits for a free request; raises RateLimited where the deadline comes first."""
        said = False
        while (wait := self._try(resource)) > 0:
            if time.monotonic() + wait > deadline:
                message = f"the Hub's quota for {resource!r} is spent for another {wait:.0f} s"
                raise DynosaurError(Code.RATE_LIMITED, message, retry_after=wait)
            if wait > _WORTH_A_WORD_S and not said:
                _LOG.info("the Hub's quota for %r is spent: waiting %.0f s for the next request", resource, wait)
                said = True
            stopping.sleep(min(wait, 1.0))  # short naps: another thread may learn of an earlier reset

    def _try(self, resource: str) -> float:
        """Seconds to wait; 0 takes a request from the quota."""
        now = time.monotonic()
        with self._lock:
            wait = self._paused.get(resource, 0.0) - now
            window = self._windows.get(resource)
            if window is None or wait > 0:
                return wait
            if window.reset <= now:
                window.left, window.reset = window.quota, now + window.seconds
            if window.left <= 0:
                return window.reset - now
            window.left -= 1
            return 0.0

    def learn(self, headers: Mapping[str, str]) -> None:
        """Reads the RateLimit headers of a response."""
        match = _RATE_LIMIT.search(headers.get("ratelimit", ""))
        if not match:
            return
        policy = _POLICY.search(headers.get("ratelimit-policy", ""))
        left = number_within(match[2], _LARGEST_QUOTA)
        reset = time.monotonic() + number_within(match[3], int(LONGEST_WAIT_S))
        quota, seconds = max(left, 1), 300.0
        if policy:  # a quota of none, or a window without an end, would be no more than a wish
            quota = max(number_within(policy[1], _LARGEST_QUOTA), 1)
            seconds = float(number_within(policy[2], int(LONGEST_WAIT_S)))
        with self._lock:
            known = self._windows.get(match[1])
            if known and abs(known.reset - reset) < 2:  # the same window: what is on its way counts too
                left = min(left, known.left)
            self._windows[match[1]] = _Window(left, reset, quota, seconds)

    def pause(self, resource: str, seconds: float) -> None:
        """Nobody asks for this resource in the next `seconds`."""
        with self._lock:
            until = time.monotonic() + min(seconds, LONGEST_WAIT_S)
            self._paused[resource] = max(until, self._paused.get(resource, 0.0))


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Returns the seconds that a 429 asks to wait: to the quota's reset if the quota is spent, else by Retry-After."""
    match = _RATE_LIMIT.search(headers.get("ratelimit", ""))
    if match and not match[2].strip("0"):
        return float(number_within(match[3], int(LONGEST_WAIT_S)))
    return exchange.retry_after(headers)
