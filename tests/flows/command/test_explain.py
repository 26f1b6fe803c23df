"""`dynosaur explain` shows for each design its own verdict."""

from __future__ import annotations

import pytest

from dynosaur_core.models import FilterResult, InstructionTask, Mode, Proposal, Rejection, TaskDesign
from flows.command.explain import _designs

WORDS = "Answer the question."


def _proposal(*designs: TaskDesign) -> Proposal:
    return Proposal(
        config="default",
        mode=Mode.DESCRIPTION_AWARE,
        request_digest="r",
        model="m",
        designs=designs,
        shown_fields=("question", "answer", "id"),
    )


GOOD = TaskDesign(instruction=WORDS, input_fields=("question",), output_fields=("answer",))
BAD = TaskDesign(instruction=WORDS, input_fields=("question",), output_fields=("id",))
TASK = InstructionTask(
    repo_id="a/b",
    config="default",
    instruction=WORDS,
    input_fields=("question",),
    output_field="answer",
    mode=Mode.DESCRIPTION_AWARE,
    model="m",
)


def _turned_away(reason: str) -> Rejection:
    return Rejection(repo_id="a/b", level="task", stage="filter", reason=reason, config="default", instruction=WORDS)


@pytest.mark.parametrize("order", [(False, True), ()])
def test_designs_of_the_same_words_keep_their_own_verdicts(order: tuple[bool, ...]) -> None:
    """Also in a result of an earlier version, which does not tell the order."""
    rejected = (_turned_away("bookkeeping_output"),)
    result = FilterResult(proposed=2, tasks=(TASK,), rejections=rejected, accepted=order)
    found = list(_designs([_proposal(BAD, GOOD)], result, None))
    assert [(item.output_fields, item.verdict) for item in found] == [
        (("id",), "bookkeeping_output"),
        (("answer",), "accepted"),
    ]


def test_designs_that_are_equal_keep_their_places() -> None:
    """The same design twice: the first one was turned away (its answer was full), the second was accepted."""
    rejected = (_turned_away("too_many_tasks"),)
    result = FilterResult(proposed=2, tasks=(TASK,), rejections=rejected, accepted=(False, True))
    found = list(_designs([_proposal(GOOD), _proposal(GOOD)], result, None))
    assert [item.verdict for item in found] == ["too_many_tasks", "accepted"]


def test_designs_that_no_filter_has_seen_are_not_judged() -> None:
    assert [item.verdict for item in _designs([_proposal(GOOD)], None, None)] == ["not judged"]
