"""The JSON that the commands print: one value on stdout, whose keys programs rely on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.flows.command.conftest import Run
from tests.support.datasets import write_dataset

USAGE = {"requests", "prompt_tokens", "cached_tokens", "completion_tokens", "cost_usd"}
REPORT = {
    *("growth_id", "planned", "grown", "refused", "failed", "deferred", "subsets", "tasks", "rows", "records"),
    *("llm", "held_back", "release", "release_errors", "stopped", "seconds"),
}
PLANNED = {"new", "changed", "relicensed", "withdrawn", "retried", "unchanged"}
FAILED = {
    *("dataset", "outcome", "code", "stage", "message", "attempts", "next_try", "quarantined", "what_to_do"),
    *("since", "link"),
}
EXPLAINED = {"dataset", "revision", "outcome", "growth_id", "license", "records"}
ENDED = {"stage", "code", "meaning", "message", "what_to_do", "attempts", "next_try", "quarantined"}
SOURCE = {
    *("title", "website", "licenses", "languages", "summary", "task_categories", "task_ids", "configs", "refused"),
}
SETTING = {"name", "variable", "value", "source", "default", "meaning"}


@pytest.fixture
def grown(prefect_server: None, run: Run, catalog: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Run, Any]:
    """The command, in a folder with a store that it has grown, and what it printed."""
    monkeypatch.setenv("DYNOSAUR_DESIGNING__DESIGNERS", "rules")
    (write_dataset(catalog, "odd/garbage", {"train": [{"a": 1}]}) / "train.jsonl").write_text("{{{{")
    done = run("grow", "--catalog", "catalog", "--store", "store", "--release", "release", "--json")
    return run, done.json()


def _check_explained(printed: Callable[..., Any], report: Any) -> None:
    explained = printed("explain", "shop/reviews")
    parts = {"released_tasks", "seconds", "source", "designs", "rows_rejected", "requests", "examples"}
    assert set(explained) == EXPLAINED | parts
    assert explained["seconds"] == report["seconds"]["slowest"]["shop/reviews"]
    assert set(explained["source"]) == SOURCE
    assert set(explained["source"]["configs"]["default"]) == {"splits", "fields", "rows_sampled"}
    [design] = [each for each in explained["designs"] if each["verdict"] == "accepted"][:1]
    wiring = {"config", "mode", "request", "instruction", "input_fields", "output_fields"}
    assert set(design) == wiring | {"labels", "verdict", "rows_sampled", "rows_recorded"}
    assert set(printed("explain", "odd/garbage")) == EXPLAINED | ENDED | {"seconds"}
    assert set(printed("explain", "press/stories")) == EXPLAINED | ENDED


def test_json_of_the_commands_keeps_its_keys(grown: tuple[Run, Any], tmp_path: Path) -> None:
    run, report = grown
    where = ["--store", "store"]

    def printed(*arguments: object, status: int = 0) -> Any:
        done = run(*arguments, *where, "--json")
        assert done.status == status, done
        return done.json()

    assert set(report) == REPORT and set(report["planned"]) == PLANNED
    assert set(report["tasks"]) == {"proposed", "accepted", "rejected"}
    assert set(report["rows"]) == {"sampled", "recorded", "rejected"}
    assert set(report["llm"]) == USAGE | {"cost_usd_per_1000_records"}
    assert set(report["release"]["release"]) == {"version", "records", "changed"}
    stages = {"metadata", "instruction", "filter", "judge", "publish", "model"}
    assert set(report["seconds"]) == {"stages", "slowest"} and set(report["seconds"]["stages"]) == stages
    assert set(report["seconds"]["slowest"]) == {"shop/reviews", "museum/questions", "odd/garbage"}

    forecast = printed("grow", "--dry-run", "--catalog", "catalog")
    assert set(forecast) == {"planned", "datasets", "refused", "held_back", "estimate"}
    assert set(forecast["estimate"]) == {"requests", "prompt_tokens", "completion_tokens", "cost_usd", "read"}
    released = printed("release", "--release", "release")
    assert set(released) == {"release", "release_errors"}
    assert released["release"]["release"] == {**report["release"]["release"], "changed": False}

    status = printed("status")
    assert set(status) == {"store", "datasets", "growths"}
    [growth] = status["growths"]
    assert set(growth) == {"growth_id", "started", "finished", "report"} and growth["report"] == report
    [failure] = printed("failed")
    assert set(failure) == FAILED
    stats = printed("stats")
    assert set(stats) == {"records", "tasks", "datasets", "records_by_license", "records_by_mode", "largest"}
    exported = printed("export", "all.jsonl", "--format", "alpaca")
    assert exported == {"format": "alpaca", "to": "all.jsonl", "lines": report["records"]}

    _check_explained(printed, report)
    findings = printed("doctor", "--catalog", "catalog")
    assert all(set(finding) == {"part", "ok", "found", "what_to_do"} for finding in findings)
    settings = printed("settings", "--catalog", "catalog")
    assert all(set(setting) == SETTING for setting in settings)


def test_check_prints_a_verdict_a_line_with_json_or_without(run: Run, catalog: Path, tmp_path: Path) -> None:
    design = {"dataset": "shop/reviews", "instruction": "Classify it.", "input_fields": ["text"], "output_field": "no"}
    (tmp_path / "tasks.jsonl").write_text(f"{json.dumps(design)}\n" * 2)
    plain, as_json = (run("check", "tasks.jsonl", "--catalog", "catalog", *flag) for flag in ([], ["--json"]))
    assert plain.out == as_json.out and len(plain.out.splitlines()) == 2
    for line in plain.out.splitlines():
        verdict = json.loads(line)
        assert list(verdict) == ["accepted", "reasons", "detail"] and verdict["reasons"] == ["unknown_field"]
