"""A growth's bookkeeping: whatever text a dataset, model or endpoint sends can be written down, and attempts count."""

from __future__ import annotations

import io
import json
import types
from datetime import UTC, datetime, timedelta
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.failing import by_code, failing
from dynosaur_core.growth import Growth, refusal_of_records, refusal_of_tasks
from dynosaur_core.ledger import Ledger, LedgerEntry, Outcome
from dynosaur_core.models import (
    Contribution,
    DatasetMetadata,
    DatasetRef,
    FilterResult,
    GrowthPlan,
    InstructionRecord,
    Proposal,
    Rejection,
    ShardHandle,
)
from dynosaur_core.named import named
from dynosaur_core.reasons import Reason
from dynosaur_core.report import GrowthReport
from dynosaur_core.settings import Settings
from dynosaur_core.sorting import Sorting
from dynosaur_core.store import Store
from dynosaur_core.traces import trace_name
from flows.command.screen import Screen
from flows.progress import BranchEnded, GrowthEnded, Planned
from tasks.artifacts.failures import failed_markdown
from tasks.artifacts.growth import Told, growth_markdown
from tests.ledger.conftest import ledger as ledger
from tests.ledger.conftest import postgres_url as postgres_url

HOSTILE = st.one_of(
    st.text(st.characters(codec=None), max_size=12),
    st.sampled_from(
        ["\x00", "\ud83d", "\udcff\ud800", "[/b]", "[link=x]", "a" * 300, "\x1b[2J", "\u202e", "|`<b>", "'; --", ""]
    ),
    st.text("a\x00\ud800\udc00[/]\n\u2028", max_size=400),
)


@cache
def anything(kind: Any) -> st.SearchStrategy[Any]:
    """Values of a field's type, every text in them hostile."""
    origin, parts = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return anything(parts[0])
    if origin is tuple:
        several = parts[-1] is Ellipsis
        return st.lists(anything(parts[0]), max_size=2).map(tuple) if several else st.tuples(*map(anything, parts))
    if origin is dict:
        return st.dictionaries(HOSTILE, st.one_of(HOSTILE, st.lists(HOSTILE, max_size=2)), max_size=2)
    if origin is Literal:
        return st.sampled_from(parts)
    if origin in (Union, types.UnionType):
        return st.one_of(*(anything(part) for part in parts))
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        fields = {name: field.annotation for name, field in kind.model_fields.items() if name != "children"}
        return st.fixed_dictionaries({name: anything(part) for name, part in fields.items()}).map(kind.model_validate)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return st.sampled_from(list(kind))
    plain = {str: HOSTILE, int: st.integers(0, 2**31 - 1), bool: st.booleans(), type(None): st.none()}
    moments = st.datetimes(datetime(2000, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC))
    return {**plain, float: st.floats(0, 1e6), datetime: moments}[kind]


def _growth(ledger: Ledger, store: Store, plan: GrowthPlan | None = None) -> Growth:
    report = GrowthReport("20260101T000000-abcd", plan or GrowthPlan())
    return Growth(report.growth_id, "folder x", ledger, store, Settings(), report)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    ref=anything(DatasetRef),
    metadata=anything(DatasetMetadata),
    proposals=st.lists(anything(Proposal), max_size=2),
    filtered=anything(FilterResult),
    contribution=anything(Contribution),
    record=anything(InstructionRecord),
    code=st.sampled_from(sorted(Code)),
    said=HOSTILE,
)
def test_bookkeeping_takes_hostile_text_in_every_field_of_every_noun(
    ledger: Ledger,
    tmp_path: Path,
    ref: DatasetRef,
    metadata: DatasetMetadata,
    proposals: list[Proposal],
    filtered: FilterResult,
    contribution: Contribution,
    record: InstructionRecord,
    code: Code,
    said: str,
) -> None:
    store = Store(str(tmp_path / "store"))
    growth = _growth(ledger, store, GrowthPlan(new=(ref,), cut_off=said))
    error = DynosaurError(code, said)
    parts = {"metadata": metadata, "instruction": proposals, "filter": filtered, "publish": contribution}
    for end in (
        lambda: growth.grown(ref, contribution),
        lambda: growth.refused(ref, "metadata", Reason.EMPTY, said),
        lambda: growth.failed(ref, "publish", error),
        lambda: growth.set_back(ref, error),
    ):
        growth.begin(ref)
        growth.trace(ref, {**parts, "record": record, "error": str(error)})
        end()
        entry = ledger.get(ref.repo_id)
        assert entry is not None
        assert entry.dataset_ref() == ref
    assert json.loads(store.read_bytes(trace_name(ref.repo_id)) or b"")["publish"]["license"] == contribution.license
    growth.report.release_errors = {said: said}
    growth.report.add_branch(None, None, contribution)
    page = growth_markdown(growth.report, Told(named(ledger, growth.growth_id, 10), {}))
    began = growth.report.begun
    page += failed_markdown(by_code(failing(ledger), 10, began), began, {"store": said})
    screen = Screen()
    screen.console.file = io.StringIO()
    screen.listen(Planned(growth.report.plan))
    screen.listen(BranchEnded(ref.repo_id, str(error)))
    screen.listen(GrowthEnded(growth.report))
    screen.show_report(Settings())
    for shown in (page, screen.console.file.getvalue(), json.dumps(growth.report.summary().as_json())):
        assert "\x00" not in shown and "\x1b" not in shown and "\u202e" not in shown
        shown.encode()
    ledger.finish_growth(growth.growth_id, growth.report.summary().as_json(), datetime.now(UTC))


REF = DatasetRef(repo_id="x/killer", revision="a" * 40)


def _entry(ledger: Ledger) -> LedgerEntry:
    entry = ledger.get(REF.repo_id)
    assert entry is not None
    return entry


def test_begin_counts_the_attempt_before_it_is_made(ledger: Ledger, tmp_path: Path) -> None:
    """Each round is a growth whose process dies at work on the dataset."""
    store = Store(str(tmp_path))
    for attempt in range(1, 6):
        growth = _growth(ledger, store)
        growth.begin(REF)
        entry = _entry(ledger)
        assert (entry.code, entry.attempts, entry.quarantined) == ("Interrupted", attempt, attempt == 5)
        due = entry.next_try is not None and entry.next_try <= growth.clock()
        assert due is (attempt < 5)
    assert entry.outcome is Outcome.FAILED


def test_begin_costs_nothing_where_the_branch_ends_or_is_set_back(ledger: Ledger, tmp_path: Path) -> None:
    growth = _growth(ledger, Store(str(tmp_path)))
    for _ in range(7):  # nights on which the model was away, or somebody ended the growth
        growth.begin(REF)
        growth.failed(REF, "instruction", DynosaurError(Code.MODEL_UNREACHABLE, "away"))
        growth.begin(REF)
        growth.set_back(REF, DynosaurError(Code.INTERRUPTED, "ended"))
    assert (_entry(ledger).attempts, _entry(ledger).quarantined) == (0, False)
    growth.begin(REF)
    growth.failed(REF, "metadata", DynosaurError(Code.TIMED_OUT, "hangs"))
    entry = _entry(ledger)
    assert (entry.code, entry.attempts) == ("TimedOut", 1)
    assert entry.next_try is not None and entry.next_try - entry.updated > timedelta(hours=19)
    growth.begin(REF)  # a death counts on: the same revision was tried before
    assert _entry(ledger).attempts == 2


def _contribution(rejections: tuple[Rejection, ...] = (), records: int = 3) -> Contribution:
    shard = ShardHandle(digest="0" * 32, records=records, size_bytes=9)
    named = {"repo_id": REF.repo_id, "revision": REF.revision, "license": "mit", "website": "w", "title": "t"}
    given = {"licenses": (), "languages": (), "citation": None, "tasks": (), "shard": shard, "rejections": rejections}
    return Contribution.model_validate({**named, **given})


def _rejection(level: str, reason: Reason, count: int, detail: str) -> Rejection:
    values = {
        "repo_id": REF.repo_id,
        "level": level,
        "stage": "filter",
        "reason": reason,
        "count": count,
        "detail": detail,
    }
    return Rejection.model_validate(values)


def test_refusal_of_tasks_and_of_records_names_what_there_was_most_of() -> None:
    tasks = (_rejection("task", Reason.SWAPPED, 3, "a"), _rejection("task", Reason.LINK, 1, "b"))
    found = refusal_of_tasks(FilterResult(proposed=4, tasks=(), rejections=tasks))
    assert found == (Reason.NO_TASK_ACCEPTED, "swapped 3, link 1")
    lost = (_rejection("row", Reason.INPUT_NULL, 1, "a"), _rejection("row", Reason.OUTPUT_NULL, 8, "b"))
    refusal = refusal_of_records(_contribution(lost, records=0))
    assert refusal is not None and refusal[0] is Reason.NO_RECORDS and "(8 of its rows): b" in refusal[1]
    assert refusal_of_records(_contribution(lost)) is None


@pytest.mark.parametrize(("code", "withdrawn"), [("NotFound", "gone"), ("Gated", "gated"), ("NotAllowed", None)])
def test_failed_withdraws_what_may_not_be_used_any_more(
    ledger: Ledger, tmp_path: Path, code: str, withdrawn: str | None
) -> None:
    """A branch meets NotAllowed where a storage refuses a file: the survey asks for the dataset itself."""
    growth = _growth(ledger, Store(str(tmp_path)))
    growth.begin(REF)
    growth.grown(REF, _contribution())
    growth.begin(REF)
    growth.failed(REF, "metadata", DynosaurError(Code(code), "said"))
    assert (_entry(ledger).contribution is None) is (withdrawn is not None)
    assert [removal.reason for removal in ledger.removals()] == ([withdrawn] if withdrawn else [])


def test_sorting_notes_a_new_dataset_as_planned(ledger: Ledger, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    sorting = Sorting(ledger, "folder x", Settings(), "pipeline", "20260101T000000-abcd", now, None)
    sorting.sort(REF.model_copy(update={"licenses": ("mit",), "languages": ("en",)}), None)
    ledger.record(sorting.entries)
    assert (_entry(ledger).code, _entry(ledger).next_try, _entry(ledger).attempts) == (Code.PLANNED, now, 0)


def test_sorting_fails_a_dataset_that_breaks_it_and_goes_on(ledger: Ledger) -> None:
    now = datetime.now(UTC)
    sorting = Sorting(ledger, "folder x", Settings(), "pipeline", "20260101T000000-abcd", now, None)
    fine = {"licenses": ("mit",), "languages": ("en",)}
    broken = DatasetRef.model_construct(
        repo_id="x/broken", revision="r", tags=(), gated=False, languages=7, licenses=("mit",)
    )
    assert all(sorting.sort(ref, None) for ref in (broken, REF.model_copy(update=fine)))
    assert [entry.outcome for entry in sorting.entries] == [Outcome.FAILED, Outcome.DEFERRED]
    assert (sorting.entries[0].code, dict(sorting.counts)) == (Code.UNEXPECTED, {"surveyed": 2, "waiting": 1})


def test_apart_puts_those_that_were_interrupted_last_and_alone(ledger: Ledger, tmp_path: Path) -> None:
    refs = [DatasetRef(repo_id=f"x/{name}", revision="a" * 40) for name in ("twice", "fresh", "once", "back")]
    twice, fresh, once, back = refs
    for begun in ([twice, once], [twice]):
        growth = _growth(ledger, Store(str(tmp_path)))
        for ref in begun:
            growth.begin(ref)
    growth.begin(back)
    growth.set_back(back, DynosaurError(Code.INTERRUPTED, "ended"))
    assert _growth(ledger, growth.store).apart(refs) == ([fresh, back], [once, twice])
