"""Ending a process that waits: whoever waits for long waits here, and is woken by SIGTERM or Ctrl-C."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

_STEP_S = 0.5
"""How soon a waiting thread notices."""
_stopped = threading.Event()


class StoppedError(BaseException):
    """The process is to end. Not an Exception: no stage may take it for a fault of its dataset."""


@contextmanager
def by_signal() -> Iterator[None]:
    """A part of the main thread's work: the signal that cuts it off also wakes all other threads that wait."""
    _stopped.clear()
    try:
        yield
    except Exception:
        raise
    except BaseException:  # KeyboardInterrupt, or what a handler of SIGTERM raises
        _stopped.set()
        raise


def sleep(seconds: float) -> None:
    """Waits. Raises StoppedError when the process is to end."""
    if _stopped.wait(seconds):
        raise StoppedError


def wait(event: threading.Event | threading.Condition, seconds: float | None) -> None:
    """Waits for the event or notification, at most for `seconds`. Raises StoppedError when the process is to end."""
    until = None if seconds is None else time.monotonic() + seconds
    while not _stopped.is_set():
        left = _STEP_S if until is None else min(_STEP_S, until - time.monotonic())
        if event.wait(max(0.0, left)) or left <= 0:
            return
    raise StoppedError
