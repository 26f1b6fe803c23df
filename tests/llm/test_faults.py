"""Under every fault: each dataset ends with designs or a code, and nothing is paid twice."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.instruction.stage import propose
from dynosaur_core.llm.circuit import CircuitBreaker
from dynosaur_core.llm.client import LlmClient
from dynosaur_core.models import Proposal, Usage
from dynosaur_core.reasons import Reason
from dynosaur_core.settings import Settings
from dynosaur_core.store import Store
from tests.instruction.data import dataset, settings, subset
from tests.support.llm import Faults, LlmServer
from tests.support.llm.faults import ALL, CONNECTION, EMPTY, HTTP, QUOTA, SAID, UNUSABLE
from tests.support.llm.fixtures import MakeClient

Outcome = tuple[Proposal, ...] | DynosaurError


def grow(names: list[str], chosen: Settings, llm: LlmClient, store: Store, workers: int = 8) -> dict[str, Outcome]:
    def one(name: str) -> Outcome:
        try:
            return propose(dataset(name), chosen, llm, store)
        except DynosaurError as error:
            return error

    with ThreadPoolExecutor(workers) as pool:
        return dict(zip(names, pool.map(one, names), strict=True))


def proposals(outcomes: dict[str, Outcome]) -> list[Proposal]:
    assert not [outcome for outcome in outcomes.values() if isinstance(outcome, DynosaurError)]
    return [proposal for outcome in outcomes.values() if not isinstance(outcome, DynosaurError) for proposal in outcome]


SILENT = ("hang", "drip", "headers", "informational")
"""The faults that only a timeout ends."""


@pytest.mark.parametrize("kind", ALL)
def test_one_kind_of_fault(kind: str, endpoint: LlmServer, client: MakeClient, store: Store) -> None:
    endpoint.behaviour.faults = Faults([kind], share=0.3, seed=1)
    endpoint.behaviour.hang_s = 6.0
    chosen = settings(timeout_s=1.5 if kind in SILENT else 60.0, retry_s=120.0)
    names = [f"owner/set-{number}" for number in range(6)]
    grown = grow(names, chosen, client(chosen), store)
    assert set(endpoint.seen.answered.values()) == {1}
    assert any(count > 1 for count in endpoint.seen.attempts.values()) == (kind in (*CONNECTION, *HTTP, *SAID, *EMPTY))
    clean = Store(f"{store.url}-clean")
    endpoint.behaviour.faults = Faults()
    expected = grow(names, chosen, LlmClient(chosen, clean, base_url=endpoint.url), clean)
    for got, wanted in zip(proposals(grown), proposals(expected), strict=True):
        if got.finish_reason == "length":  # cut off twice
            assert got.designs == wanted.designs[: len(got.designs)]
        elif got.problem:  # said no, or nothing of use twice
            assert kind in UNUSABLE and got.problem.reason in (Reason.MODEL_REFUSAL, Reason.UNPARSABLE)
        else:
            assert got.designs == wanted.designs


@pytest.mark.parametrize("api", ["chat", "responses"])
def test_all_faults_mixed_at_a_fifth(api: str, endpoint: LlmServer, client: MakeClient, store: Store) -> None:
    chosen = settings(timeout_s=2.0, retry_s=120.0, api=api)
    endpoint.behaviour.faults = Faults(ALL, share=0.2, seed=7)
    endpoint.behaviour.hang_s = 4.0
    names = [f"owner/set-{number}" for number in range(40)]
    llm = client(chosen)
    first = grow(names, chosen, llm, store, workers=16)
    assert len(proposals(first)) == 80
    assert len(endpoint.seen.answered) >= 80 and set(endpoint.seen.answered.values()) == {1}
    assert llm.usage().requests == endpoint.seen.answered.total() + endpoint.seen.empty
    again = grow(names, chosen, client(chosen), store)
    assert [p.designs for p in proposals(again)] == [p.designs for p in proposals(first)]
    assert set(endpoint.seen.answered.values()) == {1}


def test_what_was_answered_before_an_error_is_not_asked_again(
    endpoint: LlmServer, client: MakeClient, store: Store
) -> None:
    chosen = settings(retry_s=0.5, timeout_s=0.5)
    endpoint.behaviour.faults = Faults(planned={"(config two)": ["500"] * 100})
    metadata = dataset("a/b", subset("one"), subset("two"), summary=None)
    unshared = chosen.model_copy(update={"designing": chosen.designing.model_copy(update={"share_configs": False})})
    with pytest.raises(DynosaurError) as error:
        propose(metadata, unshared, client(unshared), store)
    assert error.value.code is Code.MODEL_SERVER_ERROR and not error.value.policy.deferred
    endpoint.behaviour.faults = Faults()
    assert [p.usage.requests for p in propose(metadata, unshared, client(unshared), store)] == [0, 1]
    assert set(endpoint.seen.answered.values()) == {1}


def test_a_wrong_key_stops_all_calls_with_one_message(
    endpoint: LlmServer, client: MakeClient, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-wrong-0123")
    endpoint.behaviour.key = "sk-right"
    outcomes = grow([f"owner/set-{number}" for number in range(30)], settings(), client(settings()), store, workers=16)
    errors = list(outcomes.values())
    assert all(isinstance(error, DynosaurError) and error.policy.deferred for error in errors)
    assert {str(error) for error in errors} == {str(errors[0])} and str(errors[0]).startswith("ModelKeyRefused")
    assert endpoint.seen.statuses == {401: 1}
    assert "sk-wrong" not in str(errors[0])


def test_a_spent_quota_stops_all_calls(endpoint: LlmServer, client: MakeClient, store: Store) -> None:
    endpoint.behaviour.faults = Faults([QUOTA], share=1.0)
    outcomes = grow([f"owner/set-{number}" for number in range(20)], settings(), client(settings()), store)
    assert {e.code for e in outcomes.values() if isinstance(e, DynosaurError)} == {Code.MODEL_QUOTA_SPENT}
    assert endpoint.seen.attempts.total() == 1


def test_a_dead_endpoint_stops_all_calls(endpoint: LlmServer, client: MakeClient, store: Store) -> None:
    chosen = settings(retry_s=600.0)
    llm = client(chosen)
    propose(dataset("owner/before"), chosen, llm, store)
    endpoint.behaviour.faults = Faults(["reset"], share=1.0)
    outcomes = grow([f"owner/set-{number}" for number in range(40)], chosen, llm, store, workers=8)
    assert {e.code for e in outcomes.values() if isinstance(e, DynosaurError)} == {Code.MODEL_UNREACHABLE}
    assert all(isinstance(error, DynosaurError) and error.policy.deferred for error in outcomes.values())
    assert len(endpoint.seen.attempts) < 40, "most datasets were not even tried"


def test_a_dead_endpoint_that_comes_back_is_asked_again(
    endpoint: LlmServer, client: MakeClient, store: Store, logged: list[str]
) -> None:
    chosen = settings(retry_s=600.0)
    llm = client(chosen)
    llm.breaker = CircuitBreaker(chosen.llm.timeout_s, try_again_s=0.5)
    propose(dataset("owner/before"), chosen, llm, store)
    endpoint.behaviour.faults = Faults(["reset"], share=1.0)
    with pytest.raises(DynosaurError):
        propose(dataset("owner/dead"), chosen, llm, store)
    endpoint.behaviour.faults = Faults()
    time.sleep(1.0)
    llm.check()  # the one request that may
    assert propose(dataset("owner/dead"), chosen, llm, store)
    opened, closed = [text for text in logged if text.startswith("circuit breaker")]
    assert "opens, one request tries again in 0 s: ModelUnreachable" in opened and "closes" in closed


def test_when_the_first_request_fails_the_others_do_not_queue_up(
    endpoint: LlmServer, client: MakeClient, store: Store
) -> None:
    chosen = settings(retry_s=0.5)
    endpoint.behaviour.latency_s = 0.1
    endpoint.behaviour.faults = Faults(["500"], share=1.0)
    outcomes = grow([f"owner/set-{number}" for number in range(8)], chosen, client(chosen), store)
    assert {e.code for e in outcomes.values() if isinstance(e, DynosaurError)} == {Code.MODEL_SERVER_ERROR}
    assert endpoint.seen.most_in_flight > 1


def test_nobody_listens(store: Store) -> None:
    llm = LlmClient(settings(), store, base_url="http://127.0.0.1:9/v1")
    outcomes = grow([f"owner/set-{number}" for number in range(20)], settings(), llm, store)
    assert {e.code for e in outcomes.values() if isinstance(e, DynosaurError)} == {Code.MODEL_UNREACHABLE}
    assert llm.usage() == Usage()


def test_without_a_key_openai_is_not_called(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    with pytest.raises(DynosaurError, match="OPENAI_API_KEY is not set"):
        LlmClient(settings(), store)


def test_a_request_that_is_refused_fails_its_dataset_alone(
    endpoint: LlmServer, client: MakeClient, store: Store
) -> None:
    chosen = settings(structured="schema")
    endpoint.behaviour.structured = "text"
    outcomes = grow(["owner/one"], chosen, client(chosen), store)
    error = outcomes["owner/one"]
    assert isinstance(error, DynosaurError) and error.code is Code.MODEL_REQUEST_REFUSED and not error.policy.transient
