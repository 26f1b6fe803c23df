"""How the command ends when it is told to: Ctrl-C and SIGTERM, within seconds, whatever is waited for."""

from __future__ import annotations

import os
import signal
import sys
import threading
from functools import cache
from types import FrameType
from typing import NoReturn

from dynosaur_core import stopping

GRACE_S = 5.0
"""Seconds in which requests under way may still bring their answers into the store."""
INTERRUPTED, TERMINATED = 130, 143
"""Exit statuses, as a shell gives them for SIGINT and SIGTERM."""


class TerminatedError(BaseException):
    """SIGTERM has come."""


def on_signals() -> None:
    """SIGTERM ends the command as Ctrl-C does; a growth that is still at work after `GRACE_S` is left where it is."""
    signal.signal(signal.SIGTERM, _terminated)
    stopping.when_stopped(_leave_soon)


def leave(end: BaseException) -> NoReturn:
    """Says that the command goes on later, and exits."""
    _say()
    sys.exit(INTERRUPTED if isinstance(end, KeyboardInterrupt) else TERMINATED)


def _terminated(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise TerminatedError


def _leave_soon(end: BaseException) -> None:
    """Whatever thread still reads or waits then: a kill loses nothing that is stored, and this is no more than one."""

    def leave_now() -> None:
        sys.stderr.flush()
        os._exit(INTERRUPTED if isinstance(end, KeyboardInterrupt) else TERMINATED)

    _say()
    timer = threading.Timer(GRACE_S, leave_now)
    timer.daemon = True
    timer.start()


@cache
def _say() -> None:
    """Once, whether a growth was at work or not."""
    sys.stderr.write("dynosaur: interrupted; the same command goes on from here\n")
    sys.stderr.flush()
