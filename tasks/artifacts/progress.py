"""`growth-progress`: how far a growth has come, while it runs."""

from __future__ import annotations

import time
from collections import Counter
from typing import cast
from uuid import UUID

from prefect.artifacts import create_progress_artifact, update_progress_artifact

EVERY_S = 5.0
"""Seconds between two updates, at least: each is a request to Prefect's server."""


class GrowthProgress:
    """An artifact of the current flow run. A growth without branches has none."""

    def __init__(self, total: int, every_s: float = EVERY_S) -> None:
        self.total, self.every_s = total, every_s
        self.ends: Counter[str] = Counter()
        self._artifact: UUID | None = None
        self._told = time.monotonic()
        if total:
            made = create_progress_artifact(0.0, key="growth-progress", description=self.sentence())
            self._artifact = cast(UUID, made)  # a coroutine where there is an event loop, which a growth has none of

    def ended(self, end: str) -> None:
        """A branch has ended, such as `grown` or `failed: TimedOut`."""
        self.ends[end.partition(":")[0]] += 1
        if time.monotonic() - self._told >= self.every_s:
            self.tell()

    def tell(self, doing: str = "") -> None:
        """Brings the artifact up to date; `doing` is what the growth does now."""
        if self._artifact:
            share = 100.0 * min(1.0, self.ends.total() / self.total)
            update_progress_artifact(self._artifact, progress=share, description=self.sentence(doing))
            self._told = time.monotonic()

    def sentence(self, doing: str = "") -> str:
        counts = "".join(f", {count:,} {end}" for end, count in self.ends.most_common())
        return f"{self.ends.total():,} of {self.total:,} datasets{counts}{f'; {doing}' if doing else ''}"
