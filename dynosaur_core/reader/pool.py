"""Keeps child processes, hands each to one session at a time, and replaces those that died.

All children of this process come from one zygote, so that a new one costs milliseconds and not an interpreter.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections import deque
from dataclasses import dataclass, field
from typing import IO

from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.logs import logger
from dynosaur_core.reader.limits import environment

_LOG = logger("reader")
_NAP_S = 0.2
"""Between two looks for a child that was left by a session which nobody holds any more."""


@dataclass
class Child:
    connection: socket.socket
    process: int
    sessions: int = 0


@dataclass
class Lease:
    """A session's hold on a child. The pool may take the child back while no call is under way."""

    child: Child | None = None
    calling: bool = False


@dataclass
class _Zygote:
    control: socket.socket
    process: subprocess.Popen[bytes]
    said: IO[bytes] = field(repr=False)

    def ask(self, command: str, descriptor: int | None = None) -> int:
        if descriptor is None:
            self.control.sendall(command.encode())
        else:
            socket.send_fds(self.control, [command.encode()], [descriptor])
        answer = self.control.recv(64)
        if not answer:
            raise EOFError
        return int(answer)

    def end(self) -> None:
        self.control.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Pool:
    """Children that run `module`'s `serve(connection)`. Safe to share between threads."""

    def __init__(self, module: str) -> None:
        self.module = module
        self._changed = threading.Condition()
        self._zygote: _Zygote | None = None
        self._idle: list[Child] = []
        self._leases: list[Lease] = []
        """Those that hold a child, the longest held first."""
        self._left: deque[tuple[Lease, int]] = deque()
        """Leases of sessions that ended, and after how many sessions their children are replaced. Whoever ends one may
        hold any lock, so that it is only noted."""

    def take(self, lease: Lease, most: int) -> Child:
        """A child for one call of the session; the one that it had, where it still holds it. Waits while `most` others
        are at work."""
        with self._changed:
            while lease.child is None:
                self._collect()
                if self._idle:
                    lease.child = self._idle.pop()
                elif len(self._leases) < most:
                    lease.child = self._fork()
                elif idle := next((other for other in self._leases if not other.calling), None):
                    lease.child, idle.child = idle.child, None  # its session begins anew where it goes on
                    self._leases.remove(idle)
                else:
                    self._changed.wait(_NAP_S)
                    continue
                self._leases.append(lease)
            lease.calling = True
            return lease.child

    def done(self, lease: Lease) -> None:
        """The call is over, the session is not."""
        with self._changed:
            lease.calling = False
            self._changed.notify()

    def leave(self, lease: Lease, sessions: int) -> None:
        """The session is over: its child serves others, until it has served as many as `sessions`."""
        self._left.append((lease, sessions))

    def discard(self, lease: Lease) -> int:
        """Ends the lease's child; returns its exit status, or the negative number of the signal that ended it."""
        with self._changed:
            child, lease.child, lease.calling = lease.child, None, False
            if child is None:
                return 0
            self._leases.remove(lease)
            self._changed.notify()
            return self._end(child)

    def close(self) -> None:
        """Ends all children. The pool can be used again."""
        with self._changed:
            if self._zygote:
                self._zygote.end()
            for child in (*self._idle, *(lease.child for lease in self._leases if lease.child)):
                child.connection.close()
            for lease in self._leases:
                lease.child = None
            self._zygote, self._idle, self._leases = None, [], []

    def _collect(self) -> None:
        while self._left:
            lease, sessions = self._left.popleft()
            child, lease.child = lease.child, None
            if child is None:
                continue
            self._leases.remove(lease)
            child.sessions += 1
            if child.sessions < sessions:
                self._idle.append(child)
            else:
                self._end(child)

    def _fork(self) -> Child:
        for last in (False, True):
            ours, theirs = socket.socketpair()
            zygote = self._zygote = self._zygote or _start(self.module)
            try:
                return Child(ours, zygote.ask("fork", theirs.fileno()))
            except (EOFError, OSError) as error:
                ours.close()
                zygote.end()
                self._zygote = None
                if last:
                    raise _not_started(zygote) from error
                _LOG.warning("the process that starts readers had ended, and is started again")
            finally:
                theirs.close()
        raise AssertionError("the second try returns or raises")

    def _end(self, child: Child) -> int:
        child.connection.close()
        with contextlib.suppress(ProcessLookupError):  # it stays known until it is reaped
            os.kill(child.process, signal.SIGKILL)
        try:
            return self._zygote.ask(f"reap {child.process}") if self._zygote else -signal.SIGKILL
        except (EOFError, OSError):
            return -signal.SIGKILL  # the zygote is gone, and its children with it


def _start(module: str) -> _Zygote:
    ours, theirs = socket.socketpair()
    said = tempfile.TemporaryFile()  # noqa: SIM115 (lives as long as the process)
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", "dynosaur_core.reader.zygote", str(theirs.fileno()), module],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=said,
            start_new_session=True,  # an interrupt from the keyboard is for the parent to see to
            env=environment(
                HF_HUB_OFFLINE="1",
                HF_DATASETS_OFFLINE="1",
                # where they are installed, `datasets` would import them for each stream, within the memory of a child
                USE_TORCH="NO",
                USE_TF="NO",
                USE_JAX="NO",
                # the others keep memory in reserve, which would count as taken, and a thread, which a fork loses
                ARROW_DEFAULT_MEMORY_POOL="system",
                JE_ARROW_MALLOC_CONF="background_thread:false",
            ),
        )
    return _Zygote(ours, process, said)


def _not_started(zygote: _Zygote) -> DynosaurError:
    zygote.said.seek(0)
    lines = zygote.said.read().decode("utf-8", "replace").strip().splitlines()
    return DynosaurError(Code.UNEXPECTED, f"no process to read files could be started: {(lines or ['?'])[-1][:300]}")


_shared: dict[str, Pool] = {}
_sharing = threading.Lock()


def shared_pool(module: str) -> Pool:
    """The pool of this process whose children run this module."""
    with _sharing:
        if module not in _shared:
            _shared[module] = Pool(module)
            atexit.register(_shared[module].close)
        return _shared[module]
