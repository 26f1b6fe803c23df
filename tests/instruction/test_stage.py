"""The stage against a real endpoint on loopback: both APIs, every kind of answer, nothing asked twice."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pytest

from dynosaur_core.instruction.stage import plan, propose
from dynosaur_core.llm.client import LlmClient
from dynosaur_core.models import Mode, RowsHandle, Usage
from dynosaur_core.reasons import Reason
from dynosaur_core.store import Store
from tests.instruction.data import dataset, settings, subset
from tests.support.llm import Faults, LlmServer
from tests.support.llm.fixtures import MakeClient


@pytest.mark.parametrize("api", ["chat", "responses"])
def test_both_modes_are_asked_once_and_then_known(
    api: str, endpoint: LlmServer, client: MakeClient, store: Store
) -> None:
    chosen = settings(api=api)
    first = propose(dataset(), chosen, client(chosen), store)
    assert [proposal.mode for proposal in first] == [Mode.DESCRIPTION_AWARE, Mode.DESCRIPTION_UNAWARE]
    assert all(proposal.problem is None and proposal.designs[0].output_fields == ("answer",) for proposal in first)
    spent = sum((proposal.usage for proposal in first), Usage())
    assert (spent.requests, spent.prompt_tokens) == (2, endpoint.seen.prompt_tokens)
    assert spent.cost_usd == pytest.approx((spent.prompt_tokens * 0.2 + spent.completion_tokens * 1.2) / 1e6)
    again = propose(dataset(), chosen, client(chosen), store)
    assert [proposal.usage for proposal in again] == [Usage(), Usage()]
    assert [p.model_copy(update={"usage": Usage()}) for p in first] == list(again)
    assert sum(endpoint.seen.attempts.values()) == 2


def test_the_raw_answer_is_kept_with_what_was_asked(endpoint: LlmServer, client: MakeClient, store: Store) -> None:
    chosen = settings()
    (proposal, _) = propose(dataset(), chosen, client(chosen), store)
    kept = store.read_json(f"answers/{proposal.request_digest[:2]}/{proposal.request_digest}.json")
    assert kept["text"] == proposal.raw and kept["finish_reason"] == "stop"
    assert kept["messages"] == list(plan(dataset(), chosen)[0].request.messages)
    assert kept["usage"]["prompt_tokens"] > 0 and kept["when"]


def test_threads_that_want_the_same_answer_pay_once(endpoint: LlmServer, client: MakeClient, store: Store) -> None:
    endpoint.behaviour.latency_s = 0.1
    chosen = settings()
    llm = client(chosen)
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda _: propose(dataset(), chosen, llm, store), range(8)))
    assert len({p.raw for result in results for p in result}) == 1
    assert endpoint.seen.answered.total() == len(endpoint.seen.answered) == 2
    assert sum((p.usage for result in results for p in result), Usage()).requests == 2


def test_shared_configs_get_the_same_designs_and_one_bill(
    endpoint: LlmServer, client: MakeClient, store: Store
) -> None:
    chosen = settings()
    proposals = propose(dataset("a/b", subset("one"), subset("two")), chosen, client(chosen), store)
    assert [(p.config, p.mode.value) for p in proposals] == [
        (config, mode) for config in ("one", "two") for mode in ("description_aware", "description_unaware")
    ]
    assert proposals[0].designs == proposals[2].designs
    assert [p.usage.requests for p in proposals] == [1, 1, 0, 0]
    assert endpoint.seen.answered.total() == 2


def test_one_call_serves_both_modes(endpoint: LlmServer, client: MakeClient, store: Store) -> None:
    chosen = settings(one_call=True)
    proposals = propose(dataset(), chosen, client(chosen), store)
    assert [(p.mode, len(p.designs)) for p in proposals] == [(mode, 2) for mode in list(Mode)[:2]]
    assert [p.usage.requests for p in proposals] == [1, 0] and endpoint.seen.answered.total() == 1


def test_a_cut_answer_is_asked_once_more_with_room(endpoint: LlmServer, client: MakeClient, store: Store) -> None:
    chosen = settings(max_output_tokens=40)
    (proposal,) = propose(dataset(summary=None), chosen, client(chosen), store)
    rooms = sorted(body["max_tokens"] for body in endpoint.seen.bodies.values())
    assert rooms == [40, 160] and proposal.finish_reason == "stop" and proposal.usage.requests == 2
    propose(dataset(summary=None), chosen, client(chosen), store)
    assert endpoint.seen.answered.total() == 2


def test_an_answer_that_stays_cut_keeps_its_whole_tasks(endpoint: LlmServer, client: MakeClient, store: Store) -> None:
    chosen = settings()
    endpoint.behaviour.faults = Faults(["truncated"], share=1.0)
    (proposal,) = propose(dataset(summary=None), chosen, client(chosen), store)
    assert (len(proposal.designs), proposal.finish_reason, proposal.usage.requests) == (1, "length", 2)


@pytest.mark.parametrize("kind", ["prose"])
def test_an_unusable_answer_is_asked_for_repair_once(
    kind: str, endpoint: LlmServer, client: MakeClient, store: Store
) -> None:
    chosen = settings()
    endpoint.behaviour.faults = Faults(planned={"harbour/lights": [kind]})
    (proposal,) = propose(dataset(summary=None), chosen, client(chosen), store)
    assert proposal.problem is None and len(proposal.designs) == 2 and proposal.usage.requests == 2
    repair = next(body for body in endpoint.seen.bodies.values() if "cannot be used" in json.dumps(body))
    assert "no task could be read" in repair["messages"][-1]["content"]


def test_an_answer_that_cannot_be_repaired_is_a_problem_with_its_text(
    endpoint: LlmServer, client: MakeClient, store: Store
) -> None:
    chosen = settings()
    endpoint.behaviour.faults = Faults(["prose"], share=1.0)
    (proposal,) = propose(dataset(summary=None), chosen, client(chosen), store)
    assert proposal.problem is not None and proposal.problem.reason == Reason.UNPARSABLE
    assert "classification" in proposal.problem.detail and endpoint.seen.answered.total() == 2


@pytest.mark.parametrize("api", ["chat", "responses"])
def test_a_refusal_is_a_reason_and_is_not_argued_with(
    api: str, endpoint: LlmServer, client: MakeClient, store: Store
) -> None:
    chosen = settings(api=api)
    endpoint.behaviour.faults = Faults(["refusal"], share=1.0)
    (proposal,) = propose(dataset(summary=None), chosen, client(chosen), store)
    assert proposal.problem is not None and proposal.problem.reason == Reason.MODEL_REFUSAL
    assert endpoint.seen.answered.total() == 1


@pytest.mark.parametrize("api", ["chat", "responses"])
@pytest.mark.parametrize("structured", ["schema", "json", "text"])
def test_capability_is_found_once_and_remembered(
    structured: str, api: str, endpoint: LlmServer, client: MakeClient, store: Store
) -> None:
    endpoint.behaviour.structured, endpoint.behaviour.refuses = structured, ("temperature",)
    chosen = settings(api=api)
    llm = client(chosen)
    propose(dataset(), chosen, llm, store)
    refused = 1 + ["schema", "json", "text"].index(structured)
    assert endpoint.seen.statuses == {400: refused, 200: 2}
    assert (llm.capability.structured, llm.capability.dropped) == (structured, ("temperature",))
    propose(dataset("c/d"), chosen, client(chosen), store)
    assert endpoint.seen.statuses == {400: refused, 200: 4}


def test_an_endpoint_that_ignores_the_schema_is_seen_through(
    endpoint: LlmServer, client: MakeClient, store: Store
) -> None:
    endpoint.behaviour.faults = Faults(["fenced"], share=1.0)
    chosen = settings()
    llm = client(chosen)
    assert all(len(p.designs) == 2 for p in propose(dataset(), chosen, llm, store))
    assert llm.capability.structured == "text" and endpoint.seen.statuses == {200: 2}


def test_the_other_name_for_max_tokens_is_found(endpoint: LlmServer, client: MakeClient, store: Store) -> None:
    endpoint.behaviour.refuses = ("max_tokens",)
    chosen = settings()
    llm: LlmClient = client(chosen)
    propose(dataset(), chosen, llm, store)
    assert llm.capability.max_tokens_name == "max_completion_tokens" and endpoint.seen.statuses == {400: 1, 200: 2}


def test_missing_usage_is_counted_here(endpoint: LlmServer, client: MakeClient, store: Store) -> None:
    endpoint.behaviour.faults = Faults(["missing_usage"], share=1.0)
    chosen = settings()
    (proposal,) = propose(dataset(summary=None), chosen, client(chosen), store)
    assert proposal.usage.prompt_tokens == pytest.approx(endpoint.seen.prompt_tokens, rel=0.05)
    assert proposal.usage.completion_tokens == endpoint.seen.completion_tokens
    assert proposal.usage.cost_usd


def test_rules_stand_beside_the_model_or_alone(endpoint: LlmServer, client: MakeClient, store: Store) -> None:
    rows = pa.Table.from_pylist(
        [{"question": f"Who is {n}?", "context": f"{n} is {n}.", "answer": n} for n in "abcdefgh"]
    )
    name, size = store.write_table("rows", rows)
    with_rows = subset().model_copy(update={"rows": RowsHandle(digest=name, rows=8, size_bytes=size)})
    metadata = dataset("a/b", with_rows, task_categories=("question-answering",))
    chosen = settings({"designers": list(Mode)})
    assert [p.mode for p in propose(metadata, chosen, client(chosen), store)] == list(Mode)
    alone = settings({"designers": [Mode.RULES]})
    (proposal,) = propose(metadata, alone, None, store)
    assert proposal.mode is Mode.RULES and proposal.usage == Usage()
    assert endpoint.seen.answered.total() == 2


def test_check_asks_the_endpoint_each_time(endpoint: LlmServer, client: MakeClient, store: Store) -> None:
    llm = client(settings())
    assert llm.check().known and llm.check().structured == "schema"
    assert endpoint.seen.statuses == {200: 2}
