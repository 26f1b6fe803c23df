"""A growth as a user runs it: real flows on a real Prefect server, a real HTTP endpoint as the model."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from datasets import load_dataset
from prefect.client.orchestration import get_client

from dynosaur_core.clients import Clients, close_clients
from dynosaur_core.contributions import contribution_name
from dynosaur_core.ledger import Ledger, Outcome
from dynosaur_core.models import Release
from dynosaur_core.named import Named
from dynosaur_core.settings import Settings
from dynosaur_core.traces import trace_name
from flows.backfill import backfill, chosen_forecast
from flows.choice import Choice
from flows.options import Options
from tasks.artifacts.growth import Told, growth_markdown
from tests.flows.conftest import Grown
from tests.support.datasets import REVIEW_FEATURES, reviews, write_dataset
from tests.support.llm import LlmServer

RunGrowth = Callable[..., Grown]


def records_of(release: Path) -> list[dict[str, object]]:
    manifest = Release.model_validate_json((release / "manifest.json").read_text())
    return [row for file in manifest.files for row in pq.read_table(release / file.path).to_pylist()]


def test_a_first_growth_ends_with_a_release_that_loads(
    run_growth: RunGrowth, endpoint: LlmServer, tmp_path: Path
) -> None:
    grown = run_growth()
    assert grown.report.grown == 2
    assert dict(grown.report.refused) == {"refused_license": 1}
    assert grown.report.failures == []
    assert grown.run_names == sorted(
        f"{stage} {repo_id}"
        for stage in ("metadata", "instruction", "filter", "judge", "publish")
        for repo_id in ("shop/reviews", "museum/questions")
    )
    loaded = load_dataset(str(tmp_path / "release"), split="train")
    assert len(loaded) == grown.report.recorded > 0
    assert loaded.column_names[:6] == ["instruction", "input", "output", "license", "website", "taskname"]
    assert "sk-test-secret" not in json.dumps(grown.report.summary().as_json())
    assert grown.state.message == grown.report.sentence()


def test_every_count_in_is_a_count_out(run_growth: RunGrowth, endpoint: LlmServer) -> None:
    report = run_growth().report
    datasets = report.grown + report.refused.total() + len(report.failures) + report.deferred.total()
    assert datasets == report.plan.surveyed == 3
    assert report.proposed == report.accepted + report.task_rejections.total() > 0
    assert report.sampled == report.recorded + report.row_rejections.total() > 0


def test_the_report_says_how_long_each_stage_took_and_waited_for_the_model(
    run_growth: RunGrowth, endpoint: LlmServer
) -> None:
    report = run_growth().report
    assert set(report.seconds) == {ref.repo_id for ref in report.plan.branches} and report.seconds
    for took in report.seconds.values():
        assert all(seconds > 0 for seconds in took.each()) and took.model <= took.instruction + took.judge
    page = growth_markdown(report, Told({outcome: Named((), 0) for outcome in Outcome}, {}))
    assert all(f"| {name} |" in page.partition("## Time")[2] for name in ("all", *report.seconds))


def test_a_second_growth_does_nothing(run_growth: RunGrowth, endpoint: LlmServer, tmp_path: Path) -> None:
    first = run_growth()
    manifest = (tmp_path / "release" / "manifest.json").read_bytes()
    asked = sum(endpoint.seen.attempts.values())
    second = run_growth()
    assert second.runs == []
    assert sum(endpoint.seen.attempts.values()) == asked > 0
    assert second.report.plan.counts() == {**dict.fromkeys(first.report.plan.counts(), 0), "unchanged": 3}
    assert (tmp_path / "release" / "manifest.json").read_bytes() == manifest
    assert [made.changed for made in second.report.releases.values()] == [False]


def test_an_edited_row_runs_its_branch_only(
    run_growth: RunGrowth, endpoint: LlmServer, catalog: Path, tmp_path: Path
) -> None:
    run_growth()
    before = [row for row in records_of(tmp_path / "release") if row["repo_id"] == "museum/questions"]
    rows = reviews()
    rows[3]["text"] = "The replaced review says that the parcel was lost by the post, and nobody ever answered me."
    write_dataset(catalog, "shop/reviews", {"train": rows}, features=REVIEW_FEATURES)
    grown = run_growth()
    assert [ref.repo_id for ref in grown.report.plan.changed] == ["shop/reviews"]
    assert {name.split()[1] for name in grown.run_names} == {"shop/reviews"}
    after = records_of(tmp_path / "release")
    assert any("parcel was lost" in str(row["input"]) for row in after)
    assert [row for row in after if row["repo_id"] == "museum/questions"] == before


def test_a_prose_edit_spends_nothing_and_releases_nothing(
    run_growth: RunGrowth, endpoint: LlmServer, catalog: Path, tmp_path: Path
) -> None:
    run_growth()
    manifest = (tmp_path / "release" / "manifest.json").read_bytes()
    asked = sum(endpoint.seen.attempts.values())
    card = catalog / "shop/reviews/README.md"
    card.write_text(card.read_text() + "\n## Curation Rationale\n\nBecause shops have many customers.\n")
    grown = run_growth()
    assert [ref.repo_id for ref in grown.report.plan.changed] == ["shop/reviews"]
    assert sum(endpoint.seen.attempts.values()) == asked
    cached = {run.name: run.state_name for run in grown.runs}
    assert cached == {
        "metadata shop/reviews": "Completed",
        "instruction shop/reviews": "Cached",
        "filter shop/reviews": "Cached",
        "judge shop/reviews": "Cached",
        "publish shop/reviews": "Cached",
    }
    assert (tmp_path / "release" / "manifest.json").read_bytes() == manifest


def test_relicensed_rows_are_relabelled_without_a_request(
    run_growth: RunGrowth, endpoint: LlmServer, catalog: Path, tmp_path: Path
) -> None:
    run_growth()
    asked = sum(endpoint.seen.attempts.values())
    write_dataset(catalog, "shop/reviews", {"train": reviews()}, features=REVIEW_FEATURES, license="cc-by-4.0")
    grown = run_growth()
    assert [ref.repo_id for ref in grown.report.plan.relicensed] == ["shop/reviews"]
    assert sum(endpoint.seen.attempts.values()) == asked
    labels = {row["license"] for row in records_of(tmp_path / "release") if row["repo_id"] == "shop/reviews"}
    assert labels == {"cc-by-4.0"}


@pytest.mark.parametrize("how", ["refused licence", "deleted"])
def test_withdrawn_rows_leave_the_release(
    run_growth: RunGrowth, endpoint: LlmServer, catalog: Path, tmp_path: Path, how: str
) -> None:
    run_growth()
    folder = catalog / "shop/reviews"
    if how == "deleted":
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()
    else:
        write_dataset(catalog, "shop/reviews", {"train": reviews()}, features=REVIEW_FEATURES, license="cc-by-nd-4.0")
    grown = run_growth()
    assert [(w.repo_id, w.reason) for w in grown.report.plan.withdrawn] == [
        ("shop/reviews", "gone" if how == "deleted" else "refused_license")
    ]
    assert grown.runs == []
    assert {row["repo_id"] for row in records_of(tmp_path / "release")} == {"museum/questions"}
    [line] = (tmp_path / "release" / "removals.jsonl").read_text().splitlines()
    assert json.loads(line)["repo_id"] == "shop/reviews"


def test_a_branch_that_fails_leaves_the_others_alone(
    run_growth: RunGrowth, endpoint: LlmServer, catalog: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DYNOSAUR_FAILURE_FLOOR", "1")
    broken = write_dataset(catalog, "odd/garbage", {"train": reviews()})
    (broken / "train.jsonl").write_bytes(b'{"text": "half a li')
    script = catalog / "odd/script"
    script.mkdir()
    (script / "README.md").write_text("---\nlicense: mit\nlanguage: en\n---\n")
    (script / "script.py").write_text("raise SystemExit('never run')\n")
    grown = run_growth()
    assert grown.report.grown == 2
    failures = {failure.repo_id: (failure.code, failure.stage) for failure in grown.report.failures}
    assert failures == {
        "odd/garbage": ("UnreadableFiles", "metadata"),
        "odd/script": ("ScriptDataset", "metadata"),
    }
    names = [run.name for run in grown.runs if run.name.endswith("odd/garbage")]
    assert names == ["metadata odd/garbage"]
    assert grown.state.is_failed()  # two of four branches: more than max_failure_ratio, and than the floor
    assert "50% of the branches failed" in grown.state.message
    again = run_growth()
    assert again.runs == []
    assert again.report.plan.waiting == 2


def test_a_large_plan_runs_in_waves(
    run_growth: RunGrowth, endpoint: LlmServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DYNOSAUR_WAVE_SIZE", "1")
    grown = run_growth()
    assert grown.report.grown == 2
    with get_client(sync_client=True) as client:
        names = [run.name for run in client.read_flow_runs(limit=200)]
    assert {"wave 1 of 2", "wave 2 of 2"} <= set(names)
    assert len({row["repo_id"] for row in records_of(tmp_path / "release")}) == 2


def test_a_dead_endpoint_defers_and_the_next_growth_goes_on(
    run_growth: RunGrowth, endpoint: LlmServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    monkeypatch.setenv("DYNOSAUR_LLM__RETRY_S", "1")
    dead = run_growth()
    assert dead.report.deferred == {"ModelUnreachable": 2}
    assert dead.report.failures == []
    assert dead.state.is_failed() and dead.state.message.startswith("ModelUnreachable: ")
    monkeypatch.setenv("OPENAI_BASE_URL", endpoint.url)
    alive = run_growth()
    assert [len(alive.report.plan.retried), alive.report.grown] == [2, 2]


def test_a_backfill_grows_nothing_that_is_refused_and_withdraws_what_was(
    run_growth: RunGrowth, endpoint: LlmServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n, name in enumerate(("blocked", "asked", "ours", "fine")):
        write_dataset(tmp_path / "all", f"shop/{name}", {"train": reviews(20, 100 * n)}, features=REVIEW_FEATURES)
    monkeypatch.setenv("DYNOSAUR_DESIGNING__DESIGNERS", "rules")
    assert run_growth(catalog=str(tmp_path / "all")).report.grown == 4
    card = tmp_path / "all/shop/ours/README.md"
    card.write_text(card.read_text().replace("---\n", "---\ntags: [dynosaur]\n", 1))
    overrides = tmp_path / "overrides.toml"
    overrides.write_text('["shop/asked"]\nrefuse = "its owner asked for it"\n')
    monkeypatch.setenv("DYNOSAUR_POLICY__OVERRIDES", str(overrides))
    monkeypatch.setenv("DYNOSAUR_POLICY__BLOCKLIST", "shop/blocked")
    choice, here = Choice(datasets=["shop/*"]), {"catalog": str(tmp_path / "all"), "store": str(tmp_path / "store")}
    close_clients()
    planned = chosen_forecast(choice, Options(**here))
    assert planned.planned["changed"] == 0 and planned.planned["retried"] == len(planned.datasets) > 0
    assert (planned.datasets, planned.refused) == (["shop/fine"], {"blocklisted": 3})
    again = run_growth(backfill, catalog=str(tmp_path / "all"), choice=choice)
    assert (again.report.grown, again.report.refused) == (1, {"blocklisted": 3})
    assert {row["repo_id"] for row in records_of(tmp_path / "release")} == {"shop/fine"}
    entry = Ledger(f"sqlite:///{tmp_path / 'store' / 'ledger.db'}").get("shop/asked")
    assert entry and (entry.outcome, entry.stage) == (Outcome.REFUSED, "survey")
    assert entry.detail == "policy.overrides: its owner asked for it"
    last = run_growth(catalog=str(tmp_path / "all"))
    assert last.runs == [] and last.report.plan.unchanged == 4


def test_an_empty_catalogue_withdraws_nothing(
    run_growth: RunGrowth, endpoint: LlmServer, catalog: Path, tmp_path: Path
) -> None:
    run_growth()
    manifest = (tmp_path / "release" / "manifest.json").read_bytes()
    catalog.rename(tmp_path / "elsewhere")
    catalog.mkdir()
    with pytest.raises(AssertionError, match="is empty, although datasets of it are released"):
        run_growth()
    assert (tmp_path / "release" / "manifest.json").read_bytes() == manifest


def test_a_cap_without_a_price_does_not_begin(
    run_growth: RunGrowth, endpoint: LlmServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DYNOSAUR_MODEL", "a-model-of-our-own")
    with pytest.raises(AssertionError, match="PriceUnknown"):
        run_growth(max_cost_usd=1.0)
    assert not endpoint.seen.attempts
    free = run_growth()
    assert free.report.grown == 2 and free.report.usage.cost_usd is None and free.report.usage.prompt_tokens > 0


@pytest.mark.parametrize("place", ["trace", "contribution"])
def test_what_cannot_be_written_down_of_one_branch_ends_that_branch_alone(
    run_growth: RunGrowth, endpoint: LlmServer, tmp_path: Path, catalog: Path, place: str
) -> None:
    """A folder stands where the store would write a file."""
    first = run_growth(store=str(tmp_path / "elsewhere"), release=[])
    contribution = next(name for repo_id, name in _contributions(tmp_path / "elsewhere") if repo_id == "shop/reviews")
    names = {"trace": trace_name("shop/reviews"), "contribution": contribution_name(contribution)}
    Clients(Settings(store=str(tmp_path / "store"))).join(create=True, write=True)
    (tmp_path / "store" / names[place]).mkdir(parents=True)
    report = run_growth().report
    assert (first.report.grown, report.grown) == (2, 1)
    assert [(failure.repo_id, failure.code) for failure in report.failures] == [("shop/reviews", "StoreFailed")]
    assert (tmp_path / "release" / "manifest.json").exists()
    assert report.sampled == report.recorded + report.row_rejections.total() > 0
    (tmp_path / "store" / names[place]).rmdir()


def _contributions(store: Path) -> list[tuple[str, str]]:
    return list(Ledger(f"sqlite:///{store}/ledger.db").contributions())
