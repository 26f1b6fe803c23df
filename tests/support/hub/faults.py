"""Faults that the loopback Hub commits on purpose.

Random ones are seeded per request (its method, its address, and how often it was asked before), so that the order in
which threads come does not change who is hit.
"""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

KINDS = ("429", "500", "502", "503", "504", "reset", "hang", "truncated", "garbage")


@dataclass
class Fault:
    """One rule. `endpoints` are the names under which requests are counted; `match` is a part of the address."""

    kind: str
    endpoints: Collection[str] = ()
    match: str = ""
    times: int | None = None
    """How many requests it hits at most; None: all."""
    retry_after: float = 0.0
    """Seconds, for 429."""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"{self.kind!r} is none of {KINDS}")


class Faults:
    """Scripted faults first (`add`), then random ones (`rate` of all requests, of the given kinds)."""

    def __init__(
        self,
        rate: float = 0.0,
        kinds: Collection[str] = ("429", "500", "503", "reset", "truncated", "garbage"),
        endpoints: Collection[str] = (),
        seed: int = 0,
        retry_after: float = 0.0,
    ) -> None:
        self.retry_after = retry_after
        self.rate, self.kinds, self.endpoints, self.seed = rate, tuple(kinds), endpoints, seed
        self.committed: Counter[str] = Counter()
        """Random faults so far, by kind."""
        self._rules: list[Fault] = []
        self._asked: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()

    def add(self, fault: Fault) -> None:
        with self._lock:
            self._rules.append(fault)

    def clear(self) -> None:
        with self._lock:
            self._rules.clear()
            self.rate = 0.0

    def choose(self, endpoint: str, method: str, target: str) -> Fault | None:
        """The fault for this request, if any."""
        with self._lock:
            nth = self._asked[method, target]
            self._asked[method, target] += 1
            for rule in self._rules:
                if (rule.endpoints and endpoint not in rule.endpoints) or rule.match not in target or rule.times == 0:
                    continue
                if rule.times is not None:
                    rule.times -= 1
                return rule
        if not self.rate or (self.endpoints and endpoint not in self.endpoints):
            return None
        name = f"{self.seed} {method} {target} {nth}"
        draw = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")
        if draw / 2**64 >= self.rate:
            return None
        kind = self.kinds[draw % len(self.kinds)]
        with self._lock:
            self.committed[kind] += 1
        return Fault(kind, retry_after=self.retry_after)
