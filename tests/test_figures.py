"""Figures of a growth as Prometheus reads them: from a file, and as a Pushgateway is sent them."""

from __future__ import annotations

from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from pydantic import ValidationError

from dynosaur_core.figures import publish_figures, samples
from dynosaur_core.models import GrowthPlan, Usage
from dynosaur_core.report import Failure, GrowthReport
from dynosaur_core.results import Seconds
from dynosaur_core.setting_sections import Metrics
from tests.support.webhook import receiver

SECONDS = 12.5


def report() -> GrowthReport:
    made = GrowthReport("20261126T030000-ab12", GrowthPlan(surveyed=9, unchanged=4, refused={"no_license": 2}))
    made.grown, made.recorded, made.accepted = 3, 210, 5
    made.task_rejections["restates"] = 2
    made.failures.append(Failure("a/b", "UnreadableFiles", "metadata", "odd", 1, "tell its owner"))
    made.usage = Usage(requests=4, prompt_tokens=900, cached_tokens=100, completion_tokens=50, cost_usd=0.25)
    made.seconds = {"a/b": Seconds(metadata=1.5), "c/d": Seconds(metadata=0.5, instruction=4.0, model=3.0)}
    return made


def read(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    found = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {(sample.name, frozenset(sample.labels.items())): sample.value for sample in found}


def test_figures_stand_in_a_file_of_each_flow(tmp_path: Path) -> None:
    metrics = Metrics(textfile_folder=str(tmp_path))
    publish_figures(report(), metrics, "grow", SECONDS)
    publish_figures(GrowthReport("x", GrowthPlan(surveyed=0)), metrics, "backfill", None)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dynosaur-backfill.prom", "dynosaur-grow.prom"]
    found = read((tmp_path / "dynosaur-grow.prom").read_text())
    expected = {
        ("dynosaur_datasets", ("outcome", "grown")): 3,
        ("dynosaur_datasets", ("outcome", "refused")): 2,
        ("dynosaur_datasets", ("outcome", "failed")): 1,
        ("dynosaur_datasets", ("outcome", "left_alone")): 4,
        ("dynosaur_refused_datasets", ("reason", "no_license")): 2,
        ("dynosaur_failed_datasets", ("code", "UnreadableFiles")): 1,
        ("dynosaur_tasks", ("verdict", "rejected")): 2,
        ("dynosaur_model_tokens", ("kind", "prompt")): 900,
        ("dynosaur_stage_seconds", ("stage", "metadata")): 2.0,
        ("dynosaur_stage_seconds", ("stage", "model")): 3.0,
    }
    for (name, label), value in expected.items():
        assert found[name, frozenset([label, ("run", "grow")])] == value, name
    for name, value in {"records": 210, "model_requests": 4, "model_cost_usd": 0.25, "duration_seconds": 12.5}.items():
        assert found[f"dynosaur_{name}", frozenset([("run", "grow")])] == value
    both = (tmp_path / "dynosaur-backfill.prom").read_text()
    assert "duration" not in both and "cost_usd" in both and 'run="backfill"' in both


def test_figures_are_pushed_to_a_gateway() -> None:
    with receiver() as gateway:
        publish_figures(report(), Metrics(pushgateway=gateway.url, job="night"), "grow", SECONDS)
        [(method, path, body)] = gateway.requests
    assert (method, path) == ("PUT", "/metrics/job/night/run/grow")
    found = read(body)
    assert found["dynosaur_datasets", frozenset([("outcome", "grown")])] == 3
    assert found["dynosaur_ended_timestamp_seconds", frozenset()] > 1.7e9


def test_figures_that_cannot_be_published_are_a_warning(tmp_path: Path, logged: list[str]) -> None:
    publish_figures(report(), Metrics(pushgateway="http://127.0.0.1:9"), "grow", SECONDS)
    publish_figures(report(), Metrics(textfile_folder=str(tmp_path / "none")), "grow", SECONDS)
    publish_figures(report(), Metrics(), "grow", SECONDS)
    assert len([said for said in logged if "not published" in said]) == 2


def test_figures_name_every_outcome_of_an_empty_growth() -> None:
    found = samples(GrowthReport("x", GrowthPlan(surveyed=0)), None)
    assert set(found["datasets"][2].values()) == {0} and len(found["datasets"][2]) == 6


@pytest.mark.parametrize("wrong", ["gateway:9091", "http://user:password@gateway"])
def test_figures_have_a_gateway_with_an_address_and_no_password(wrong: str) -> None:
    with pytest.raises(ValidationError):
        Metrics(pushgateway=wrong)
