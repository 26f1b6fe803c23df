"""Surveys of a Hub that is not seen whole: many pages, pages that fail, plans with a limit, other rules."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from dynosaur_core.clients import open_clients
from flows.grow import make_plan
from flows.options import Options
from tests.flows.conftest import Grown
from tests.flows.hub_case import GROWN, add_reviews, asked, released
from tests.support.hub import Fault, LoopbackHub
from tests.support.llm import LlmServer

Night = Callable[..., Grown]


def planned(grown: Grown) -> list[str]:
    return sorted(ref.repo_id for ref in grown.report.plan.branches)


@pytest.fixture
def old(hub: LoopbackHub) -> list[str]:
    """Six datasets that a later listing does not reach, on a Hub with pages of two."""
    names = [f"shop/r{n}" for n in range(6)]
    for n, name in enumerate(names):
        add_reviews(hub, name, start=n * 100)
    hub.page_size = 2
    hub.tick(7_200)
    return names


def later(hub: LoopbackHub, name: str, start: int) -> None:
    """A new dataset, long after the others."""
    hub.tick(7_200)
    add_reviews(hub, name, start=start)
    hub.tick(7_200)


def test_what_leaves_unseen_is_found_by_asking(
    night: Night, hub: LoopbackHub, old: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DYNOSAUR_HUB__VERIFY_PER_GROWTH", "3")
    assert night().report.grown == 6
    later(hub, "shop/new", 900)
    assert planned(night()) == ["shop/new"]
    hub.delete("shop/r1")
    hub.gate("shop/r2")
    hub.rename("shop/r4", "shop/other")
    hub.disable("shop/r5")
    gone: dict[str, str] = {}
    infos = []
    for _ in range(4):
        hub.reset_counts()
        grown = night()
        gone |= {withdrawal.repo_id: withdrawal.reason for withdrawal in grown.report.plan.withdrawn}
        infos.append(sorted(name for name, counts in asked(hub).items() if counts["info"] and name.startswith("shop/")))
        assert asked(hub)[""]["list"] <= 2
    assert gone == {"shop/r1": "gone", "shop/r2": "gated", "shop/r4": "gone", "shop/r5": "disabled"}
    # three a night, those first that were not seen for longest
    assert [len(set(names) - {"shop/other"}) for names in infos[:2]] == [3, 3]
    assert set(released(hub).sources) == {"shop/r0", "shop/r3", "shop/new", "shop/other"}
    assert dict(released(hub).removals) == gone


def test_a_survey_that_is_cut_off_grows_what_it_found_and_goes_on(
    night: Night, hub: LoopbackHub, old: list[str], endpoint: LlmServer
) -> None:
    hub.faults.add(Fault("500", {"list"}, match="cursor="))
    first = night()
    assert planned(first) == ["shop/r4", "shop/r5"] and first.report.grown == 2
    assert first.report.plan.cut_off and "cut off" in first.state.message
    # the page fails again: what is newer is found all the same
    later(hub, "shop/new", 900)
    assert planned(night()) == ["shop/new"]
    hub.faults.clear()
    hub.reset_counts()
    third = night()
    assert planned(third) == ["shop/r0", "shop/r1", "shop/r2", "shop/r3"] and third.report.plan.cut_off is None
    assert set(released(hub).sources) == {*old, "shop/new"}
    assert planned(night()) == []


def test_nothing_listed_at_all_is_an_error(night: Night, hub: LoopbackHub, old: list[str]) -> None:
    hub.faults.add(Fault("503", {"list"}))
    with pytest.raises(AssertionError, match="ServerError"):
        night()


def test_a_limit_leaves_the_rest_for_the_next_nights(night: Night, hub: LoopbackHub, old: list[str]) -> None:
    plans = [planned(night(limit=4)), planned(night(limit=4)), planned(night(limit=4))]
    assert plans == [["shop/r2", "shop/r3", "shop/r4", "shop/r5"], ["shop/r0", "shop/r1"], []]
    assert set(released(hub).sources) == set(old)


def test_other_rules_reach_what_no_listing_shows(
    night: Night, hub: LoopbackHub, old: list[str], endpoint: LlmServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_reviews(hub, "press/stories", license="cc-by-nc-4.0")
    night()
    later(hub, "shop/new", 900)
    assert planned(night()) == ["shop/new"]
    llm = sum(endpoint.seen.attempts.values())
    monkeypatch.setenv("DYNOSAUR_POLICY__NON_COMMERCIAL", "true")
    hub.delete("press/stories")
    hub.reset_counts()
    grown = night(limit=5)
    assert asked(hub)[""]["list"] <= 2
    assert len(planned(grown)) == 5
    assert {failure.repo_id: failure.code for failure in grown.report.failures} == {"press/stories": "NotFound"}
    assert sorted(planned(grown) + planned(night())) == ["press/stories", "shop/new", *old]
    assert sum(endpoint.seen.attempts.values()) == llm
    assert planned(night()) == []


@pytest.mark.parametrize("damaged", ["{", '{"revision": 7}'])
def test_a_damaged_listing_in_the_ledger_ends_no_survey(
    night: Night, hub: LoopbackHub, old: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damaged: str
) -> None:
    night()
    with closing(sqlite3.connect(tmp_path / "store/ledger.db")) as ledger:
        ledger.execute("UPDATE datasets SET ref = ? WHERE repo_id IN ('shop/r0', 'shop/r1')", (damaged,))
        ledger.commit()
    hub.edit_rows("shop/r0")  # the listing shows this one, and the other is looked at by other rules
    monkeypatch.setenv("DYNOSAUR_POLICY__MAX_PER_OWNER", "6")
    grown = night()
    assert planned(grown) == old and grown.report.grown == 6 and grown.report.failures == []
    assert planned(night()) == []


def test_a_change_that_was_planned_is_not_forgotten(
    night: Night, hub: LoopbackHub, old: list[str], tmp_path: Path
) -> None:
    night()
    hub.edit_rows("shop/r0")
    settings = Options(catalog="hub", store=str(tmp_path / "store")).settings()
    cut_off = make_plan(open_clients(settings), "cut-off", None, write=True)
    assert [ref.repo_id for ref in cut_off.changed] == ["shop/r0"]
    for n in range(3):
        later(hub, f"shop/new{n}", 900 + n * 100)
    assert planned(night()) == ["shop/new0", "shop/new1", "shop/new2", "shop/r0"]
    assert released(hub).sources["shop/r0"] < released(hub).sources["shop/r1"]
    assert planned(night()) == []


def test_an_override_reaches_its_dataset_only(
    night: Night, hub: LoopbackHub, old: list[str], endpoint: LlmServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    overrides = tmp_path / "overrides.toml"
    overrides.write_text("")
    monkeypatch.setenv("DYNOSAUR_POLICY__OVERRIDES", str(overrides))
    night()
    later(hub, "shop/new", 900)
    assert planned(night()) == ["shop/new"]
    llm = sum(endpoint.seen.attempts.values())
    overrides.write_text('["shop/r0"]\nlicense = "cc-by-4.0"\n["shop/r1"]\nrefuse = "its owner asked for it"\n')
    grown = night()
    assert planned(grown) == ["shop/r0"]
    assert [(gone.repo_id, gone.reason) for gone in grown.report.plan.withdrawn] == [("shop/r1", "blocklisted")]
    assert {row["license"] for row in released(hub).records if row["repo_id"] == "shop/r0"} == {"cc-by-4.0"}
    assert planned(night()) == []
    overrides.write_text("")
    assert planned(night()) == ["shop/r0", "shop/r1"]
    assert {row["license"] for row in released(hub).records} == {"mit"}
    assert sum(endpoint.seen.attempts.values()) == llm


def test_a_part_of_the_hub_says_nothing_of_the_rest(
    night: Night, hub: LoopbackHub, old: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    add_reviews(hub, "press/stories", start=900)
    night()
    monkeypatch.setenv("DYNOSAUR_HUB__AUTHOR", "press")
    hub.delete("shop/r3")
    grown = night()
    assert [gone.repo_id for gone in grown.report.plan.withdrawn] == ["shop/r3"]
    assert set(released(hub).sources) == {"press/stories", *old} - {"shop/r3"}


def test_owners_and_sources_have_their_places(night: Night, hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DYNOSAUR_POLICY__MAX_PER_OWNER", "2")
    monkeypatch.setenv("DYNOSAUR_POLICY__MAX_PER_SOURCE", "1")
    add_reviews(hub, "shop/a")
    add_reviews(hub, "shop/b", start=100)
    night()
    add_reviews(hub, "shop/c", start=200)
    add_reviews(hub, "one/copy", start=300, source_datasets=["extended|squad"])
    add_reviews(hub, "two/copy", start=400, source_datasets=["squad"])
    hub.edit_rows("shop/a")
    grown = night()
    assert planned(grown) == ["shop/a", "two/copy"]
    assert {reason: n for reason, n in grown.report.refused.items() if reason.endswith("cap")} == {
        "owner_cap": 1,
        "source_cap": 1,
    }
    assert set(released(hub).sources) == {"shop/a", "shop/b", "two/copy"}
    assert GROWN not in planned(night())
