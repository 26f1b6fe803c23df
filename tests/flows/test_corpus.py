"""A growth of real datasets, with the designs that GPT-3.5 gave for them in 2023 as the model's answers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

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
