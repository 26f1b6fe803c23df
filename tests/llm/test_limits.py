"""Limits: what the endpoint allows is kept, by all workers, and shared fairly."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest

from dynosaur_core.exchange import duration
from dynosaur_core.instruction.stage import propose
from dynosaur_core.llm.limits import Rate
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
    times = [when for when, _ in endpoint.seen.arrivals[arrivals:]]
    assert times[-1] - times[0] >= 19 * 60 / 1_200 * 0.9


def test_a_retry_after_is_kept_by_every_worker(endpoint: LlmServer, client: MakeClient, store: Store) -> None:
    llm = client(settings())
    propose(dataset("owner/first"), settings(), llm, store)
    endpoint.behaviour.faults = Faults(planned={"set-0": ["429"]})
    endpoint.behaviour.retry_after = "1"
    endpoint.behaviour.latency_s = 0.1
    grow([f"owner/set-{number}" for number in range(30)], settings(), llm, store)
    times = [when for when, _ in endpoint.seen.arrivals]
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
    endpoint.behaviour.latency_s = 0.02
    chosen = settings(max_in_flight=5)
    grow([f"owner/set-{number}" for number in range(30)], chosen, client(chosen), store, workers=20)
    assert endpoint.seen.most_in_flight == 5


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
    order = [name for _, name in endpoint.seen.arrivals]
    assert len(order) == 42 and max(i for i, name in enumerate(order) if name == "owner/small") < 20
