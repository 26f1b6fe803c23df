"""What is asked of a child process for one dataset, within one deadline; the child's death is an error with a code."""

from __future__ import annotations

import itertools
import signal
import time
import weakref
from collections.abc import Callable
from typing import Any

from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.logs import logger
from dynosaur_core.reader.pool import Lease, Pool
from dynosaur_core.reader.wire import Message, receive, send
from dynosaur_core.settings import Reading

_LOG = logger("reader")
_numbers = itertools.count()
_GRACE_S = 2.0
"""A child that keeps the deadline itself says more of it than its end would."""


class Session:
    """Calls to a child for one dataset, which `opening` names. Use it from one thread at a time.

    After the child's death or the deadline every further call raises the same error: what kills is met once.
    """

    def __init__(self, pool: Pool, opening: dict[str, Any], limits: Reading, deadline_s: float) -> None:
        self._pool, self._limits, self._deadline_s = pool, limits, deadline_s
        self._name = opening.get("repo_id") or opening.get("ref", {}).get("repo_id") or "a dataset"
        self._opening = {**opening, "session": next(_numbers), "memory": limits.max_memory_bytes}
        self._lease = Lease()
        self._deadline: float | None = None
        self._over: DynosaurError | None = None
        weakref.finalize(self, pool.leave, self._lease, limits.datasets_per_process)

    def call(self, method: str, serve: Callable[[dict[str, Any]], Message] | None = None, **given: Any) -> Message:
        """The child's answer. What the child asks for meanwhile, `serve` answers. Raises DynosaurError."""
        if self._over:
            raise self._over
        child = self._pool.take(self._lease, self._limits.processes)
        if self._deadline is None:  # the start of the child is not the dataset's time, nor the wait for one
            self._deadline = time.monotonic() + self._deadline_s
        try:
            send(child.connection, {"opening": self._opening, "method": method, **given})
            while True:
                head, body = receive(child.connection, self._deadline + _GRACE_S)
                if "log" in head:
                    logger(head["area"]).log(head["log"], "%s", head["message"])
                    continue
                if "wants" not in head:
                    break
                send(child.connection, *(serve(head) if serve else ({}, b"")))
        except TimeoutError:
            self._pool.discard(self._lease)
            message = f"reading its files took longer than the {self._deadline_s:.0f} s of sampling.deadline_s"
            _LOG.warning("the process that reads %s is killed: %s", self._name, message)
            self._over = DynosaurError(Code.TIMED_OUT, message)
            raise self._over from None
        except (EOFError, OSError):
            self._over = _death(self._pool.discard(self._lease))
            _LOG.warning("the process that reads %s has died: %s", self._name, self._over.message)
            raise self._over from None
        except BaseException:  # the child is still in the midst of something
            self._pool.discard(self._lease)
            raise
        if head.get("last"):
            self._pool.discard(self._lease)
        else:
            self._pool.done(self._lease)
        return self._result(head, body)

    def _result(self, head: dict[str, Any], body: bytes) -> Message:
        if "error" not in head:
            return head, body
        error = error_of(head["error"])
        if head.get("last"):
            self._over = error
        raise error


def error_of(said: dict[str, Any]) -> DynosaurError:
    """The error that `said` stands for, as the other process has written it."""
    return DynosaurError(Code(said["code"]), said["message"], retry_after=said.get("retry_after"))


def said_of(error: DynosaurError) -> dict[str, Any]:
    return {"code": error.code, "message": error.message, "retry_after": error.retry_after}


def _death(status: int) -> DynosaurError:
    how = f"ended with status {status}" if status >= 0 else f"was ended by {_signal_name(-status)}"
    why = "its files are too large for it, or crash a parser"
    return DynosaurError(Code.READER_DIED, f"the process that read its files {how}: {why}")


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
