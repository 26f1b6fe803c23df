"""What a person finds in Prefect's UI after a run: pages, names, state messages, inputs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId, ArtifactFilterTaskRunId
from prefect.client.schemas.objects import Artifact

from dynosaur_core.errors import ERRORS, Code
from flows.backfill import backfill
from flows.choice import Choice
from tests.flows.conftest import Grown
from tests.support.datasets import write_dataset
from tests.support.llm import LlmServer

RunGrowth = Callable[..., Grown]
SECRET = "sk-test-secret"


def _artifacts(**chosen: Any) -> dict[str, Artifact]:
    with get_client(sync_client=True) as client:
        return {str(found.key): found for found in client.read_artifacts(artifact_filter=ArtifactFilter(**chosen))}


def pages_of(state: Any) -> dict[str, Artifact]:
    """The artifacts of a flow run by key; none of them holds a secret."""
    found = _artifacts(flow_run_id=ArtifactFilterFlowRunId(any_=[state.state_details.flow_run_id]))
    assert SECRET not in str([artifact.data for artifact in found.values()])
    return found


def name_of(state: Any) -> str:
    with get_client(sync_client=True) as client:
        return client.read_flow_run(state.state_details.flow_run_id).name


def _broken(catalog: Path, repo_id: str) -> Path:
    folder = write_dataset(catalog, repo_id, {"train": [{"a": 1}]})
    (folder / "train.jsonl").write_text("{{{{")
    return folder


def test_pages_of_a_night_name_what_was_grown_refused_and_failed_and_the_next_night_what_still_fails(
    run_growth: RunGrowth, endpoint: LlmServer, catalog: Path
) -> None:
    _broken(catalog, "odd/gar_bage")
    first = run_growth()
    assert first.state.is_completed()  # one of three branches failed: a small night is not red
    pages = pages_of(first.state)
    assert set(pages) == {"growth-report", "failed-datasets", "growth-progress"}
    report = str(pages["growth-report"].data)
    assert first.report.sentence() in report.replace("\\$", "$")
    assert "## Grown: 2 datasets" in report and "| shop/reviews | " in report and " | mit | 2 |" in report
    assert "**`refused_license`**" in report and "- press/stories: " in report  # from the listing: it had no task run
    assert "- odd/gar\\_bage: " in report
    assert f"{first.report.recorded:,} added, 0 removed" in report and "- took " in report
    assert (pages["growth-progress"].data, pages["growth-progress"].description) == (
        100.0,
        "3 of 3 datasets, 2 grown, 1 failed",
    )
    failed = str(pages["failed-datasets"].data)
    assert "# 1 dataset fails, 1 new tonight" in failed
    assert "## UnreadableFiles: 1 failed" in failed and ERRORS[Code.UNREADABLE_FILES].advice in failed
    assert "odd/gar\\_bage (**new tonight**, in metadata, 1 night, again when it changes" in failed
    assert (
        "dynosaur backfill" in failed and "--error UnreadableFiles" in failed and "Errors `UnreadableFiles`" in failed
    )
    assert "huggingface.co" not in failed  # the catalogue is a folder
    assert name_of(first.state).startswith("growth 20") and name_of(first.state).endswith(f"({first.report.growth_id})")

    idle = run_growth()
    pages = pages_of(idle.state)
    assert idle.runs == [] and set(pages) == {"growth-report", "failed-datasets"}
    still = str(pages["failed-datasets"].data)
    assert "# 1 dataset fails, 0 new tonight" in still and "(since 20" in still


def test_a_failed_task_run_says_what_to_do_shows_its_dataset_and_bears_the_evidence(
    run_growth: RunGrowth, endpoint: LlmServer, catalog: Path
) -> None:
    (catalog / "shop").rename(catalog / ".shop")
    endpoint.behaviour.judge = lambda asked: "I like them all."
    grown = run_growth()
    [run] = [each for each in grown.runs if each.state_name == "Failed"]
    assert run.name == "judge museum/questions" and run.state is not None
    assert str(run.state.message).endswith(f" -> {ERRORS[Code.NO_VERDICT].advice}")
    [ref] = grown.report.plan.branches
    assert f"museum/questions at revision {ref.revision}" in str(run.task_inputs["ref"])
    [(key, page)] = _artifacts(task_run_id=ArtifactFilterTaskRunId(any_=[run.id])).items()
    assert key.startswith("failed-museum-questions-") and key not in pages_of(grown.state)
    shown = str(page.data)
    assert "**NoVerdict** in the stage judge" in shown and f"`{ref.revision}`" in shown
    assert (
        "## Request 1" in shown
        and "museum of household things" in shown
        and "I like them all." in shown
        and SECRET not in shown
    )


def test_a_dry_run_of_a_backfill_leaves_its_plan_and_spends_nothing(
    run_growth: RunGrowth, endpoint: LlmServer, catalog: Path, tmp_path: Path
) -> None:
    folder = _broken(catalog, "odd/garbage")
    run_growth()
    asked = sum(endpoint.seen.attempts.values())
    where = {"catalog": str(catalog), "store": str(tmp_path / "store")}
    choice = {"errors": ["UnreadableFiles"]}
    state = backfill(choice=choice, dry_run=True, options=where, return_state=True)
    assert state.is_completed() and "odd/garbage" in state.message and "submit again with dry run off" in state.message
    assert name_of(state) == "backfill UnreadableFiles (plan)"
    plan = str(pages_of(state)["backfill-plan"].data)
    assert "# Plan: 1 dataset, nothing done yet" in plan and "- odd/garbage" in plan and "estimated cost" in plan
    assert "--error UnreadableFiles" in plan and str(catalog) in plan and "Catalog `" in plan
    assert sum(endpoint.seen.attempts.values()) == asked

    (folder / "train.jsonl").write_text(
        (catalog / "museum/questions/train.jsonl").read_text().replace("museum", "gallery")
    )
    again = run_growth(backfill, choice=Choice(errors=["UnreadableFiles"]))
    assert (again.report.grown, again.report.failures) == (1, [])
    assert "# No dataset fails" in str(pages_of(again.state)["failed-datasets"].data)
    assert name_of(again.state) == f"backfill UnreadableFiles ({again.report.growth_id})"


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        (Choice(), "choose datasets"),
        (Choice(datasets=["shop/reveiws"]), "did you mean shop/reviews?"),
        (Choice(datasets=["shop/reveiws"], errors=["not_derivable"]), "did you mean shop/reviews?"),
        (Choice(datasets=["shopp/*"]), "no dataset is chosen by 'shopp/*'"),
        (Choice(errors=["TimedOut"]), "no dataset is chosen by TimedOut; datasets ended with refused_license"),
    ],
)
def test_a_backfill_that_chooses_nothing_is_refused_with_what_may_have_been_meant(
    run_growth: RunGrowth, endpoint: LlmServer, catalog: Path, tmp_path: Path, choice: Choice, said: str
) -> None:
    run_growth()
    where = {"catalog": str(catalog), "store": str(tmp_path / "store")}
    for dry_run in (True, False):
        state = backfill(choice=choice, dry_run=dry_run, options=where, return_state=True)
        assert state.is_failed() and said in state.message
