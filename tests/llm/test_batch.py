"""Batches: half the price, one payment, whatever happens on the way."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.instruction.stage import propose
from dynosaur_core.ledger.budget import Budget
from dynosaur_core.ledger.engine import open_engine
from dynosaur_core.llm.batch import Batches
from dynosaur_core.llm.client import MAX_LEFT_OUT, LlmClient
from dynosaur_core.llm.prices import cost_usd
from dynosaur_core.models import Usage
from dynosaur_core.settings import Settings
from dynosaur_core.store import Store
from tests.instruction.data import dataset, settings
from tests.llm.test_faults import Outcome, grow, proposals
from tests.support.llm import Faults, LlmServer
from tests.support.llm.faults import CONTENT
from tests.support.llm.fixtures import MakeClient

NAMES = [f"owner/set-{number}" for number in range(10)]


def pending(outcomes: dict[str, Outcome]) -> list[str]:
    return [n for n, o in outcomes.items() if isinstance(o, DynosaurError) and o.code is Code.BATCH_PENDING]


@pytest.fixture
def batched(request: pytest.FixtureRequest) -> Settings:
    return settings(batch=True, api=getattr(request, "param", "chat"))


@pytest.fixture
def known(endpoint: LlmServer, client: MakeClient, batched: Settings) -> LlmClient:
    """A client that knows its endpoint already."""
    llm = client(batched)
    llm.check()
    endpoint.seen.answered.clear()
    endpoint.seen.prompt_tokens = endpoint.seen.completion_tokens = 0
    return llm


def test_batches_say_what_is_sent_and_what_each_look_finds(
    endpoint: LlmServer, known: LlmClient, store: Store, batched: Settings, logged: list[str]
) -> None:
    endpoint.batches.immediate = False
    grow(NAMES[:1], batched, known, store)
    batches = Batches(known)
    batches.submit()
    batches.collect()
    endpoint.batches.finish("batch-0")
    batches.collect()
    said = [re.sub(r"[0-9a-f]{32}|batch-0", "X", text) for text in logged]
    assert said == [
        "batch X: 2 requests sent as X",
        "batch X of 2 requests: in_progress",
        "batch X of 2 requests: completed",
        "batch X has ended: 2 answered, 0 left out",
    ]


@pytest.mark.parametrize("batched", ["chat", "responses"], indirect=True)
def test_a_batch_answers_at_half_the_price(
    endpoint: LlmServer, known: LlmClient, store: Store, batched: Settings
) -> None:
    endpoint.batches.immediate = False
    assert pending(grow(NAMES, batched, known, store)) == NAMES
    assert Batches(known).submit() == 20 and Batches(known).submit() == 0
    running = Batches(known).collect()
    assert (running.running, running.waiting, running.answered) == (1, 20, 0)
    endpoint.batches.finish("batch-0")
    done = Batches(known).collect()
    assert (done.running, done.waiting, done.answered, done.missing) == (0, 0, 20, 0)
    assert list(done.datasets) == sorted(NAMES)
    grown = grow(NAMES, batched, known, store)
    assert all(p.problem is None and len(p.designs) == 2 for p in proposals(grown))
    spent = sum((p.usage for p in proposals(grown)), Usage())
    half = cost_usd(batched, endpoint.seen.prompt_tokens, 0, endpoint.seen.completion_tokens, batch=True)
    assert spent.cost_usd == pytest.approx(half) and done.usage.cost_usd == pytest.approx(half)
    assert (spent.requests, spent.prompt_tokens) == (20, endpoint.seen.prompt_tokens)
    assert endpoint.seen.answered.total() == 0 and set(endpoint.seen.batched.values()) == {1}
    assert sum((p.usage for p in proposals(grow(NAMES, batched, known, store))), Usage()) == Usage()


def test_an_unknown_endpoint_is_tried_with_one_request(
    endpoint: LlmServer, client: MakeClient, store: Store, batched: Settings
) -> None:
    endpoint.behaviour.structured, endpoint.behaviour.refuses = "json", ("temperature",)
    llm = client(batched)
    grow(NAMES, batched, llm, store)
    assert Batches(llm).submit() == 19
    assert Batches(llm).collect().answered == 19
    assert len(proposals(grow(NAMES, batched, llm, store))) == 20


def test_files_keep_within_the_limits(endpoint: LlmServer, known: LlmClient, store: Store, batched: Settings) -> None:
    grow(NAMES, batched, known, store)
    assert Batches(known, max_requests=8).submit() == 20
    assert sorted(len(data.splitlines()) for name, data in endpoint.batches.files.items())[-3:] == [8, 8, 8]
    assert len(endpoint.batches.batches) == 3
    grow([f"{name}-more" for name in NAMES], batched, known, store)
    Batches(known, max_bytes=20_000).submit()
    sent = [endpoint.batches.files[b["input_file_id"]] for b in endpoint.batches.batches.values()][3:]
    assert len(sent) > 2 and all(len(data) <= 20_000 for data in sent)


@pytest.mark.parametrize("outcome", ["expired", "cancelled", "failed"])
def test_what_a_batch_leaves_out_is_sent_again(
    outcome: str, endpoint: LlmServer, known: LlmClient, store: Store, batched: Settings
) -> None:
    endpoint.batches.outcome = outcome
    grow(NAMES, batched, known, store)
    Batches(known).submit()
    first = Batches(known).collect()
    left = 20 if outcome == "failed" else 10
    assert (first.answered, first.missing, first.waiting) == (20 - left, left, left)
    endpoint.batches.outcome = "completed"
    grow(NAMES, batched, known, store)
    assert Batches(known).submit() == left and Batches(known).collect().answered == left
    assert len(proposals(grow(NAMES, batched, known, store))) == 20
    assert set(endpoint.seen.batched.values()) == {1}


def test_a_request_that_no_batch_answers_fails_in_the_end(
    endpoint: LlmServer, known: LlmClient, store: Store, batched: Settings
) -> None:
    endpoint.batches.outcome = "failed"
    for _ in range(MAX_LEFT_OUT):
        assert pending(grow(NAMES[:1], batched, known, store)) == NAMES[:1]
        Batches(known).submit()
        Batches(known).collect()
    (error,) = grow(NAMES[:1], batched, known, store).values()
    assert isinstance(error, DynosaurError) and error.code is Code.BATCH_FAILED and not error.policy.deferred


def test_wrong_ids_and_failed_lines_are_not_taken_for_answers(
    endpoint: LlmServer, known: LlmClient, store: Store, batched: Settings
) -> None:
    endpoint.batches.wrong_ids, endpoint.batches.line_errors = 3, 2
    grow(NAMES, batched, known, store)
    Batches(known).submit()
    collected = Batches(known).collect()
    assert (collected.unknown, collected.answered, collected.missing) == (3, 15, 5)
    answered = [o for o in grow(NAMES, batched, known, store).values() if not isinstance(o, DynosaurError)]
    assert all(p.raw for o in answered for p in o)


def test_answers_of_odd_form_are_read_as_ever(
    endpoint: LlmServer, known: LlmClient, store: Store, batched: Settings
) -> None:
    endpoint.behaviour.faults = Faults(CONTENT, share=0.5, seed=2)
    grow(NAMES, batched, known, store)
    Batches(known).submit()
    Batches(known).collect()
    endpoint.behaviour.faults = Faults()
    assert all(len(p.designs) == 2 for p in proposals(grow(NAMES, batched, known, store)))


def test_a_batch_that_the_endpoint_forgot_is_sent_again(
    endpoint: LlmServer, known: LlmClient, store: Store, batched: Settings
) -> None:
    endpoint.batches.immediate = False
    grow(NAMES, batched, known, store)
    Batches(known).submit()
    endpoint.batches.batches.clear()
    assert Batches(known).collect().missing == 20
    endpoint.batches.immediate = True
    assert Batches(known).submit() == 20 and Batches(known).collect().answered == 20


def test_the_cap_holds_for_batches_too(endpoint: LlmServer, store: Store, batched: Settings, tmp_path: Path) -> None:
    budget = Budget(open_engine(f"sqlite:///{tmp_path}/ledger.db"), "g1", growth_usd=0.005)
    llm = LlmClient(batched.model_copy(update={"max_cost_usd": 0.005}), store, budget=budget, base_url=endpoint.url)
    llm.check()
    grow(NAMES, batched, llm, store)
    sent = Batches(llm).submit()
    assert 0 < sent < 20 and Batches(llm).collect().answered == sent
    while True:  # what was set aside and not spent lets more go
        try:
            sent += Batches(llm).submit()
        except DynosaurError as error:
            assert error.code is Code.BUDGET_SPENT
            break
        if not Batches(llm).collect().waiting:
            break
    spent = budget.spent().cost_usd
    assert spent is not None and spent <= 0.005


KILLED = """
import os, sys
from dynosaur_core.llm.batch import Batches
from dynosaur_core.llm.client import LlmClient
from dynosaur_core.store import Store
from tests.instruction.data import settings
from tests.llm.test_faults import grow

folder, url, moment = sys.argv[1:]

class DyingStore(Store):
    def write_json(self, name, value):
        job = value if name.startswith("batches/jobs/") else None
        if moment == "batch made" and job and job["batch_id"] or moment == "collected" and job and job["ended"]:
            os._exit(9)
        super().write_json(name, value)
        if moment == "job written" and job:
            os._exit(9)
        if moment == "half collected" and name.startswith("answers/") and len(self.names("batches/queue")) == 15:
            os._exit(9)

chosen, store = settings(batch=True), DyingStore(folder)
llm = LlmClient(chosen, store, base_url=url)
llm.check()
grow([f"owner/set-{number}" for number in range(10)], chosen, llm, store)
Batches(llm).submit()
Batches(llm).collect()
"""


@pytest.mark.parametrize("moment", ["job written", "batch made", "half collected", "collected"])
def test_killed_at_any_moment_one_batch_is_paid(
    moment: str, endpoint: LlmServer, client: MakeClient, store: Store, batched: Settings
) -> None:
    """The store dies with its process at the named write; another process goes on."""
    killed = subprocess.run([sys.executable, "-c", KILLED, store.root, endpoint.url, moment], timeout=60, check=False)
    assert killed.returncode == 9
    llm = client(batched)
    grow(NAMES, batched, llm, store)
    Batches(llm).submit()
    collected = Batches(llm).collect()
    assert (collected.running, collected.waiting, collected.answered) == (0, 0, 20)
    assert len(endpoint.batches.batches) == 1 and set(endpoint.seen.batched.values()) == {1}
    assert all(len(p.designs) == 2 for p in proposals(grow(NAMES, batched, llm, store)))


def test_submit_finds_the_batch_whose_answer_was_lost(
    endpoint: LlmServer, known: LlmClient, store: Store, batched: Settings, tmp_path: Path
) -> None:
    endpoint.batches.lost, endpoint.batches.page = ["answer"], 2
    grow(NAMES, batched, known, store)
    for _ in range(5):  # others use the account too: the list has pages
        endpoint.batches.batches[f"other-{uuid4().hex}"] = {
            "id": "x", "object": "batch", "endpoint": "", "completion_window": "24h", "input_file_id": "f",
            "status": "completed", "created_at": int(time.time()), "metadata": None,
        }  # fmt: skip
    for name, batch in endpoint.batches.batches.items():
        batch["id"] = name
    known.budget = Budget(open_engine(f"sqlite:///{tmp_path}/ledger.db"), "g1", growth_usd=1.0)
    assert Batches(known).submit() == 20
    done = Batches(known).collect()
    assert done.answered == 20 and endpoint.batches.calls["batches"] == 1
    assert set(endpoint.seen.batched.values()) == {1}
    half = cost_usd(batched, endpoint.seen.prompt_tokens, 0, endpoint.seen.completion_tokens, batch=True)
    assert known.budget.spent().cost_usd == pytest.approx(half)
    known.budget.reserve(1.0 - half - 1e-6)  # nothing is left set aside


def test_submit_sends_again_only_long_after_the_request_was_lost(
    endpoint: LlmServer, known: LlmClient, store: Store, batched: Settings
) -> None:
    endpoint.batches.lost = ["request"]
    grow(NAMES, batched, known, store)
    Batches(known).submit()
    early = Batches(known).collect()
    assert (early.running, early.answered, len(endpoint.batches.batches)) == (1, 0, 0)
    assert Batches(known, resend_after=timedelta(0)).collect().answered == 20
    assert len(endpoint.batches.batches) == 1 and set(endpoint.seen.batched.values()) == {1}


@pytest.mark.parametrize("done", ["", "batch-0", "batch-1"])
def test_collect_cancels_the_batch_that_appears_after_it_was_sent_again(
    done: str, endpoint: LlmServer, known: LlmClient, store: Store, batched: Settings
) -> None:
    endpoint.batches.lost, endpoint.batches.immediate = ["late"], False
    grow(NAMES, batched, known, store)
    batches = Batches(known, resend_after=timedelta(0))
    batches.submit()
    assert batches.collect().running == 1 and list(endpoint.batches.batches) == ["batch-1"]
    endpoint.batches.appear()
    if done:
        endpoint.batches.finish(done)
    else:
        assert batches.collect().running == 1
        endpoint.batches.finish(done := "batch-0")  # the first has waited longer
    other = {"batch-0": "batch-1", "batch-1": "batch-0"}[done]
    assert batches.collect().answered == 20
    assert endpoint.batches.batches[other]["status"] == "cancelled"
    assert set(endpoint.seen.batched.values()) == {1}


def test_submit_to_an_endpoint_without_batches_says_so(
    endpoint: LlmServer, known: LlmClient, store: Store, batched: Settings, tmp_path: Path
) -> None:
    endpoint.batches.known = False
    grow(NAMES, batched, known, store)
    known.budget = Budget(open_engine(f"sqlite:///{tmp_path}/ledger.db"), "g1", growth_usd=1.0)
    with pytest.raises(DynosaurError, match="no Batch API") as error:
        Batches(known).submit()
    assert error.value.policy.deferred
    known.budget.settle(known.budget.reserve(1.0), Usage())  # nothing is left set aside
    endpoint.batches.known = True
    assert Batches(known).submit() == 20


def test_submit_frees_the_money_of_a_refused_batch(
    endpoint: LlmServer, known: LlmClient, store: Store, batched: Settings, tmp_path: Path
) -> None:
    endpoint.batches.max_requests = 5
    grow(NAMES, batched, known, store)
    known.budget = Budget(open_engine(f"sqlite:///{tmp_path}/ledger.db"), "g1", growth_usd=1.0)
    with pytest.raises(DynosaurError) as error:
        Batches(known).submit()
    assert error.value.code is Code.BATCH_FAILED
    known.budget.reserve(1.0)


def test_collect_reads_any_result_line(endpoint: LlmServer, known: LlmClient, store: Store, batched: Settings) -> None:
    endpoint.behaviour.faults = Faults(planned={"owner/set-1": ["broken"], "owner/set-2": ["empty"]})
    grow(NAMES, batched, known, store)
    Batches(known).submit()
    output = endpoint.batches.batches["batch-0"]["output_file_id"]
    lines = endpoint.batches.files[output].splitlines()
    first = next(line for line in lines if b'"finish_reason": "stop"' in line and b'"content": ""' not in line)
    others = [line for line in lines if line != first]
    digest = json.loads(first)["custom_id"]
    odd = [b"no json", b"[1]", b"7", json.dumps({"custom_id": digest, "response": "odd"}).encode(), b"[" * 5_000]
    endpoint.batches.files[output] = b"\n".join([*odd, *others])
    collected = Batches(known).collect()
    assert (collected.answered, collected.missing, collected.waiting) == (17, 3, 3)
    assert collected.usage.requests == 19, "two broken answers cost what they cost"


def test_without_an_endpoint_the_batches_stay_as_they_are(
    endpoint: LlmServer, known: LlmClient, store: Store, batched: Settings
) -> None:
    grow(NAMES, batched, known, store)
    Batches(known).submit()
    dead = LlmClient(batched, store, base_url="http://127.0.0.1:9/v1")
    with pytest.raises(DynosaurError) as error:
        Batches(dead).collect()
    assert error.value.code is Code.MODEL_UNREACHABLE
    assert Batches(known).collect().answered == 20
    assert len(propose(dataset(NAMES[0]), batched, known, store)) == 2
