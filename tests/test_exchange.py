"""exchange: a deadline for a whole exchange, and numbers of servers within bounds."""

from __future__ import annotations

import math
import threading
import time

import httpx
import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynosaur_core.exchange import LONGEST_WAIT_S, bounded, number_within, retry_after, within
from tests.support.dripping import ANSWERS, dripping


@pytest.mark.parametrize("library", [httpx, httpx2])
@pytest.mark.parametrize("kind", ANSWERS)
def test_bounded_client_ends_an_exchange_that_never_ends(library: object, kind: str) -> None:
    ended = threading.Event()

    def ask() -> None:
        timed_out = pytest.raises(library.TimeoutException)
        with bounded(library.Client(timeout=5)) as client, timed_out, within(time.monotonic() + 0.3):
            client.get(address)
        ended.set()

    with dripping(kind) as address:
        thread = threading.Thread(target=ask, daemon=True)
        thread.start()
        assert ended.wait(20)


def test_bounded_leaves_the_timeouts_of_other_exchanges(hub: object) -> None:
    with bounded(bounded(httpx.Client())) as client:
        assert client.get(f"{hub.url}/api/datasets").status_code == 200
        with within(time.monotonic() - 1), pytest.raises(httpx.TimeoutException):
            client.get(f"{hub.url}/api/datasets")
        assert client.get(f"{hub.url}/api/datasets").status_code == 200


@given(st.text("0123456789", min_size=1), st.integers(0, 10**9))
def test_number_within_is_the_number_or_the_bound(digits: str, most: int) -> None:
    assert number_within(digits, most) == min(int(digits), most)


def test_number_within_reads_any_number_of_digits() -> None:
    assert number_within("9" * 100_000, 900) == 900


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("3", 3),
        ("1e9", LONGEST_WAIT_S),
        ("inf", LONGEST_WAIT_S),
        ("9" * 5_000, LONGEST_WAIT_S),
        ("-5", 0),
        ("nan", None),
        ("Fri, 31 Dec 9999 23:59:59 GMT", LONGEST_WAIT_S),
        ("Fri, 31 Dec 99999 23:59:59 GMT", None),
        ("", None),
        ("20", 20),
        ("6m0s", 360),
        ("30000d", LONGEST_WAIT_S),
        ("soon", None),
    ],
)
def test_retry_after_is_within_bounds(value: str, seconds: float | None) -> None:
    assert retry_after({"retry-after": value}) == seconds
    assert seconds is None or math.isfinite(seconds)


@pytest.mark.parametrize(
    ("ms", "seconds"), [("1500", 1.5), ("9" * 400, LONGEST_WAIT_S), ("-5", 0), ("nan", 20), ("soon", 20), ("", 20)]
)
def test_retry_after_prefers_milliseconds(ms: str, seconds: float) -> None:
    assert retry_after({"retry-after": "20", "retry-after-ms": ms}) == seconds


@pytest.mark.parametrize("library", [httpx, httpx2])
def test_bounded_client_reads_no_more_than_the_exchange_may_hold(library: object, hub: object) -> None:
    with bounded(library.Client(headers={"Accept-Encoding": "identity"})) as client:
        assert client.get(f"{hub.url}/api/datasets").status_code == 200  # no bounds outside
        with within(math.inf, 100), pytest.raises(library.ReadError):
            client.get(f"{hub.url}/api/datasets")
        with within(math.inf, 1_000_000):
            with within(math.inf, 100), pytest.raises(library.ReadError):
                client.get(f"{hub.url}/api/datasets")
            assert client.get(f"{hub.url}/api/datasets").status_code == 200
