"""Results: what earlier and later code has stored is read, and what is printed keeps its keys."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dynosaur_core.models import GrowthPlan, Usage
from dynosaur_core.report import SLOWEST, GrowthReport
from dynosaur_core.results import Durations, GrowthSummary, ReleaseOutcome, Seconds

# as the code before durations were measured has stored it
STORED: dict[str, Any] = {
    "growth_id": "20261126T030000-ab12",
    "planned": {"new": 3, "changed": 0, "relicensed": 0, "withdrawn": 0, "retried": 0, "unchanged": 0},
    "grown": 2,
    "refused": {"refused_license": 1},
    "failed": {"UnreadableFiles": 1},
    "deferred": 0,
    "subsets": {"accepted": 2},
    "tasks": {"proposed": 4, "accepted": 3, "rejected": {"duplicate_mapping": 1}},
    "rows": {"sampled": 80, "recorded": 79, "rejected": {"output_null": 1}},
    "records": 79,
    "llm": {
        "requests": 2,
        "prompt_tokens": 900,
        "cached_tokens": 0,
        "completion_tokens": 200,
        "cost_usd": None,
        "cost_usd_per_1000_records": None,
    },
    "held_back": None,
    "release": {"release": {"version": 1, "records": 79, "changed": True}},
    "release_errors": {"s3://b/x": "s3://b/x: ReleaseFailed: no room"},
    "stopped": None,
}


def test_a_summary_that_earlier_code_stored_is_read_and_shown_as_it_was() -> None:
    read = GrowthSummary.model_validate(STORED)
    assert read.release == {"release": ReleaseOutcome(1, 79, True)}
    assert (read.tasks.accepted, read.llm.cost_usd, read.seconds) == (3, None, Durations())
    assert json.loads(json.dumps(read.as_json())) == STORED


def _with_unknown_keys(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {**{name: _with_unknown_keys(each) for name, each in value.items()}, "unknown": 1}


def test_a_summary_of_later_code_is_read_but_for_the_keys_that_only_it_knows() -> None:
    counted = {"planned", "refused", "failed", "subsets", "release", "release_errors"}  # any key is data there
    given = {name: value if name in counted else _with_unknown_keys(value) for name, value in STORED.items()}
    for part in ("tasks", "rows"):
        given[part]["rejected"] = STORED[part]["rejected"]
    given["release"] = {"release": {**STORED["release"]["release"], "unknown": 1}}
    assert GrowthSummary.model_validate({**given, "unknown": {}}) == GrowthSummary.model_validate(STORED)


@pytest.mark.parametrize("partial", [{}, {"grown": 1}, {"llm": {}}, {"release": {}}])
def test_a_summary_without_what_was_not_counted_yet_is_read(partial: dict[str, Any]) -> None:
    assert GrowthSummary.model_validate(partial).as_json() == partial


def test_summary_of_a_report_sets_every_key() -> None:
    report = GrowthReport("g", GrowthPlan(), usage=Usage(cost_usd=None))
    report.releases["out"] = ReleaseOutcome(2, 5, False)
    shown = report.summary().as_json()
    assert set(shown) == set(GrowthSummary.model_fields) >= set(STORED)
    assert all(set(shown[name]) == set(STORED[name]) for name in ("planned", "tasks", "rows", "llm"))
    assert shown["release"] == {"out": {"version": 2, "records": 5, "changed": False}}
    assert GrowthSummary.model_validate(json.loads(json.dumps(shown))) == report.summary()


def test_durations_hold_the_slowest_and_add_up_all() -> None:
    report = GrowthReport("g", GrowthPlan())
    for number in range(SLOWEST + 5):
        report.seconds[f"a/{number}"] = Seconds.of({"metadata": number, "instruction": 1.0}, model=0.5)
    found = report.durations()
    assert list(found.slowest)[:2] == [f"a/{SLOWEST + 4}", f"a/{SLOWEST + 3}"] and len(found.slowest) == SLOWEST
    assert found.stages.model == 0.5 * (SLOWEST + 5)
    assert found.stages.metadata == sum(range(SLOWEST + 5))
