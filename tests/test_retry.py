"""The retry loop: how often it calls, how long it waits, and what it says of that."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from dynosaur_core import stopping
from dynosaur_core.errors import Code, DynosaurError, Retrier
from dynosaur_core.logs import logger
from dynosaur_core.retry import retrying

LOG = logger("test")


def failing(*errors: DynosaurError) -> Callable[[], int]:
    """Raises the errors, one a call, then returns how often it was called."""
    left: Iterator[DynosaurError] = iter(errors)
    calls = [0]

    def call() -> int:
        calls[0] += 1
        for error in left:
            raise error
        return calls[0]

    return call


def away(retry_after: float | None = None) -> DynosaurError:
    return DynosaurError(Code.SERVER_ERROR, "away", retry_after=retry_after)


def test_retrying_calls_again_what_may_pass_and_logs_each_wait(logged: list[str]) -> None:
    call = failing(away(), DynosaurError(Code.CONNECTION_FAILED, "cut\noff"))
    assert retrying(call, what="x", log=LOG, attempts=3, backoff_s=0.001) == 3
    assert [text.split(",")[0] for text in logged] == ["x: attempt 1 of 3 failed", "x: attempt 2 of 3 failed"]
    assert logged[0].endswith("ServerError: away")


def test_retrying_raises_the_last_error_after_the_attempts_allowed(logged: list[str]) -> None:
    with pytest.raises(DynosaurError, match="away"):
        retrying(failing(*[away()] * 9), what="x", log=LOG, attempts=4, backoff_s=0.001)
    assert len(logged) == 3


@pytest.mark.parametrize(("code", "retrier", "calls"), [
    (Code.RELEASE_CONFLICT, Retrier.RELEASE, 2),
    (Code.RELEASE_CONFLICT, Retrier.REQUEST, 1),
    (Code.NOT_FOUND, Retrier.REQUEST, 1),
])  # fmt: skip
def test_retrying_asks_the_table_who_retries_what(code: Code, retrier: Retrier, calls: int) -> None:
    made: list[int] = []

    def call() -> None:
        made.append(1)
        raise DynosaurError(code, "no")

    with pytest.raises(DynosaurError):
        retrying(call, what="x", log=LOG, attempts=2, backoff_s=0.0, retrier=retrier)
    assert len(made) == calls


def test_retrying_waits_as_long_as_the_server_asked_up_to_the_longest_wait(logged: list[str]) -> None:
    call = failing(away(0.05), away(900.0))
    began = time.monotonic()
    assert retrying(call, what="x", log=LOG, attempts=3, backoff_s=60.0, longest_s=0.1) == 3
    assert time.monotonic() - began >= 0.14


def test_retrying_begins_no_wait_beyond_the_deadline(logged: list[str]) -> None:
    with pytest.raises(DynosaurError):
        retrying(failing(away(60.0)), what="x", log=LOG, attempts=3, backoff_s=0.0, deadline=time.monotonic() + 30)
    assert logged == []


def test_retrying_leaves_a_wait_to_whoever_keeps_it() -> None:
    kept: list[float] = []

    def held(_error: DynosaurError, wait_s: float) -> bool:
        kept.append(wait_s)
        return True

    assert retrying(failing(away(600.0)), what="x", log=LOG, attempts=2, backoff_s=0.0, held=held) == 2
    assert kept == [600.0]


def test_retrying_is_woken_when_the_process_is_to_end() -> None:
    with pytest.raises(KeyboardInterrupt), stopping.by_signal():
        raise KeyboardInterrupt
    with pytest.raises(stopping.StoppedError):
        retrying(failing(away(600.0)), what="x", log=LOG, attempts=2, backoff_s=0.0)
    with stopping.by_signal():  # the next part of the work begins as if nothing had been
        assert retrying(failing(away(0.01)), what="x", log=LOG, attempts=2, backoff_s=0.0) == 2
