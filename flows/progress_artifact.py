"""Keeps the artifact `growth-progress` up to date with the events of a growth."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from flows.progress import BranchEnded, Event, Releasing, listening
from tasks.artifacts.progress import GrowthProgress


@contextmanager
def showing_progress(branches: int) -> Iterator[None]:
    """Inside the block the current flow run shows how many of its `branches` have ended."""
    shown = GrowthProgress(branches)

    def listen(event: Event) -> None:
        if isinstance(event, BranchEnded):
            shown.ended(event.end)
        elif isinstance(event, Releasing):
            shown.tell("releasing")

    with listening(listen):
        yield
    shown.tell()
