"""The same rows under several owners are released once, of the one that came first, and stay when it leaves."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete

from dynosaur_core.clients import Clients
from dynosaur_core.ledger import Ledger
from dynosaur_core.ledger.tables import claims
from dynosaur_core.settings import Settings
from flows.command.explain import explain
from tests.flows.conftest import Grown
from tests.flows.hub_case import add_reviews, asked, released
from tests.flows.test_grow import RunGrowth, records_of
from tests.support.datasets import REVIEW_FEATURES, questions, reviews, write_dataset
from tests.support.hub import Fault, LoopbackHub
from tests.support.llm import LlmServer

ONE, TWO = "one/reviews", "two/reviews"


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    (tmp_path / "catalog").mkdir()
    return tmp_path / "catalog"


def write(catalog: Path, repo_id: str, count: int = 40, start: int = 0, **header: Any) -> None:
    write_dataset(catalog, repo_id, {"train": reviews(count, start)}, features=REVIEW_FEATURES, **header)


def write_configs(catalog: Path, repo_id: str, configs: dict[str, list[dict[str, Any]]]) -> None:
    listed = [{"config_name": name, "data_files": [{"split": "train", "path": f"{name}.jsonl"}]} for name in configs]
    write_dataset(catalog, repo_id, configs, configs=listed)


def sources(tmp_path: Path) -> set[str]:
    return {str(row["repo_id"]) for row in records_of(tmp_path / "release")}


def withdrawn(grown: Grown) -> list[tuple[str, str]]:
    return [(item.repo_id, item.reason) for item in grown.report.plan.withdrawn]


@pytest.mark.parametrize("count", [40, 100, 250])
def test_a_copy_is_refused_and_takes_the_place_of_one_that_leaves(
    run_growth: RunGrowth, endpoint: LlmServer, catalog: Path, tmp_path: Path, count: int
) -> None:
    """250 rows are more than are sampled: of these, each dataset draws its own."""
    write(catalog, ONE, count)
    alone = run_growth(store=str(tmp_path / "alone"), release=[]).report.usage.requests
    asked_before = sum(endpoint.seen.attempts.values())
    for repo_id in (TWO, "zoo/reviews"):
        write(catalog, repo_id, count, pretty_name="Mine")
    grown = run_growth()
    assert (grown.report.grown, dict(grown.report.refused)) == (1, {"copy": 2})
    assert grown.report.subsets["copy"] == 2 and grown.report.summary().as_json()["refused"] == {"copy": 2}
    assert grown.report.usage.requests == alone == sum(endpoint.seen.attempts.values()) - asked_before
    assert [name for name in grown.run_names if name.endswith(TWO)] == [f"metadata {TWO}"]
    records = [(row["instruction"], row["input"], row["output"]) for row in records_of(tmp_path / "release")]
    assert len(set(records)) == len(records) > 0 and sources(tmp_path) == {ONE}
    found = explain(Clients(Settings(store=str(tmp_path / "store"))), TWO)
    assert (found.code, found.message) == ("copy", f"its rows are those of {ONE}, which came first")
    assert found.source and [item.reason for item in found.source.refused] == ["copy"]
    assert run_growth().runs == []
    shutil.rmtree(catalog / ONE)
    heir = run_growth()
    assert withdrawn(heir) == [(ONE, "gone")]
    assert [ref.repo_id for ref in heir.report.plan.retried] == [TWO] and heir.report.plan.unchanged == 1
    assert sources(tmp_path) == {TWO} and len(records_of(tmp_path / "release")) == len(records)
    assert run_growth().runs == []
    write(catalog, ONE, count)  # it is back, and comes second now
    assert dict(run_growth().report.refused) == {"copy": 1} and sources(tmp_path) == {TWO}


def test_a_copy_of_one_subset_loses_that_subset_alone(
    run_growth: RunGrowth, endpoint: LlmServer, catalog: Path, tmp_path: Path
) -> None:
    """The first takes far longer to read than its copies, and comes first all the same."""
    many = {f"part{n}": questions(150, 200 * n) for n in range(12)}
    write_configs(catalog, "a/many", many)
    write_configs(catalog, "b/partly", {"own": questions(150, 5_000), "theirs": many["part3"]})
    write_configs(catalog, "c/one", {"default": many["part11"]})
    grown = run_growth()
    assert (grown.report.grown, dict(grown.report.refused), grown.report.subsets["copy"]) == (2, {"copy": 1}, 2)
    configs = {(row["repo_id"], row["config"]) for row in records_of(tmp_path / "release")}
    assert configs == {("a/many", name) for name in many} | {("b/partly", "own")}
    found = explain(Clients(Settings(store=str(tmp_path / "store"))), "b/partly:theirs")
    assert found.source and [item.reason for item in found.source.refused] == ["copy"]
    write_configs(catalog, "a/many", many | {"part3": questions(150, 9_000)})
    assert run_growth().report.grown == 1
    heir = run_growth()
    assert [ref.repo_id for ref in heir.report.plan.retried] == ["b/partly"] and withdrawn(heir) == []
    assert {row["config"] for row in records_of(tmp_path / "release") if row["repo_id"] == "b/partly"} == {
        "own",
        "theirs",
    }


def test_a_released_dataset_that_becomes_a_copy_is_withdrawn_and_grows_again_when_it_changes(
    run_growth: RunGrowth, endpoint: LlmServer, catalog: Path, tmp_path: Path
) -> None:
    write(catalog, TWO)
    write(catalog, ONE, start=500)
    assert run_growth().report.grown == 2
    write(catalog, ONE)
    grown = run_growth()
    assert withdrawn(grown) == [(ONE, "copy")] and dict(grown.report.refused) == {"copy": 1}
    assert sources(tmp_path) == {TWO}
    [line] = (tmp_path / "release" / "removals.jsonl").read_text().splitlines()
    assert json.loads(line)["detail"] == f"its rows are those of {TWO}, which came first"
    write(catalog, ONE, start=900)
    assert run_growth().report.grown == 1 and sources(tmp_path) == {ONE, TWO}


def test_a_copy_of_one_whose_branch_failed_is_due_at_the_next_growth(
    run_growth: RunGrowth, endpoint: LlmServer, catalog: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(catalog, ONE)
    write(catalog, TWO)
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    monkeypatch.setenv("DYNOSAUR_LLM__RETRY_S", "1")
    dead = run_growth()
    assert dead.report.grown == 0 and sum(dead.report.deferred.values()) >= 1
    shutil.rmtree(catalog / ONE)
    monkeypatch.setenv("OPENAI_BASE_URL", endpoint.url)
    assert run_growth().report.grown == 1 and sources(tmp_path) == {TWO}


def test_copies_that_an_earlier_version_released_stay(
    run_growth: RunGrowth, endpoint: LlmServer, catalog: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its ledger has no claims."""

    def forget() -> None:
        with Ledger(f"sqlite:///{tmp_path}/store/ledger.db").engine.begin() as connection:
            connection.execute(delete(claims))

    for repo_id in (ONE, TWO):
        write(catalog, repo_id, 250)
        assert run_growth().report.grown == 1
        forget()
    assert run_growth().runs == []
    monkeypatch.setenv("DYNOSAUR_FILTERING__MIN_ROWS", "4")  # all branches run again
    grown = run_growth()
    assert (grown.report.grown, dict(grown.report.refused), withdrawn(grown)) == (2, {}, [])
    write(catalog, "zoo/reviews", 250)
    assert dict(run_growth().report.refused) == {"copy": 1} and sources(tmp_path) == {ONE, TWO}


@pytest.mark.parametrize("count", [40, 250])
def test_a_copy_on_the_hub_costs_no_request_more_and_is_due_when_the_listing_does_not_show_it(
    night: Callable[..., Grown], endpoint: LlmServer, hub: LoopbackHub, count: int
) -> None:
    for repo_id in (ONE, TWO):
        add_reviews(hub, repo_id, rows=reviews(count))
    first = night()
    assert (first.report.grown, dict(first.report.refused)) == (1, {"copy": 1})
    [owner] = released(hub).sources
    [other] = {ONE, TWO} - {owner}
    assert asked(hub)[ONE] == asked(hub)[TWO] == Counter({"resolve README.md": 1, "tree": 1, "resolve train.jsonl": 1})
    for n in range(3):
        add_reviews(hub, f"shop/later{n}", start=900 + 100 * n)
    night()
    hub.delete(owner)
    third = night()
    assert withdrawn(third) == [(owner, "gone")]
    assert other in released(hub).sources and owner not in released(hub).sources


def test_a_dataset_that_is_slow_to_read_keeps_no_other_from_being_read(
    night: Callable[..., Grown], endpoint: LlmServer, hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first of the plan hangs until all others have been read, which are more than there are places."""
    monkeypatch.setenv("DYNOSAUR_CONCURRENCY", "2")
    for n in range(7):
        add_reviews(hub, f"shop/r{n}", start=n * 100)
    hub.faults.add(Fault("hang", {"resolve"}, match="shop/r6"))
    read: list[bool] = []

    def others_are_read() -> bool:
        counts = asked(hub)
        return all(counts.get(f"shop/r{n}", Counter())["resolve train.jsonl"] for n in range(6))

    def wait() -> None:
        deadline = time.monotonic() + 120
        while not others_are_read() and time.monotonic() < deadline:
            time.sleep(0.05)
        read.append(others_are_read())
        hub.faults.clear()
        hub.closing.set()

    watching = threading.Thread(target=wait)
    watching.start()
    grown = night()
    watching.join()
    assert grown.report.grown == 7 and read == [True]
