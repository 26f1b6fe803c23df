"""stopping: whatever a thread waits for, it is woken when the process is told to end."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from huggingface_hub import HfApi

from dynosaur_core import stopping
from dynosaur_core.catalog.hub.http import API, HubHttp
from dynosaur_core.catalog.hub.quota import Quotas
from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.llm.circuit import CircuitBreaker
from dynosaur_core.llm.limits import RateLimiter
from dynosaur_core.publish.release import make_release
from dynosaur_core.publish.sinks.hub import HubSink
from dynosaur_core.settings import Llm, ReleaseSettings
from dynosaur_core.store import Store
from tests.support.hub import Fault, LoopbackHub

LONG_S = 600.0


@pytest.fixture
def goes_on() -> Iterator[None]:
    """Nothing stays stopped."""
    yield
    with stopping.by_signal():
        pass


class _BusySink:
    url = "busy"

    @contextmanager
    def writing(self) -> Iterator[None]:
        raise DynosaurError(Code.RATE_LIMITED, "later", retry_after=LONG_S)
        yield


def _spent_quota(hub: LoopbackHub, folder: Path) -> None:
    quotas = Quotas()
    quotas.pause(API, LONG_S)
    quotas.take(API, math.inf)


def _retry_of_a_read(hub: LoopbackHub, folder: Path) -> None:
    hub.faults.add(Fault("503"))
    HubHttp(hub.url, None, backoff_s=LONG_S).get(f"{hub.url}/api/datasets", API, lambda answer: answer.body)


def _retry_of_a_sink(hub: LoopbackHub, folder: Path) -> None:
    hub.faults.add(Fault("503"))
    HubSink("hf://datasets/me/x", api=HfApi(endpoint=hub.url, token=hub.token), pause_s=LONG_S).manifest()


def _retry_of_a_release(hub: LoopbackHub, folder: Path) -> None:
    make_release([], _BusySink(), Store(str(folder)), ReleaseSettings(), datetime.now(UTC))  # type: ignore[arg-type]


def _turn(hub: LoopbackHub, folder: Path) -> None:
    limiter = RateLimiter(Llm())
    limiter.pause(LONG_S)
    with limiter.turn("me/x", 1):
        pass


def _backoff(hub: LoopbackHub, folder: Path) -> None:
    CircuitBreaker(1.0).sleep(LONG_S)


@pytest.mark.parametrize(
    "waits", [_spent_quota, _retry_of_a_read, _retry_of_a_sink, _retry_of_a_release, _turn, _backoff]
)
def test_by_signal_wakes_every_thread_that_waits(
    waits: Callable[[LoopbackHub, Path], None], hub: LoopbackHub, tmp_path: Path, goes_on: None
) -> None:
    ends: list[BaseException] = []

    def work() -> None:
        try:
            waits(hub, tmp_path)
        except stopping.StoppedError as end:
            ends.append(end)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(0.3)
    assert thread.is_alive(), ends
    with pytest.raises(KeyboardInterrupt), stopping.by_signal():
        raise KeyboardInterrupt
    thread.join(15)
    assert [type(end) for end in ends] == [stopping.StoppedError]


def test_by_signal_takes_an_error_for_no_signal(goes_on: None) -> None:
    with pytest.raises(ValueError, match="bug"), stopping.by_signal():
        raise ValueError("bug")
    stopping.sleep(0.01)
    stopping.wait(threading.Event(), 0.01)
    with pytest.raises(SystemExit), stopping.by_signal():
        raise SystemExit(3)
    with pytest.raises(stopping.StoppedError):
        stopping.wait(threading.Event(), None)
