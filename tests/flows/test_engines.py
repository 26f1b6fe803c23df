"""The same growth on a Dask cluster and on Ray, of processes on this machine; a second one asks and reads nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.settings import Settings, Waves
from flows.backfill import backfill
from flows.choice import Choice
from flows.engines import task_runner
from tests.flows.conftest import Grown
from tests.flows.test_grow import records_of
from tests.support.llm import LlmServer


@pytest.mark.parametrize(("engine", "package"), [("dask", "prefect_dask"), ("ray", "ray")])
def test_a_growth_on_a_cluster_is_cached_like_any_other(
    engine: str,
    package: str,
    run_growth: Callable[..., Grown],
    endpoint: LlmServer,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    pytest.importorskip(package)
    monkeypatch.setenv("DYNOSAUR_WAVES__ENGINE", engine)
    monkeypatch.setenv("DYNOSAUR_CONCURRENCY", "2")
    first = run_growth()
    assert (first.report.grown, first.report.failures) == (2, [])
    asked = sum(endpoint.seen.answered.values())
    assert first.report.usage.requests == asked > 0
    assert {"metadata shop/reviews", "publish shop/reviews"} <= set(first.run_names)
    assert len({row["repo_id"] for row in records_of(tmp_path / "release")}) == 2
    again = run_growth(backfill, choice=Choice(datasets=["shop/reviews"]))
    assert again.report.grown == 1
    assert {run.state_name for run in again.runs} == {"Cached"}
    assert sum(endpoint.seen.answered.values()) == asked


def test_task_runner_names_the_extra_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    with pytest.raises(DynosaurError, match=r"pip install 'dynosaur\[ray\]'") as caught:
        task_runner(Settings(waves=Waves(engine="ray")))
    assert caught.value.code is Code.BAD_SETTING
