"""Limits: what the endpoint allows is kept, by all workers, and shared fairly."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.exchange import duration
from dynosaur_core.instruction.stage import propose
from dynosaur_core.llm.circuit import CircuitBreaker
from dynosaur_core.llm.client import LlmClient
from dynosaur_core.llm.limits import Rate, RateLimiter
from dynosaur_core.models import Usage
from dynosaur_core.settings import Llm
from dynosaur_core.store import Store
from tests.instruction.data import dataset, settings, subset, text
from tests.llm.test_faults import grow
from tests.support.llm import Faults, LlmServer
from tests.support.llm.fixtures import MakeClient


@pytest.mark.parametrize(
    ("text", "expected"),
    [("20", 20.0), ("0.5", 0.5), ("1s", 1.0), ("6m0s", 360.0), ("120ms", 0.12), ("1h2m", 3720.0), ("soon", None)],
)
def test_duration_reads_what_headers_write(text: str, expected: float | None) -> None:
    assert duration(text) == expected


def test_a_rate_is_kept_over_any_minute() -> None:
    rate, now, sent = Rate(60), 1_000.0, []
    for _ in range(300):
        now = max(now, rate.ready_at())
        rate.take(1, now)
        sent.append(now)
    assert all(late - early >= 60 for early, late in zip(sent, sent[60:], strict=False))
    assert 57 <= 60 * (len(sent) - 1) / (sent[-1] - sent[0]) <= 60


def test_given_rates_meet_no_429(endpoint: LlmServer, client: MakeClient, store: Store) -> None:
    endpoint.behaviour.requests_per_window, endpoint.behaviour.window_s = 20, 1.0
    endpoint.behaviour.rate_headers = False
    chosen = settings(requests_per_minute=900)  # a busy machine delays some: the window is a second, not a minute
    grow([f"owner/set-{number}" for number in range(20)], chosen, client(chosen), store)
    assert endpoint.seen.statuses == {200: 40}


def test_rates_are_learned_from_headers(endpoint: LlmServer, client: MakeClient, store: Store) -> None:
    endpoint.behaviour.requests_per_window, endpoint.behaviour.window_s = 1_200, 60.0
    llm = client(settings())
    propose(dataset(), settings(), llm, store)
    arrivals = len(endpoint.seen.arrivals)
    grow([f"owner/set-{number}" for number in range(10)], settings(), llm, store)
    times = [each.when for each in endpoint.seen.arrivals[arrivals:]]
    assert times[-1] - times[0] >= 19 * 60 / 1_200 * 0.9


def test_a_retry_after_is_kept_by_every_worker(endpoint: LlmServer, client: MakeClient, store: Store) -> None:
    llm = client(settings())
    propose(dataset("owner/first"), settings(), llm, store)
    endpoint.behaviour.faults = Faults(planned={"set-0": ["429"]})
    endpoint.behaviour.retry_after = "1"
    endpoint.behaviour.latency_s = 0.1
    grow([f"owner/set-{number}" for number in range(30)], settings(), llm, store)
    times = [each.when for each in endpoint.seen.arrivals]
    assert max(late - early for early, late in pairwise(times)) >= 0.8
    assert endpoint.seen.statuses == {429: 1, 200: 62}


def test_a_crowded_endpoint_is_asked_less(endpoint: LlmServer, client: MakeClient, store: Store) -> None:
    endpoint.behaviour.max_in_flight, endpoint.behaviour.latency_s = 4, 0.02
    chosen = settings(max_in_flight=32)
    llm = client(chosen)
    grow([f"owner/set-{number}" for number in range(100)], chosen, llm, store, workers=32)
    assert endpoint.seen.statuses[200] == 200
    assert endpoint.seen.statuses[429] < 100


def test_in_flight_is_bounded(endpoint: LlmServer, client: MakeClient, store: Store) -> None:
    endpoint.behaviour.latency_s = 0.1
    chosen = settings(max_in_flight=5)
    grow([f"owner/set-{number}" for number in range(15)], chosen, client(chosen), store, workers=15)
    assert 1 < endpoint.seen.most_in_flight <= 5


def test_a_dataset_of_many_configs_does_not_hold_up_the_others(
    endpoint: LlmServer, client: MakeClient, store: Store
) -> None:
    endpoint.behaviour.latency_s = 0.02
    chosen = settings(max_in_flight=2)
    llm = client(chosen)
    big = dataset("owner/big", *(subset(f"c{i}", fields=text("question", f"answer{i}")) for i in range(20)))
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(propose, big, chosen, llm, store)
        while len(endpoint.seen.arrivals) < 5:
            time.sleep(0.001)
        second = pool.submit(propose, dataset("owner/small"), chosen, llm, store)
        first.result(), second.result()
    order = [each.dataset for each in endpoint.seen.arrivals]
    assert len(order) == 42 and max(i for i, name in enumerate(order) if name == "owner/small") < 20


def silence() -> DynosaurError:
    return DynosaurError(Code.MODEL_TIMED_OUT, "no answer")


def open_breaker(logged: list[str], try_again_s: float = 0.05) -> CircuitBreaker:
    """A breaker that some silence has opened."""
    breaker = CircuitBreaker(0.0, try_again_s=try_again_s)
    breaker.failed(silence())
    with pytest.raises(DynosaurError, match="no answer"):
        breaker.check()
    assert logged.pop().startswith("circuit breaker opens, one request tries again in")
    return breaker


def test_circuit_breaker_lets_one_request_pass_when_it_is_time(logged: list[str]) -> None:
    breaker = open_breaker(logged)
    time.sleep(0.1)
    breaker.check()  # who queues for a turn may do so
    breaker.check(sending=True)
    with pytest.raises(DynosaurError, match="no answer"):
        breaker.check()
    breaker.responded()
    breaker.check()
    assert logged == ["circuit breaker closes: the endpoint responds again"]


def test_circuit_breaker_opens_again_where_the_silence_goes_on(logged: list[str]) -> None:
    breaker = open_breaker(logged)
    time.sleep(0.1)
    breaker.check(sending=True)
    breaker.failed(silence())
    with pytest.raises(DynosaurError, match="no answer"):
        breaker.check(sending=True)


@pytest.mark.parametrize("code", [Code.MODEL_KEY_REFUSED, Code.MODEL_QUOTA_SPENT])
def test_circuit_breaker_opens_for_good_where_the_endpoint_is_closed(code: Code, logged: list[str]) -> None:
    breaker = CircuitBreaker(1.0, try_again_s=0.0)
    breaker.failed(DynosaurError(code, "no\nmore"))
    with pytest.raises(DynosaurError):
        breaker.check(sending=True)
    assert logged == [f"circuit breaker opens, for good: {code}: no more"]


def test_circuit_breaker_takes_any_other_response_for_life(logged: list[str]) -> None:
    breaker = open_breaker(logged, 600.0)
    breaker.failed(DynosaurError(Code.MODEL_RATE_LIMITED, "later"))
    breaker.check()


def test_rate_limiter_says_when_it_is_pushed_back_or_paused(logged: list[str]) -> None:
    limiter = RateLimiter(Llm(max_in_flight=8))
    limiter.failed(DynosaurError(Code.MODEL_RATE_LIMITED, "later", retry_after=0.01), 0.25)
    limiter.failed(DynosaurError(Code.MODEL_RATE_LIMITED, "later", retry_after=0.01), 0.25)  # of the same volley
    limiter.failed(DynosaurError(Code.MODEL_SERVER_ERROR, "busy", retry_after=0.02), 0.25)
    assert logged == [
        "the endpoint pushes back: 4 requests at a time, after 0.0 s",
        "the endpoint asks for a pause of 0.0 s",
    ]


def test_turns_go_to_the_dataset_with_the_fewest_in_flight_then_to_who_waited_longest() -> None:
    limiter = RateLimiter(Llm(max_in_flight=2))
    order: list[str] = []
    ends = {name: threading.Event() for name in ("a1", "a2", "a3", "b")}

    def work(name: str) -> None:
        with limiter.turn(name[0], 1):
            order.append(name)
            ends[name].wait(60)

    def until(holds: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 60
        while not holds() and time.monotonic() < deadline:
            time.sleep(0.001)
        assert holds()

    with ThreadPoolExecutor(4) as threads:
        for place, name in enumerate(("a1", "a2")):
            threads.submit(work, name)
            until(lambda: len(order) == place + 1)  # noqa: B023
        for place, name in enumerate(("a3", "b")):
            threads.submit(work, name)
            until(lambda: len(limiter._waiting) == place + 1)  # noqa: B023
        for name in ("a1", "a2", "b", "a3"):
            ends[name].set()
            until(lambda: len(order) == min(4, 3 + ("a1", "a2", "b", "a3").index(name)))  # noqa: B023
    assert order == ["a1", "a2", "b", "a3"]
    assert not limiter._in_flight and not limiter._waiting


def test_ask_says_that_it_tries_again(endpoint: LlmServer, client: MakeClient, store: Store, logged: list[str]) -> None:
    llm = client(settings())
    propose(dataset("owner/first"), settings(), llm, store)
    endpoint.behaviour.faults = Faults(planned={"set-0": ["500"]})
    propose(dataset("owner/set-0"), settings(), llm, store)
    assert [text.split(" failed, the next in ")[0] for text in logged] == ["owner/set-0: attempt 1"]


class _Recording(Store):
    """Notes the usage of each answer that is put into it."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.usages: list[Usage] = []

    def write_model(self, name: str, value: Any) -> None:
        if name.startswith("answers/"):
            self.usages.append(value.usage)
        super().write_model(name, value)


def test_ask_puts_an_answer_as_it_came_before_it_counts_its_tokens(endpoint: LlmServer, tmp_path: Path) -> None:
    endpoint.behaviour.faults = Faults(["missing_usage"], share=1.0)
    store = _Recording(str(tmp_path))
    llm = LlmClient(settings(), store, base_url=endpoint.url)
    propose(dataset("owner/x"), settings(), llm, store)
    told, counted = store.usages[:2]
    assert (told.requests, told.prompt_tokens, told.completion_tokens) == (1, 0, 0)
    assert counted.requests == 1 and counted.prompt_tokens > 0 and counted.completion_tokens > 0
    assert llm.usage() == sum(store.usages[1::2], Usage())
    endpoint.behaviour.faults = Faults()
    before = len(store.usages)
    propose(dataset("owner/y", subset("default")), settings(), llm, store)
    assert len(set(map(id, store.usages[before:]))) == llm.usage("owner/y").requests, "what is told well is put once"
