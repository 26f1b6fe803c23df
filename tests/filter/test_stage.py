"""The stage as a whole: conservation, duplicates, labels, laziness, keys."""

from __future__ import annotations

from collections import Counter

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from dynosaur_core.filter.recipes import CHECKS
from dynosaur_core.filter.stage import filter_key, filter_tasks, judge_design
from dynosaur_core.models import FilterResult, Mode, Proposal, Rejection, Subset, TaskDesign, Usage
from dynosaur_core.reasons import Reason
from dynosaur_core.settings import Filtering
from tests.filter.tables import Data, N, choices, design, nli, proposal, sentence

ENTAILS = "Given a premise and a hypothesis, determine whether the hypothesis is entailed."
CONTRADICTS = "Given a premise and a hypothesis, determine if the hypothesis contradicts the premise."


def run(data: Data, *proposals: Proposal, settings: Filtering | None = None) -> FilterResult:
    return filter_tasks("someone/data", [data.subset], proposals, lambda _: data.table, settings or Filtering())


def counted(result: FilterResult) -> Counter[str]:
    return Counter(rejection.reason for rejection in result.rejections)


def test_same_mapping_again_in_the_other_mode() -> None:
    result = run(
        nli(),
        proposal(design(ENTAILS, "premise,hypothesis", "label")),
        proposal(design(CONTRADICTS, "hypothesis,premise", "label"), mode=Mode.DESCRIPTION_UNAWARE),
    )
    assert [task.instruction for task in result.tasks] == [ENTAILS]
    assert counted(result) == {Reason.DUPLICATE_MAPPING: 1}
    assert result.rejections[0].mode is Mode.DESCRIPTION_UNAWARE


def test_same_words_again() -> None:
    wording = "Write a hypothesis for the label."
    result = run(
        nli(),
        proposal(
            design(wording, "premise,label", "hypothesis"), design(wording.upper() + "!", "hypothesis,label", "premise")
        ),
    )
    assert counted(result) == {Reason.DUPLICATE_INSTRUCTION: 1}


def test_rejected_design_bars_no_later_one() -> None:
    broken, whole = design(ENTAILS, "premise,missing", "label"), design(ENTAILS, "premise,hypothesis", "label")
    result = run(nli(), proposal(broken, whole, shown="premise,hypothesis,label"))
    assert [task.input_fields for task in result.tasks] == [("premise", "hypothesis")]


def test_each_wording_of_one_mapping_stands_on_its_own() -> None:
    data = nli()
    for wording in (ENTAILS, CONTRADICTS):
        found = judge_design(
            "a/b", data.subset, design(wording, "premise,hypothesis", "label"), data.table, Filtering()
        )
        assert found == []


def test_more_tasks_than_allowed() -> None:
    designs = [
        design("Determine whether the premise entails the hypothesis.", "premise,hypothesis", "label"),
        design("Write a hypothesis for the premise and label.", "premise,label", "hypothesis"),
        design("Write a premise for the hypothesis and label.", "hypothesis,label", "premise"),
        design("Write a premise of the given label.", "label", "premise"),
    ]
    result = run(nli(), proposal(*designs), settings=Filtering(max_tasks=3))
    assert len(result.tasks) == 3
    assert counted(result) == {Reason.TOO_MANY_TASKS: 1}


def test_answer_that_gave_no_design_counts_once() -> None:
    problem = Rejection(repo_id="someone/data", level="subset", stage="instruction", reason=Reason.UNPARSABLE)
    result = run(nli(), proposal(problem=problem))
    assert (result.proposed, result.tasks) == (1, ())
    assert [(r.level, r.reason, r.count) for r in result.rejections] == [("task", Reason.UNPARSABLE, 1)]


def test_unknown_config() -> None:
    result = run(nli(), proposal(design(ENTAILS, "premise,hypothesis", "label"), config="other"))
    assert counted(result) == {Reason.UNKNOWN_SUBSET: 1}


def test_rows_are_read_once_and_only_when_needed() -> None:
    data, read = nli(), []

    def rows(subset: Subset) -> pa.Table:
        read.append(subset.config)
        return data.table

    bad = proposal(design(ENTAILS, "", "label"), design("Write both.", "label", "premise,hypothesis"))
    filter_tasks("a/b", [data.subset], [bad], rows, Filtering())
    assert read == []
    good = proposal(
        design(ENTAILS, "premise,hypothesis", "label"), design("Write a premise for it.", "label,hypothesis", "premise")
    )
    assert len(filter_tasks("a/b", [data.subset], [good, good], rows, Filtering()).tasks) == 2
    assert read == ["default"]


def test_subset_without_rows() -> None:
    for recipe in ("default", "reference"):
        settings = Filtering.model_validate({"recipe": recipe})
        given_in = [proposal(design(ENTAILS, "premise,hypothesis", "label"))]
        result = filter_tasks("a/b", [nli().subset], given_in, lambda _: None, settings)
        assert counted(result) == {Reason.TOO_FEW_ROWS: 1}


def test_labels_of_a_class_are_in_its_order() -> None:
    (task,) = run(choices(), proposal(design("Answer the question.", "question,choices", "answer"))).tasks
    assert task.labels == ("A", "B", "C", "D")


def labels_of(values: list[object], **settings: int) -> tuple[str, ...]:
    data = Data({"text": [sentence(i) for i in range(len(values))], "grade": values})
    result = run(data, proposal(design("Grade the text.", "text", "grade")), settings=Filtering(**settings))
    return result.tasks[0].labels


def test_labels_of_a_closed_set() -> None:
    assert labels_of([[10, 9, 2][i * 5 % 7 % 3] for i in range(N)]) == ("2", "9", "10")
    assert labels_of([["b", "c", "a"][i * 5 % 7 % 3] for i in range(N)]) == ("a", "b", "c")
    assert labels_of([["fair", "of uncertain quality"][i * 5 % 7 % 2] for i in range(N)]) != ()
    assert labels_of([["fair", "a long text " * 9][i * 5 % 7 % 2] for i in range(N)]) == ()
    assert labels_of([str(i * 5 % 12) for i in range(N)]) == ()
    assert labels_of([str(i * 5 % 12) for i in range(N)], max_labels=12) != ()


def test_ten_rows_print_no_answers() -> None:
    assert labels_of([f"answer {i}" for i in range(10)]) == ()
    assert labels_of([f"answer {i // 2}" for i in range(10)]) == ()
    assert labels_of(["yes", "no"] * 40 + ["perhaps"]) == ()


def test_key_follows_content_not_cost() -> None:
    one = proposal(design(ENTAILS, "premise,hypothesis", "label"))
    spent = one.model_copy(update={"usage": Usage(requests=3), "raw": "text", "finish_reason": "stop"})
    other = proposal(design(CONTRADICTS, "premise,hypothesis", "label"))
    key = filter_key([one], {"default": "d1"}, Filtering())
    assert filter_key([spent], {"default": "d1"}, Filtering()) == key
    changed = [
        filter_key([other], {"default": "d1"}, Filtering()),
        filter_key([one], {"default": "d2"}, Filtering()),
        filter_key([one], {"default": "d1"}, Filtering(min_rows=9)),
    ]
    assert len({key, *changed}) == 4


FIELDS = st.sampled_from(["premise", "hypothesis", "label", "idx", "missing", ""])
DESIGNS = st.builds(
    TaskDesign,
    instruction=st.one_of(st.sampled_from([ENTAILS, CONTRADICTS, "", "Write a premise."]), st.text(max_size=60)),
    input_fields=st.lists(FIELDS, max_size=3).map(tuple),
    output_fields=st.lists(FIELDS, max_size=2).map(tuple),
    malformed=st.sampled_from([None, None, None, "no mapping"]),
)
PROBLEM = Rejection(repo_id="a/b", level="subset", stage="instruction", reason=Reason.MODEL_REFUSAL, count=5)
PROPOSALS = st.builds(
    Proposal,
    config=st.sampled_from(["default", "default", "gone"]),
    mode=st.sampled_from(list(Mode)),
    request_digest=st.just("d"),
    model=st.just("m"),
    designs=st.lists(DESIGNS, max_size=5).map(tuple),
    shown_fields=st.lists(FIELDS, max_size=5).map(tuple),
    problem=st.sampled_from([None, None, PROBLEM]),
)
DATA = nli()


@given(st.lists(PROPOSALS, max_size=5), st.sampled_from(["default", "reference"]))
def test_every_design_is_accepted_or_rejected_once(proposals: list[Proposal], recipe: str) -> None:
    settings = Filtering.model_validate({"recipe": recipe})
    result = run(DATA, *proposals, settings=settings)
    given_in = sum(len(p.designs) + (p.problem is not None) for p in proposals)
    assert result.proposed == given_in
    assert result.proposed == len(result.tasks) + sum(r.count for r in result.rejections if r.level == "task")
    assert all(r.reason in set(Reason) for r in result.rejections)
    assert result == run(DATA, *proposals, settings=settings)


PARTS = [
    "given",
    "the",
    "a",
    "premise",
    "hypothesis",
    "label",
    "write",
    "and",
    "or",
    "whether",
    "if",
    "of",
    "based",
    "on",
]
PARTS += ["such", "as", "two", "into", "other", "opposite", "same", "not", ",", ".", "(", ")", "'"]
WORDS = st.lists(st.sampled_from(PARTS), max_size=25).map(" ".join)


@given(st.one_of(WORDS, st.text(max_size=80)))
def test_no_wording_breaks_a_check(wording: str) -> None:
    for inputs, output in (
        ("premise,hypothesis", "label"),
        ("label", "premise"),
        ("premise", "hypothesis"),
        ("premise", "idx"),
    ):
        DATA.judge(f"Say {wording}", inputs, output)


def test_checks_have_names_and_sentences() -> None:
    checks = [check for group in CHECKS for check in group]
    assert len({check.__name__ for check in checks}) == len(checks)
