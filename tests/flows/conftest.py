"""Fixtures: one Prefect server for the tests of this folder, a catalogue, and a model endpoint."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from prefect import task
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId, TaskRunFilter, TaskRunFilterId
from prefect.client.schemas.objects import TaskRun
from prefect.testing.utilities import prefect_test_harness

from dynosaur_core.catalog.hub.http import shared_http
from dynosaur_core.clients import close_clients
from dynosaur_core.report import GrowthReport
from flows.command.recorder import RECORDER
from flows.grow import grow
from flows.options import Options
from flows.progress import GrowthEnded, listening
from tests.flows.hub_case import RELEASE
from tests.support.datasets import two_good_and_one_refused
from tests.support.hub import LoopbackHub
from tests.support.llm import LlmServer


@pytest.fixture(scope="session")
def prefect_server() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as environment:
        for name, value in RECORDER.items():
            environment.setenv(name, value)
        with prefect_test_harness(server_startup_timeout=120):
            yield


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[LlmServer]:
    with LlmServer() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        monkeypatch.setenv("OPENAI_API_KEY", "sk-test-secret")
        close_clients()
        yield server
    close_clients()


@pytest.fixture
def unjudged(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests that count what the designers alone are asked."""
    monkeypatch.setenv("DYNOSAUR_JUDGING__JUDGE", "off")


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    root = tmp_path / "catalog"
    two_good_and_one_refused(root)
    return root


@dataclass
class Grown:
    """One growth as a test sees it."""

    report: GrowthReport
    state: Any
    runs: list[TaskRun]

    @property
    def run_names(self) -> list[str]:
        return sorted(run.name for run in self.runs)


@pytest.fixture
def run_growth(prefect_server: None, catalog: Path, tmp_path: Path) -> Callable[..., Grown]:
    def run(flow: Any = grow, **given: Any) -> Grown:
        close_clients()
        reports: list[GrowthReport] = []
        where = {"catalog": str(catalog), "store": str(tmp_path / "store"), "release": [str(tmp_path / "release")]}
        options = Options(**{**where, **{name: given.pop(name) for name in Options.model_fields if name in given}})
        with listening(lambda event: reports.append(event.report) if isinstance(event, GrowthEnded) else None):
            state = flow(options=options, **given, return_state=True)
        assert reports, state.message
        return Grown(reports[0], state, task_runs(state.state_details.flow_run_id))

    return run


@pytest.fixture
def night(
    run_growth: Callable[..., Grown], endpoint: LlmServer, hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Grown]:
    """A growth of the loopback Hub, released to a dataset repository of it."""
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    monkeypatch.setenv("HF_TOKEN", hub.token)
    shared_http(hub.url, hub.token).backoff_s = 0.01
    return partial(run_growth, catalog="hub", release=[RELEASE])


def task_runs(flow_run_id: Any) -> list[TaskRun]:
    """The task runs of a flow run of this process that has ended, once the server has written all of them down.

    It does so in the order in which it hears of them, up to a second later: when it knows of one that was run
    afterwards, it knows of these.
    """
    last = run_afterwards(return_state=True).state_details.task_run_id
    chosen = FlowRunFilter(id=FlowRunFilterId(any_=[flow_run_id]))
    deadline = time.monotonic() + 60
    with get_client(sync_client=True) as client:
        while True:
            found = client.read_task_runs(task_run_filter=TaskRunFilter(id=TaskRunFilterId(any_=[last])))
            # without the last: Prefect counts a run outside of every flow to the flow before it
            runs = [run for run in client.read_task_runs(flow_run_filter=chosen) if run.id != last]
            if any(run.state and run.state.is_final() for run in found):
                return runs
            assert time.monotonic() < deadline, "the server has not written down all task runs"
            time.sleep(0.2)


@task(persist_result=False)
def run_afterwards() -> None:
    """Nothing: only its being written down counts."""
