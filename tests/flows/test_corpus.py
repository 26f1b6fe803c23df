"""A growth of real datasets, with designs that models gave for them as the answers of the endpoint."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import datasets
import pytest

from tests.flows.conftest import Grown
from tests.support.llm import LlmServer, Replay

pytestmark = pytest.mark.corpus


def test_every_dataset_of_the_corpus_is_accounted_for(
    run_growth: Callable[..., Grown], endpoint: LlmServer, corpus: Path
) -> None:
    endpoint.behaviour.answerer = Replay(corpus / "gpt35.jsonl")
    first = run_growth(catalog=str(corpus / "hub"))
    report = first.report
    assert report.grown + report.refused.total() + len(report.failures) == report.plan.surveyed == 51
    assert report.deferred.total() == report.failed["Unexpected"] == 0
    assert report.grown >= 15
    assert report.proposed == report.accepted + report.task_rejections.total()
    assert report.sampled == report.recorded + report.row_rejections.total()
    [made] = report.releases.values()
    assert made.records == report.recorded
    asked = sum(endpoint.seen.attempts.values())
    second = run_growth(catalog=str(corpus / "hub"))
    assert second.runs == [] and second.report.plan.unchanged == 51
    assert sum(endpoint.seen.attempts.values()) == asked


def test_todays_designs_grow_every_dataset_that_has_a_valid_one(
    run_growth: Callable[..., Grown],
    endpoint: LlmServer,
    corpus: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever their licence, language and splits: these are the policy's part."""
    endpoint.behaviour.answerer = Replay(corpus / "modern_designs.jsonl")
    designs = [json.loads(line) for line in (corpus / "modern_designs.jsonl").read_text().splitlines()]
    wanted = {design["dataset"] for design in designs if design["verdict"] == "valid"}
    allowed = "".join(f'["{repo_id}"]\nlicense = "mit"\nlanguages = ["en"]\n' for repo_id in sorted(wanted))
    (tmp_path / "overrides.toml").write_text(allowed)
    monkeypatch.setenv("DYNOSAUR_POLICY__OVERRIDES", str(tmp_path / "overrides.toml"))
    monkeypatch.setenv("DYNOSAUR_SAMPLING__INCLUDE_TEST", "true")
    run_growth(catalog=str(corpus / "hub"))
    records = datasets.load_dataset(str(tmp_path / "release"), split="train", cache_dir=str(tmp_path / "cache"))
    assert wanted - set(records["repo_id"]) == set()
