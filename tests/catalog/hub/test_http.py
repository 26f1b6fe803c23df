"""Quotas, retries, deadlines and errors of all reading from the Hub."""

from __future__ import annotations

import threading
import time

import httpx
import pytest

from dynosaur_core.catalog.hub.http import (
    API,
    FILES,
    HubHttp,
    Quotas,
    Response,
    response_error,
    shared_http,
    viewer_address,
)
from dynosaur_core.errors import Code, DynosaurError
from tests.support.dripping import ANSWERS, dripping
from tests.support.hub import Fault, LoopbackHub
from tests.support.hub.content import card

README = "datasets/me/x/resolve/main/README.md"


@pytest.fixture
def http(hub: LoopbackHub) -> HubHttp:
    hub.add("me/x", {"README.md": card("hello")})
    return HubHttp(hub.url, hub.token, timeout_s=0.5, backoff_s=0.01)


def whole(response: Response) -> bytes:
    return response.body


@pytest.mark.parametrize("kind", ["429", "500", "502", "503", "504", "reset", "hang", "truncated"])
def test_faults_that_pass_are_tried_again(hub: LoopbackHub, http: HubHttp, kind: str) -> None:
    hub.faults.add(Fault(kind, times=2))
    assert http.get(f"{hub.url}/{README}", FILES, whole).endswith(b"hello")
    assert hub.requests["resolve"] == 3


def test_a_body_that_makes_no_sense_is_asked_for_again(hub: LoopbackHub, http: HubHttp) -> None:
    hub.faults.add(Fault("garbage", times=2))
    assert http.get(f"{hub.url}/api/datasets/me/x", API, lambda response: response.json())["id"] == "me/x"


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("429", Code.RATE_LIMITED),
        ("503", Code.SERVER_ERROR),
        ("reset", Code.CONNECTION_FAILED),
        ("truncated", Code.CONNECTION_FAILED),
        ("garbage", Code.SERVER_ERROR),
    ],
)
def test_faults_that_stay_end_after_a_few_tries(hub: LoopbackHub, http: HubHttp, kind: str, code: Code) -> None:
    hub.faults.add(Fault(kind))
    with pytest.raises(DynosaurError) as caught:
        http.get(f"{hub.url}/api/datasets/me/x", API, lambda response: response.json())
    assert caught.value.code is code and caught.value.policy.transient
    assert (caught.value.__cause__ is None) == kind.isdigit()  # what the server itself said has no other cause
    assert sum(hub.requests.values()) == http.attempts


def test_a_server_that_hangs_costs_no_more_than_the_deadline(hub: LoopbackHub, http: HubHttp) -> None:
    hub.faults.add(Fault("hang"))
    with pytest.raises(DynosaurError) as caught:
        http.get(f"{hub.url}/{README}", FILES, whole, deadline=time.monotonic() + 0.3)
    assert caught.value.code is Code.TIMED_OUT


def test_what_is_refused_is_not_tried_again(hub: LoopbackHub, http: HubHttp) -> None:
    expected = {
        "api/datasets/me/none": Code.NOT_FOUND,
        f"datasets/me/x/resolve/{'0' * 40}/README.md": Code.REVISION_GONE,
        "datasets/me/gated/resolve/main/README.md": Code.GATED,
        "api/datasets/me/disabled": Code.NOT_ALLOWED,
    }
    for name in ("gated", "disabled"):
        hub.add(f"me/{name}", {"README.md": card()})
    hub.gate("me/gated")
    hub.disable("me/disabled")
    for path, code in expected.items():
        with pytest.raises(DynosaurError) as caught:
            http.get(f"{hub.url}/{path}", FILES, whole)
        assert (path, caught.value.code) == (path, code)
    assert sum(hub.requests.values()) == len(expected)
    wrong = HubHttp(hub.url, "hf_wrong")
    with pytest.raises(DynosaurError) as caught:
        wrong.get(f"{hub.url}/api/datasets/me/x", API, whole)
    assert caught.value.code is Code.NOT_ALLOWED


def test_no_answer_may_be_larger_than_allowed(hub: LoopbackHub, http: HubHttp) -> None:
    with pytest.raises(DynosaurError) as caught:
        http.get(f"{hub.url}/{README}", FILES, whole, max_bytes=10)
    assert caught.value.code is Code.TOO_LARGE


def test_a_spent_quota_holds_back_all_threads(hub: LoopbackHub, http: HubHttp) -> None:
    hub.quota["resolvers"], hub.window_s = 3, 2.0
    threads = [threading.Thread(target=http.get, args=(f"{hub.url}/{README}", FILES, whole)) for _ in range(6)]
    http.get(f"{hub.url}/{README}", FILES, whole)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(status for _, _, status, _ in hub.log) == [200] * 7  # nobody ran into the wall


def test_one_429_makes_the_others_wait(hub: LoopbackHub, http: HubHttp) -> None:
    hub.faults.add(Fault("429", times=1, retry_after=0.5))
    waiting = threading.Event()

    def first() -> None:
        waiting.set()
        http.get(f"{hub.url}/{README}", FILES, whole)

    thread = threading.Thread(target=first)
    thread.start()
    waiting.wait()
    while not hub.requests["resolve"]:
        time.sleep(0.01)
    time.sleep(0.1)
    with pytest.raises(DynosaurError) as caught:
        http.get(f"{hub.url}/{README}", FILES, whole, deadline=time.monotonic() + 0.01)
    assert caught.value.code is Code.RATE_LIMITED and caught.value.retry_after
    assert hub.requests["resolve"] == 1
    thread.join()
    assert hub.requests["resolve"] == 2


def test_quotas_are_apart() -> None:
    quotas = Quotas()
    quotas.learn({"ratelimit": '"api";r=0;t=60'})
    quotas.take(FILES, time.monotonic())
    with pytest.raises(DynosaurError):
        quotas.take(API, time.monotonic() + 1)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"RateLimit": '"api";r=0;t=55', "Retry-After": "3"}, 55),
        ({"RateLimit": '"api";r=9;t=55', "Retry-After": "3"}, 3),
        ({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0),
        ({"Retry-After": "soon"}, None),
    ],
)
def test_how_long_a_429_asks_to_wait(headers: dict[str, str], seconds: float | None) -> None:
    error = response_error(Response(429, httpx.Headers(headers), b"", "http://hub/x?signature=secret"))
    assert error.retry_after == seconds
    assert "secret" not in str(error)


def test_the_token_stays_with_the_hub(hub: LoopbackHub, http: HubHttp) -> None:
    with LoopbackHub() as other:
        other.users = {hub.token: "thief"}
        other.add("me/x", {"README.md": card()}, private=True)
        with pytest.raises(DynosaurError):
            http.get(f"{other.url}/{README}", FILES, whole)


def test_endpoint_and_token_of_the_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:1/")
    monkeypatch.setenv("HF_TOKEN", "hf_one")
    assert shared_http().endpoint == "http://127.0.0.1:1"
    assert shared_http() is shared_http()
    monkeypatch.setenv("HF_TOKEN", "hf_two")
    assert shared_http() is not shared_http(token="hf_one")


@pytest.mark.parametrize(
    ("endpoint", "viewer"),
    [
        ("https://huggingface.co", "https://datasets-server.huggingface.co"),
        ("https://hub.example.org", "https://datasets-server.hub.example.org"),
        ("http://127.0.0.1:8900", "http://127.0.0.1:8900"),
        ("http://localhost:8900", "http://localhost:8900"),
        ("http://[::1]:8900", "http://[::1]:8900"),
    ],
)
def test_viewer_address(endpoint: str, viewer: str) -> None:
    assert viewer_address(endpoint) == viewer


@pytest.mark.parametrize("kind", ANSWERS)
def test_get_ends_an_answer_that_never_ends(kind: str) -> None:
    with dripping(kind) as address:
        http = HubHttp(address, None, timeout_s=5, exchange_s=0.3, attempts=1)
        with pytest.raises(DynosaurError) as caught:
            http.get(f"{address}/{README}", FILES, whole)
    assert caught.value.code is Code.TIMED_OUT


@pytest.mark.parametrize("t", ["9" * 400, "9" * 5_000, "99999999"])
@pytest.mark.parametrize("policy", ["", f'"fixed window";"api";q=0;w={"9" * 400}', f"q={'9' * 5_000};w=0"])
def test_quotas_are_within_bounds_whatever_a_server_says(t: str, policy: str) -> None:
    quotas = Quotas()
    quotas.learn({"ratelimit": f'"api";r=0;t={t}', "ratelimit-policy": policy})
    with pytest.raises(DynosaurError) as caught:
        quotas.take(API, time.monotonic() + 1)
    assert caught.value.retry_after is not None and caught.value.retry_after <= 900
    error = response_error(Response(429, httpx.Headers({"RateLimit": f'"api";r=000;t={t}'}), b"", "http://hub/x"))
    assert error.retry_after == 900
