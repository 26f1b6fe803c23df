"""How the command ends when it is told to: Ctrl-C and SIGTERM, within seconds, whatever is waited for."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from functools import cache
from types import FrameType
from typing import NoReturn

from dynosaur_core.scratch import remove_scratch

GRACE_S = 3.0
"""Seconds in which requests under way may still bring their answers into the store."""
INTERRUPTED, TERMINATED = 130, 143
"""Exit statuses, as a shell gives them for SIGINT and SIGTERM."""
_STATUSES: dict[int, int] = {signal.SIGINT: INTERRUPTED, signal.SIGTERM: TERMINATED}


class TerminatedError(BaseException):
    """SIGTERM has come."""


@cache
def on_signals() -> None:
    """SIGTERM ends the command as Ctrl-C does; a growth that is still at work after `GRACE_S` is left where it is."""
    signal.signal(signal.SIGTERM, _terminated)
    # a handler of Python's waits until the main thread comes back from whatever it calls, and what it raises is seen
    # only when the growth's own clean-up is done: the seconds of grace are counted from the signal itself
    told, telling = socket.socketpair()
    telling.setblocking(False)
    signal.set_wakeup_fd(telling.detach(), warn_on_full_buffer=False)
    threading.Thread(target=_watch, args=[told], name="signals", daemon=True).start()


def _watch(told: socket.socket) -> None:
    """Starts the seconds of grace when a signal comes."""
    while numbers := told.recv(16):
        for number in numbers:
            if number in _STATUSES:
                _say()
                _start_timer(_STATUSES[number])


def leave(end: BaseException) -> NoReturn:
    """Says that the command goes on later, and exits."""
    _say()
    sys.exit(INTERRUPTED if isinstance(end, KeyboardInterrupt) else TERMINATED)


def _terminated(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise TerminatedError


def _leave_now(status: int) -> None:
    """Whatever thread still reads or waits: a kill loses nothing that is stored, and this is no more than one."""
    remove_scratch()
    os._exit(status)


@cache
def _start_timer(status: int) -> None:
    timer = threading.Timer(GRACE_S, _leave_now, [status])
    timer.daemon = True
    timer.start()


_said = threading.Lock()


def _say() -> None:
    """Once, whichever thread comes first."""
    if _said.acquire(blocking=False):
        sys.stderr.write("dynosaur: interrupted; the same command goes on from here\n")
        sys.stderr.flush()
