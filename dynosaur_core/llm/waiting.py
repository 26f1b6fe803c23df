"""How long datasets have waited for the model."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager


class Waiting:
    """Seconds by owner in which at least one of its requests was under way; those at the same time count once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._open: defaultdict[str, int] = defaultdict(int)
        self._since: dict[str, float] = {}

    @contextmanager
    def of(self, owner: str) -> Iterator[None]:
        """Counts the time inside."""
        with self._lock:
            if not self._open[owner]:
                self._since[owner] = time.monotonic()
            self._open[owner] += 1
        try:
            yield
        finally:
            with self._lock:
                self._open[owner] -= 1
                if not self._open[owner]:
                    self._seconds[owner] += time.monotonic() - self._since.pop(owner)

    def seconds(self, owner: str) -> float:
        with self._lock:
            return self._seconds[owner]
