"""The judge stage: what it asks, how its answers become verdicts, and that no task slips through unjudged."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.judge.stage import MAX_TASKS, Ask, judge, judge_key, plan
from dynosaur_core.llm.client import LlmClient
from dynosaur_core.models import InstructionTask, Verdict
from dynosaur_core.reasons import Reason
from dynosaur_core.setting_sections import SHARED
from dynosaur_core.settings import Judging, Publishing
from dynosaur_core.store import Store
from tests.instruction.data import settings, text
from tests.judge.data import metadata, reviews, subset, task
from tests.support.llm import Asked, Judge, LlmServer
from tests.support.llm.fixtures import MakeClient

TASKS = (task(), task("Write a review that the label fits.", ("label",), "text"))


def asks(store: Store, tasks: tuple[InstructionTask, ...] = TASKS, **more: Any) -> tuple[Ask, ...]:
    return plan(metadata(subset(store, reviews())), tasks, settings(**more), store)


def judged(store: Store, llm: LlmClient, tasks: tuple[InstructionTask, ...] = TASKS) -> tuple[Verdict, ...]:
    return judge(asks(store, tasks), tasks, llm)


# --- what is asked


def test_all_tasks_of_a_dataset_are_one_request(store: Store) -> None:
    other = (*text("question", "answer"),)
    qa = subset(store, [{"question": f"What is {n}?", "answer": f"It is {n}."} for n in range(9)], "qa", other)
    tasks = (*TASKS, task("Answer the question.", ("question",), "answer", "qa"))
    (ask,) = plan(metadata(subset(store, reviews()), qa), tasks, settings(), store)
    shown = ask.request.messages[-1]["content"]
    assert ask.places == ((0,), (1,), (2,))
    assert 'Rows of "qa":' in shown and 'Rows of "default":' in shown
    assert list(Asked(ask.request.messages, None).tasks) == [1, 2, 3]
    assert ask.request.owner == "shop/reviews" and ask.request.answer == "verdicts"


def test_subsets_with_the_same_features_share_a_design_and_its_verdict(
    store: Store, client: MakeClient, endpoint: LlmServer
) -> None:
    endpoint.behaviour.judge = Judge({"Write": "not_derivable"})
    own = task("Say how good it is.", config="more")
    tasks = tuple(each.model_copy(update={"config": config}) for config in ("some", "more") for each in TASKS)
    many = metadata(subset(store, reviews(), "some"), subset(store, reviews(20), "more"))
    (ask,) = plan(many, (*tasks, own), settings(), store)
    assert ask.places == ((0, 2), (1, 3), (4,))
    verdicts = judge((ask,), (*tasks, own), client(settings()))
    assert [verdict.reason for verdict in verdicts] == [None, "not_derivable", None, "not_derivable", None]
    apart = plan(many, (*tasks, own), settings({"share_configs": False}), store)
    assert [len(each.places) for each in apart] == [5]


def test_many_tasks_are_several_requests(store: Store) -> None:
    tasks = tuple(task(f"Tell in {n} words how good it is.") for n in range(2 * MAX_TASKS + 1))
    assert [len(ask.places) for ask in asks(store, tasks)] == [MAX_TASKS, MAX_TASKS, 1]


def test_how_records_are_written_asks_nothing_anew(store: Store) -> None:
    given = metadata(subset(store, reviews()))
    ways = [Publishing(), Publishing(layout="json", max_input_chars=50, max_output_chars=9, row_options=3)]
    ways.append(Publishing(max_listed_chars=1))
    assert {name for way in ways for name in way.model_fields_set} | {*SHARED} == {*Publishing.model_fields}
    chosen = [settings().model_copy(update={"publishing": way}) for way in ways]
    assert len({judge_key(plan(given, TASKS, each, store)) for each in chosen}) == 1


def test_no_tasks_are_no_request(store: Store, client: MakeClient, endpoint: LlmServer) -> None:
    assert asks(store, ()) == () and judge((), (), client(settings())) == ()
    assert not endpoint.seen.attempts


def test_another_model_may_judge(store: Store, client: MakeClient, endpoint: LlmServer) -> None:
    chosen = settings().model_copy(update={"judging": Judging(model="gpt-4o-mini")})
    given = metadata(subset(store, reviews()))
    verdicts = judge(plan(given, TASKS, chosen, store), TASKS, client(chosen))
    assert {verdict.model for verdict in verdicts} == {"gpt-4o-mini"}
    assert {body["model"] for body in endpoint.seen.bodies.values()} == {"gpt-4o-mini"}


def test_the_key_is_that_of_the_exact_request(store: Store) -> None:
    key = judge_key(asks(store))
    assert judge_key(asks(store)) == key
    assert judge_key(asks(store, TASKS[:1])) != key
    assert judge_key(asks(store, TASKS[::-1])) != key
    assert judge_key(asks(store), "more") != key


def test_missing_rows_are_the_store_s_error(store: Store) -> None:
    bare = metadata(subset(store, reviews()).model_copy(update={"rows": None}))
    with pytest.raises(DynosaurError) as raised:
        plan(bare, TASKS, settings(), store)
    assert raised.value.code is Code.STORE_FAILED


# --- what is answered


def test_a_verdict_has_its_reason_its_grounds_and_its_model(
    store: Store, client: MakeClient, endpoint: LlmServer
) -> None:
    endpoint.behaviour.judge = Judge({"Write": "swapped"})
    good, bad = judged(store, client(settings()))
    assert (good.reason, good.said, good.model) == (None, "It fits.", settings().model)
    assert (bad.reason, bad.said, bad.mended) == (Reason.SWAPPED, "It is swapped.", None)


@pytest.mark.parametrize(
    ("mended", "changed"),
    [
        ("Write a text.", {"instruction": "Write a text."}),
        (
            {"input_fields": ["text"], "output_field": "label"},
            {"input_fields": ("text",), "output_fields": ("label",)},
        ),
        ("Write a review that the label fits.", None),
        ({"input_fields": ["label"], "output_field": "text"}, None),
        (None, None),
    ],
)
def test_a_task_is_mended_in_one_place(
    store: Store, client: MakeClient, endpoint: LlmServer, mended: Any, changed: dict[str, Any] | None
) -> None:
    endpoint.behaviour.judge = Judge({"Write": ("mismatch", mended)})
    design = judged(store, client(settings()))[1].mended
    if changed is None:
        assert design is None
    else:
        was = {"instruction": TASKS[1].instruction, "input_fields": ("label",), "output_fields": ("text",)}
        assert design is not None
        assert design.model_dump(include=set(was)) == was | changed


def test_what_is_right_is_not_mended(store: Store, client: MakeClient, endpoint: LlmServer) -> None:
    endpoint.behaviour.judge = Judge({"Write": ("none", "Write a text.")})
    assert judged(store, client(settings()))[1].mended is None


@pytest.mark.parametrize("kind", ["fenced", "python", "prefixed", "list", "chatty", "429", "500", "reset", "not_json"])
def test_answers_of_any_form_are_read_after_any_fault(
    store: Store, client: MakeClient, endpoint: LlmServer, kind: str
) -> None:
    endpoint.behaviour.judge = Judge({"Write": "swapped"})
    endpoint.behaviour.faults.planned = {"shop/reviews": [kind]}
    assert [verdict.reason for verdict in judged(store, client(settings()))] == [None, "swapped"]
    assert sum(endpoint.seen.answered.values()) == 1


# --- answers that leave a task unjudged


class Forgetful:
    """Leaves out the last task, so often."""

    def __init__(self, times: int) -> None:
        self.times = times

    def __call__(self, asked: Asked) -> str:
        self.times -= 1
        verdicts = json.loads(Judge()(asked))["verdicts"]
        return json.dumps({"verdicts": verdicts[: -1 if self.times >= 0 else None]})


def test_a_task_that_is_left_out_is_asked_about_once_more(
    store: Store, client: MakeClient, endpoint: LlmServer
) -> None:
    endpoint.behaviour.judge = Forgetful(1)
    assert [verdict.reason for verdict in judged(store, client(settings()))] == [None, None]
    first, second = endpoint.seen.bodies.values()
    assert "no verdict for task 2" in second["messages"][-1]["content"]
    assert second["messages"][: len(first["messages"])] == first["messages"]


def test_an_answer_that_is_cut_off_gets_more_room(store: Store, client: MakeClient, endpoint: LlmServer) -> None:
    endpoint.behaviour.faults.planned = {"shop/reviews": ["truncated"]}
    assert [verdict.reason for verdict in judged(store, client(settings()))] == [None, None]
    first, second = endpoint.seen.bodies.values()
    assert second["max_tokens"] == 4 * first["max_tokens"] and second["messages"] == first["messages"]


@pytest.mark.parametrize("kind", ["prose", "refusal"])
def test_an_answer_without_verdicts_accepts_nothing(
    store: Store, client: MakeClient, endpoint: LlmServer, kind: str
) -> None:
    """The dataset fails, and another night asks anew."""
    endpoint.behaviour.faults.planned = {"shop/reviews": [kind] * 2}
    with pytest.raises(DynosaurError) as raised:
        judged(store, client(settings()))
    assert raised.value.code is Code.NO_VERDICT and raised.value.policy.transient
    assert "task 1, 2" in raised.value.message
    asked = sum(endpoint.seen.answered.values())
    assert asked == (1 if kind == "refusal" else 2)
    endpoint.behaviour.faults.planned = {}
    assert [verdict.reason for verdict in judged(store, client(settings()))] == [None, None]
    assert sum(endpoint.seen.answered.values()) == asked + 1


def test_what_one_answer_judged_and_another_left_out_counts(
    store: Store, client: MakeClient, endpoint: LlmServer
) -> None:
    endpoint.behaviour.judge = Judge({"Write": "swapped"})
    halves = iter([lambda found: found[:1], lambda found: found[1:]])

    def answer(asked: Asked) -> str:
        return json.dumps({"verdicts": next(halves)(json.loads(Judge({"Write": "swapped"})(asked))["verdicts"])})

    endpoint.behaviour.judge = answer
    assert [verdict.reason for verdict in judged(store, client(settings()))] == [None, "swapped"]


def test_an_answer_is_paid_for_once(store: Store, client: MakeClient, endpoint: LlmServer) -> None:
    assert judged(store, client(settings())) == judged(store, client(settings()))
    assert sum(endpoint.seen.attempts.values()) == 1


def test_a_batch_brings_the_answer(store: Store, client: MakeClient) -> None:
    with pytest.raises(DynosaurError) as raised:
        judged(store, client(settings(batch=True)))
    assert raised.value.code is Code.BATCH_PENDING
