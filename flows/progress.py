"""How a running growth tells the screen what happens, where one is listening in the same process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

Listener = Callable[[str, Any], None]
"""Told of `plan` (GrowthPlan), `branch` ((repo_id, how it ended)), `release` (its URL), `report` (GrowthReport), and by
the release flow of `released` ({release: {url: ...}, release_errors: {url: sentence}})."""

_listeners: list[Listener] = []


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Calls `listener` for everything that is told inside."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


def tell(kind: str, value: Any) -> None:
    """Tells all listeners."""
    for listener in list(_listeners):
        listener(kind, value)
