"""Growths that meet the wrong store, catalogue or release: nothing is withdrawn, and they say what to type."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from dynosaur_core.clients import open_clients
from flows.backfill import Choice, backfill
from flows.options import Options
from flows.release import release as release_flow
from tests.flows.conftest import Grown
from tests.flows.test_grow import records_of
from tests.support.datasets import REVIEW_FEATURES, reviews, write_dataset

RunGrowth = Callable[..., Grown]


@pytest.fixture(autouse=True)
def rules(monkeypatch: pytest.MonkeyPatch) -> None:
    """No model, and few may leave: what is looked at here is not the tasks."""
    monkeypatch.setenv("DYNOSAUR_WITHDRAWN_FLOOR", "3")
    monkeypatch.setenv("DYNOSAUR_DESIGNING__DESIGNERS", "rules")


def shops(root: Path, numbers: range, **header: str) -> None:
    for number in numbers:
        rows = {"train": reviews(40, number * 100)}
        write_dataset(root, f"shop/r{number}", rows, features=REVIEW_FEATURES, **header)


def sources(release: Path) -> set[str]:
    return {str(row["repo_id"]) for row in records_of(release)}


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A catalogue of six datasets that are all grown."""
    shops(tmp_path / "one" / "shops", range(6))
    return tmp_path / "one" / "shops"


def test_two_folders_named_alike_do_not_withdraw_one_another(run_growth: RunGrowth, shop: Path, tmp_path: Path) -> None:
    namesake = tmp_path / "two" / "shops"
    shops(namesake, range(5, 8))
    assert run_growth(catalog=str(shop)).report.grown == 6
    with pytest.raises(AssertionError, match="--catalog-name 'folder shops'"):
        run_growth(catalog=str(namesake))
    assert len(sources(tmp_path / "release")) == 6
    beside = run_growth(catalog=str(namesake), catalog_name="two")
    assert (beside.report.grown, dict(beside.report.refused)) == (2, {"other_catalog": 1})  # shop/r5 is the first one's
    assert sources(tmp_path / "release") == {f"shop/r{n}" for n in range(8)}
    again = run_growth(catalog=str(namesake))
    assert (again.report.grown, dict(again.report.refused), again.runs) == (0, {"other_catalog": 1}, [])
    with pytest.raises(AssertionError, match="is of the catalogue 'folder shops'"):
        run_growth(backfill, catalog=str(namesake), choice=Choice(datasets=["shop/r5"]))
    shutil.rmtree(shop / "shop" / "r5")
    assert [gone.repo_id for gone in run_growth(catalog=str(shop)).report.plan.withdrawn] == ["shop/r5"]
    assert run_growth(catalog=str(namesake)).report.grown == 1  # now it is free


def test_a_renamed_folder_is_asked_about_and_its_deletions_are_seen(
    run_growth: RunGrowth, shop: Path, tmp_path: Path
) -> None:
    run_growth(catalog=str(shop))
    moved = shop.rename(tmp_path / "elsewhere")
    shutil.rmtree(moved / "shop" / "r0")
    with pytest.raises(AssertionError, match="--catalog-name 'folder shops'"):
        run_growth(catalog=str(moved))
    grown = run_growth(catalog=str(moved), catalog_name="folder shops")
    assert [gone.repo_id for gone in grown.report.plan.withdrawn] == ["shop/r0"] and grown.runs == []
    assert len(sources(tmp_path / "release")) == 5
    assert run_growth(catalog=str(moved)).report.plan.unchanged == 5


@pytest.mark.parametrize("how", ["deleted", "refused licence", "policy"])
def test_many_withdrawals_wait_for_a_word_and_the_rest_goes_on(
    run_growth: RunGrowth, shop: Path, tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shops(shop, range(5, 6), license="cc-by-4.0")
    run_growth(catalog=str(shop))
    if how == "deleted":
        for number in range(5):
            shutil.rmtree(shop / "shop" / f"r{number}")
    elif how == "refused licence":
        shops(shop, range(5), license="cc-by-nd-4.0")
    else:
        monkeypatch.setenv("DYNOSAUR_POLICY__REFUSE_LICENSES", "mit")
    shops(shop, range(6, 7), license="cc-by-4.0")
    log = tmp_path / "release" / "removals.jsonl"
    for night in range(2):
        grown = run_growth(catalog=str(shop))
        assert grown.report.grown == (1 if night == 0 else 0) + (how == "policy" and night == 0)
        assert (len(grown.report.plan.held_back), grown.report.plan.withdrawn) == (5, ())
        assert grown.state.is_failed() and "--withdraw-many" in grown.state.message
        assert sources(tmp_path / "release") == {f"shop/r{n}" for n in range(7)}
        assert log.read_text() == ""
    meant = run_growth(catalog=str(shop), withdraw_many=True)
    assert meant.state.is_completed(), meant.state.message
    assert len(meant.report.plan.withdrawn) == 5 and meant.report.plan.held_back == ()
    assert sources(tmp_path / "release") == {"shop/r5", "shop/r6"}
    reasons = {json.loads(line)["reason"] for line in log.read_text().splitlines()}
    assert reasons == {"gone" if how == "deleted" else "refused_license"}


def test_a_lost_ledger_withdraws_nothing_and_adopt_takes_the_store_up_again(
    run_growth: RunGrowth, shop: Path, tmp_path: Path
) -> None:
    run_growth(catalog=str(shop))
    before = (tmp_path / "release" / "manifest.json").read_bytes()
    for path in (tmp_path / "store").glob("ledger.db*"):
        path.unlink()
    with pytest.raises(AssertionError, match="--adopt"):
        run_growth(catalog=str(shop), limit=1)
    part = run_growth(catalog=str(shop), limit=1, adopt=True)
    assert part.report.grown == 1
    assert part.state.is_failed() and "--withdraw-many" in part.state.message
    assert (tmp_path / "release" / "manifest.json").read_bytes() == before
    assert run_growth(catalog=str(shop)).state.is_completed()
    assert (tmp_path / "release" / "manifest.json").read_bytes() == before


def test_a_new_store_grows_nothing_for_a_release_of_another(run_growth: RunGrowth, shop: Path, tmp_path: Path) -> None:
    run_growth(catalog=str(shop))
    before = (tmp_path / "release" / "manifest.json").read_bytes()
    with pytest.raises(AssertionError, match="was made from another store than this one"):
        run_growth(catalog=str(shop), store=str(tmp_path / "typo"))
    settings = Options(store=str(tmp_path / "typo"), release=[str(tmp_path / "release")]).settings()
    assert list(open_clients(settings).ledger.entries()) == []
    state = release_flow(store=str(tmp_path / "typo"), release=[str(tmp_path / "release")], return_state=True)
    assert state.is_failed() and "ForeignStore" in state.message
    assert (tmp_path / "release" / "manifest.json").read_bytes() == before
