"""The deployments as an operator runs them: a server, a work pool, `deploy --all`, a worker, from a checkout."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from flows.choice import Choice
from flows.options import Options
from tests.support.browser import Browser, browsing, needs_browser
from tests.support.datasets import write_dataset
from tests.support.llm import Faults, LlmServer

ROOT = Path(__file__).parents[2]
PREFECT = [sys.executable, "-m", "prefect"]


@dataclass
class Night:
    """A Prefect server that was just started, what was deployed to it, and a worker."""

    environment: dict[str, str]
    home: Path
    client: httpx.Client
    deployments: dict[str, dict[str, Any]] = field(default_factory=dict)

    def ask(self, method: str, path: str, body: object = None) -> Any:
        # a server on SQLite that is busy says 503, and its clients ask again
        [answer] = self.until(lambda: _unless_busy(self.client, method, path, body))
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    def runs(self, deployment: str) -> list[dict[str, Any]]:
        chosen = {"deployments": {"id": {"any_": [self.deployments[deployment]["id"]]}}}
        found: list[dict[str, Any]] = self.ask("POST", "flow_runs/filter", chosen)
        return found

    def start(self, deployment: str, parameters: dict[str, object]) -> str:
        given = {"parameters": parameters, "state": {"type": "SCHEDULED"}}
        made = self.ask("POST", f"deployments/{self.deployments[deployment]['id']}/create_flow_run", given)
        return str(made["id"])

    def scheduled_soon(self, deployment: str) -> Callable[[], list[dict[str, Any]]]:
        """Schedules a run for ten seconds from now; returns what asks for the runs that have begun since."""
        before = {run["id"] for run in self.runs(deployment) if run["state_type"] != "SCHEDULED"}
        soon = datetime.now(UTC) + timedelta(seconds=10)
        rule = {"interval": 86_400, "anchor_date": soon.isoformat()}
        schedules = f"deployments/{self.deployments[deployment]['id']}/schedules"
        self.ask("POST", schedules, [{"schedule": rule, "active": True}])
        return lambda: [
            run
            for run in self.runs(deployment)
            if run["state_type"] != "SCHEDULED" and run["auto_scheduled"] and run["id"] not in before
        ]

    def end_of(self, flow_run: str) -> dict[str, Any]:
        """The state that a run ended in."""

        def ended() -> dict[str, Any] | None:
            state: dict[str, Any] = self.ask("GET", f"flow_runs/{flow_run}")["state"]
            return state if state["type"] in ("COMPLETED", "FAILED", "CRASHED", "CANCELLED") else None

        return self.until(ended)

    def task_runs(self, flow_run: str) -> dict[str, str]:
        """The state of each of a run's task runs by its name."""
        chosen = {"flow_runs": {"id": {"any_": [flow_run]}}}
        return {run["name"]: run["state_name"] for run in self.ask("POST", "task_runs/filter", chosen)}

    def until(self, found: Callable[[], Any]) -> Any:
        """What `found` returns as soon as it is something."""
        deadline = time.monotonic() + 240
        while not (value := found()):
            assert time.monotonic() < deadline, self.log("server")[-2_000:] + self.log("worker")[-2_000:]
            time.sleep(0.3)
        return value

    def server_errors(self) -> list[str]:
        """What the server logged as an error, but for an SQLite that was busy for too long on a slow machine."""
        records = re.split(r"^(?=\d\d:\d\d:\d\d\.\d+ \|)", self.log("server"), flags=re.MULTILINE)
        return [text for text in records if "| ERROR" in text and "database is locked" not in text]

    def log(self, name: str) -> str:
        path = self.home / f"{name}.log"
        return path.read_text() if path.exists() else ""


@contextmanager
def _running(night: Night, name: str, *arguments: str, **more: str) -> Iterator[None]:
    """A `prefect` process that goes on until the block ends; it writes to `NAME.log`."""
    with (night.home / f"{name}.log").open("ab") as log:
        environment = {**night.environment, **more}
        process = subprocess.Popen([*PREFECT, *arguments], env=environment, cwd=ROOT, stdout=log, stderr=log)
        try:
            yield
            assert process.poll() is None, night.log(name)[-2_000:]
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:  # a worker that is asked twice ends at once
                process.terminate()
                process.wait(30)


pytestmark = pytest.mark.xdist_group("night")


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Night]:
    """The commands of prefect.yaml, on a server of their own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    home = tmp_path_factory.mktemp("prefect")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    own = {
        "PREFECT_HOME": str(home),
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_CLI_COLORS": "false",
        "PREFECT_WORKER_QUERY_SECONDS": "1",
        "OPENAI_API_KEY": "sk-test-secret",
    }
    client = httpx.Client(base_url=own["PREFECT_API_URL"], timeout=60, limits=httpx.Limits(keepalive_expiry=2))
    night = Night({**inherited, **own}, home, client)
    with client, _running(night, "server", "server", "start", "--host", "127.0.0.1", "--port", str(port)):
        night.until(lambda: _healthy(client))
        _run(night.environment, "work-pool", "create", "dynosaur", "--type", "process")
        _run(night.environment, "--no-prompt", "deploy", "--all")
        night.deployments = {found["name"]: found for found in night.ask("POST", "deployments/filter", {})}
        yield night


def _unless_busy(client: httpx.Client, method: str, path: str, body: object) -> list[httpx.Response]:
    try:
        answer = client.request(method, path, json=body)
    except httpx.TimeoutException:
        return []
    return [] if answer.status_code == 503 else [answer]


def _healthy(client: httpx.Client) -> bool:
    try:
        return client.get("health", timeout=2).status_code == 200
    except httpx.TransportError:
        return False


def _run(environment: dict[str, str], *arguments: str) -> str:
    done = subprocess.run(
        [*PREFECT, *arguments], env=environment, cwd=ROOT, capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 0, done.stdout[-2_000:] + done.stderr[-2_000:]
    return done.stdout


def _is_retry(log: dict[str, Any]) -> bool:
    """A line of the library's, in the logs of the task run that waited."""
    text = f"{log['name']}: {log['message']}"
    return text.startswith("dynosaur.llm: shop/reviews: attempt 1 failed") and log["task_run_id"] is not None


def test_deploy_all_gives_the_server_runs_to_schedule(night: Night) -> None:
    assert set(night.deployments) == {"nightly", "backfill", "wave", "release", "replay", "finetune", "continual"}
    nightly = night.deployments["nightly"]
    assert nightly["schedules"][0]["schedule"]["cron"] == "0 3 * * *"
    assert nightly["global_concurrency_limit"]["limit"] == 1
    forms = {name: found["parameter_openapi_schema"] for name, found in night.deployments.items()}
    assert set(forms["nightly"]["properties"]) == {"options"}
    assert set(forms["backfill"]["properties"]) == {"choice", "options", "dry_run"}
    assert {name: form["required"] for name, form in forms.items() if form.get("required")} == {"backfill": ["choice"]}
    for form, model in (("nightly", Options), ("backfill", Options), ("backfill", Choice)):
        shown = forms[form]["definitions"][model.__name__]["properties"]
        assert {key: " ".join(field["description"].split()) for key, field in shown.items()} == {
            key: " ".join((field.description or "").split()) for key, field in model.model_fields.items()
        }
    runs = night.until(lambda: night.runs("nightly"))
    assert all(run["auto_scheduled"] and run["state_type"] == "SCHEDULED" for run in runs)
    assert {run["expected_start_time"][11:16] for run in runs} == {"03:00"}
    assert night.runs("backfill") == night.runs("release") == []
    assert night.server_errors() == []


def test_the_schedule_starts_a_growth_and_a_worker_runs_the_deployments(
    night: Night, endpoint: LlmServer, catalog: Path, tmp_path: Path
) -> None:
    where = {"catalog": str(catalog), "store": str(tmp_path / "store"), "release": [str(tmp_path / "release")]}
    endpoint.behaviour.faults = Faults(planned={"shop/reviews": ["500"]})
    nightly = f"deployments/{night.deployments['nightly']['id']}"
    night.ask("PATCH", nightly, {"parameters": {"options": where}})
    begun = night.scheduled_soon("nightly")
    own = {"OPENAI_BASE_URL": endpoint.url, "DYNOSAUR_FAILURE_FLOOR": "0"}
    with _running(night, "worker", "worker", "start", "--pool", "dynosaur", **own):
        [run] = night.until(begun)
        state = night.end_of(run["id"])
        assert run["auto_scheduled"] and state["type"] == "COMPLETED", state
        assert state["message"].startswith("2 grown, 1 refused, 0 failed")
        assert (tmp_path / "release" / "manifest.json").exists()
        asked = sum(endpoint.seen.answered.values())
        assert night.until(lambda: [log for log in night.ask("POST", "logs/filter", {}) if _is_retry(log)])

        write_dataset(catalog, "odd/garbage", {"train": [{"a": 1}]}).joinpath("train.jsonl").write_text("{{{{")
        choice = {"datasets": ["shop/*", "odd/*"], "from_stage": "filter"}
        again = night.start("backfill", {"options": where, "choice": choice, "dry_run": False})
        state = night.end_of(again)
        assert state["type"] == "FAILED", state
        assert state["message"].startswith("50% of the branches failed, at most 20% may, or 0: 1 grown")
        assert sum(endpoint.seen.answered.values()) == asked
        expected = {
            "metadata odd/garbage": "Failed",
            "metadata shop/reviews": "Cached",
            "instruction shop/reviews": "Cached",
            "filter shop/reviews": "Completed",
            "judge shop/reviews": "Completed",
            "publish shop/reviews": "Completed",
        }
        # the server writes them down up to a second after the end
        assert night.until(lambda: night.task_runs(again) == expected)
    # what ended by its own verdict says so in a sentence
    assert "Traceback" not in night.log("worker"), night.log("worker")[-6_000:]
    assert "cannot be resolved into an exception" not in night.log("worker")
    assert night.server_errors() == []
    told = [night.ask("POST", path, {}) for path in ("logs/filter", "artifacts/filter", "flow_runs/filter")]
    assert "sk-test-secret" not in json.dumps(told) + night.log("worker") + night.log("server")


def test_a_run_with_nothing_filled_in_and_one_of_an_earlier_deployment(
    night: Night, endpoint: LlmServer, catalog: Path, tmp_path: Path
) -> None:
    nightly = f"deployments/{night.deployments['nightly']['id']}"
    night.ask("PATCH", nightly, {"parameters": {}})
    own = {"OPENAI_BASE_URL": endpoint.url, "DYNOSAUR_DESIGNING__DESIGNERS": "rules"}
    own |= {"DYNOSAUR_CATALOG": str(catalog), "DYNOSAUR_STORE": str(tmp_path / "store")}
    with _running(night, "worker", "worker", "start", "--pool", "dynosaur", **own):
        state = night.end_of(night.start("nightly", {}))
        assert state["type"] == "COMPLETED" and state["message"].startswith("2 grown"), state
        # whose flow took each option as a parameter
        older: dict[str, object] = {"store": str(tmp_path / "other"), "limit": 1, "release": None}
        night.ask("PATCH", nightly, {"parameters": older, "enforce_parameter_schema": False})
        state = night.end_of(night.start("nightly", {}))
        assert state["type"] == "COMPLETED" and state["message"].startswith("1 grown"), state


def test_backfill_where_nothing_is_chosen_is_refused_before_a_run_exists(night: Night) -> None:
    before = len(night.runs("backfill"))
    path = f"deployments/{night.deployments['backfill']['id']}/create_flow_run"
    nothing: dict[str, object] = {"datasets": [], "modified_since": None, "from_stage": "filter"}
    for choice, why in (
        ({}, "choice"),
        ({"choice": nothing}, "should be non-empty"),
        ({"choice": {"errors": ["UnreadableFile"]}}, "is not one of"),
        ({"choice": {"datasets": ["a/b"]}, "options": {"max_cost_usd": -1}}, "less than the minimum"),
    ):
        answer = night.client.post(path, json={"parameters": choice, "state": {"type": "SCHEDULED"}})
        assert answer.status_code == 409 and why in answer.text, answer.text
    assert len(night.runs("backfill")) == before


@needs_browser
@pytest.mark.timeout(600)
def test_a_person_finds_in_the_browser_what_failed_and_grows_it_from_the_form(
    night: Night, endpoint: LlmServer, catalog: Path, tmp_path: Path
) -> None:
    broken = write_dataset(catalog, "odd/garbage", {"train": [{"a": 1}]}) / "train.jsonl"
    broken.write_text("{{{{")
    night.ask("PATCH", f"deployments/{night.deployments['nightly']['id']}", {"parameters": {}})
    own = {"OPENAI_BASE_URL": endpoint.url, "DYNOSAUR_CATALOG": str(catalog)}
    own |= {"DYNOSAUR_STORE": str(tmp_path / "store"), "DYNOSAUR_RELEASE": str(tmp_path / "release")}
    begun = night.scheduled_soon("nightly")
    ui = night.environment["PREFECT_API_URL"].removesuffix("/api")
    with _running(night, "worker", "worker", "start", "--pool", "dynosaur", **own), browsing(ui) as browser:
        [run] = night.until(begun)
        state = night.end_of(run["id"])
        assert state["message"].startswith("2 grown, 1 refused, 1 failed"), state
        _look_for_the_failure(browser, run["id"])
        broken.write_text((catalog / "museum/questions/train.jsonl").read_text().replace("museum", "gallery"))
        _submit_the_form(browser, night.deployments["backfill"]["id"])
        [again] = night.until(lambda: [run for run in night.runs("backfill") if "Unreadable" in run["name"]])
        state = night.end_of(again["id"])
        assert state["type"] == "COMPLETED" and state["message"].startswith("1 grown"), state
        browser.open(f"runs/flow-run/{again['id']}?tab=Artifacts")
        browser.artifact("growth-report")
        browser.sees("Grown: 1 dataset")
        browser.sees("odd/garbage")
        browser.shot("after-the-backfill")


def _look_for_the_failure(browser: Browser, flow_run: str) -> None:
    """From the list of runs to why a dataset failed, and what to do about it."""
    browser.open("runs")
    browser.page.locator(f"a[href*='{flow_run}']").first.click()
    browser.click("tab", "Artifacts")
    browser.shot("growth-run")
    browser.artifact("growth-report")
    browser.sees("Refused: 1 dataset")
    browser.sees("press/stories")
    browser.shot("growth-report", 1_400)
    browser.open(f"runs/flow-run/{flow_run}?tab=Artifacts")
    browser.artifact("failed-datasets")
    browser.sees("1 dataset fails, 1 new tonight")
    browser.sees("What to do:")
    browser.shot("failed-datasets")
    browser.artifact("failed-odd-garbage")
    browser.sees("in the stage metadata")
    browser.click("link", "metadata odd/garbage")
    browser.click("tab", "Task Inputs")
    browser.sees("odd/garbage at revision")
    browser.shot("failed-task-run")


def _submit_the_form(browser: Browser, deployment: str) -> None:
    """First with nothing chosen, then for an error code."""
    browser.open(f"deployments/deployment/{deployment}/run")
    browser.click("button", "Submit")
    browser.sees("should be non-empty")
    browser.click("button", "Select Errors")
    browser.click("option", "UnreadableFiles", exact=True)
    browser.page.keyboard.press("Escape")
    browser.click("switch", "dry_run")
    browser.shot("backfill-form")
    browser.submit()
