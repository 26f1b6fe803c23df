"""What an operator runs, on a server of its own: `dynosaur serve`, `deploy`, `doctor`; the alarms reach a webhook."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL, temporary_settings

from dynosaur_core.errors import DynosaurError
from flows.command.alarms import ALARMS
from flows.command.deploy import Deployed
from flows.command.findings import Finding
from flows.command.nightly import examine_nightly
from flows.command.operate import Wanted, bring_all
from flows.command.serve import serve, variables
from tests.support.llm import LlmServer
from tests.support.webhook import Receiver, receiver

ROOT = Path(__file__).parents[2]
SECRET = "hook-5c1f3d9e77aa"
_OWN = {"id", "created", "updated", "updated_by", "created_by", "last_polled", "status", "version", "version_id"}
_OWN |= {"version_info", "branch", "labels", "path", "deployment_id"}
"""What the server says of a deployment that no one declares."""

pytestmark = [pytest.mark.xdist_group("operate"), pytest.mark.timeout(600)]


@dataclass
class Served:
    """A running `dynosaur serve`."""

    process: subprocess.Popen[str]
    environment: dict[str, str]
    port: int
    hook: Receiver
    errors: Path
    api: httpx.Client

    def ask(self, method: str, path: str, body: object = None) -> Any:
        def answered() -> Any:
            answer = self.api.request(method, path, json=body)
            return None if answer.status_code == 503 else [answer]  # SQLite was busy

        [answer] = self.until(answered)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    def until(self, found: Callable[[], Any]) -> Any:
        deadline = time.monotonic() + 240
        while not (value := found()):
            assert time.monotonic() < deadline, self.errors.read_text()[-4_000:]
            time.sleep(0.2)
        return value

    def deploy(self, reset: bool = False, notify: str | None = None, by: str | None = None) -> dict[str, Deployed]:
        """`dynosaur deploy` in this process, by the part."""
        with self.client() as client:
            return {each.part: each for each in bring_all(client, ROOT, Wanted(reset, notify, by))}

    def doctor(self) -> dict[str, Finding]:
        with self.client():
            return {each.part: each for each in examine_nightly()}

    @contextmanager
    def client(self) -> Iterator[Any]:
        here = {PREFECT_API_URL: f"http://127.0.0.1:{self.port}/api"}
        with temporary_settings(here), get_client(sync_client=True) as client:
            yield client

    def nightly(self) -> dict[str, Any]:
        found: dict[str, Any] = self.ask("GET", "deployments/name/grow/nightly")
        return found

    def start(self, parameters: dict[str, Any], at: datetime) -> str:
        state = {"type": "SCHEDULED", "state_details": {"scheduled_time": at.isoformat()}}
        body = {"parameters": parameters, "state": state}
        return str(self.ask("POST", f"deployments/{self.nightly()['id']}/create_flow_run", body)["id"])

    def soon(self, name: str) -> None:
        """Lets the alarm whose name has that word fire after ten seconds, which is the least, instead of hours."""
        [alarm] = [found for found in self.ask("POST", "automations/filter", {}) if name in found["name"]]
        sooner = {key: alarm[key] for key in ("name", "description", "enabled", "actions")}
        self.ask("PUT", f"automations/{alarm['id']}", {**sooner, "trigger": {**alarm["trigger"], "within": 10}})

    def alarmed(self, subject: str) -> dict[str, str]:
        """What the webhook was told with that subject."""

        def told() -> list[dict[str, str]]:
            bodies = [json.loads(body) for _, path, body in self.hook.requests if path == f"/{SECRET}"]
            return [body for body in bodies if body["subject"] == subject]

        found: list[dict[str, str]] = self.until(told)
        return found[0]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    home = tmp_path_factory.mktemp("served")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "DYNOSAUR_"))}
    environment = {
        **inherited,
        "PREFECT_HOME": str(home),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_WORKER_QUERY_SECONDS": "1",
        # what an operator need not set: how soon the server looks
        "PREFECT_SERVER_SERVICES_LATE_RUNS_AFTER_SECONDS": "1",
        "PREFECT_SERVER_EVENTS_PROACTIVE_GRANULARITY": "PT1S",
        "PREFECT_SERVER_EVENTS_EXPIRED_BUCKET_BUFFER": "PT1S",
        "PREFECT_SERVER_SERVICES_DB_VACUUM_LOOP_SECONDS": "2",
        "OPENAI_API_KEY": "sk-test-secret",
    }
    errors = home / "serve.log"
    address = f"http://127.0.0.1:{port}/api"
    api = httpx.Client(base_url=address, timeout=60, limits=httpx.Limits(keepalive_expiry=2))
    with receiver() as hook, errors.open("w") as log, api:
        given = ["--port", str(port), "--notify", f"{hook.url}/{SECRET}", "--by", "06:00"]
        process = subprocess.Popen(
            [sys.executable, "-m", "flows.command", "serve", *given], env=environment, cwd=ROOT, stderr=log, text=True
        )
        found = Served(process, environment, port, hook, errors, api)
        try:
            found.until(lambda: "in a browser" in errors.read_text() or process.poll() is not None)
            assert process.poll() is None, errors.read_text()
            yield found
        finally:
            process.terminate()
            process.wait(120)


def declared(served: Served) -> dict[str, Any]:
    """All deployments, without what no one declares."""
    found = {}
    for deployment in served.ask("POST", "deployments/filter", {}):
        told = {key: value for key, value in deployment.items() if key not in _OWN}
        told["schedules"] = [
            {key: value for key, value in item.items() if key not in _OWN} for item in told["schedules"]
        ]
        limit = told.pop("global_concurrency_limit")
        found[told["name"]] = told | {"limit": limit and limit["limit"]}
    return found


def test_serve_says_where_and_tells_the_browser(served: Served) -> None:
    said = served.errors.read_text()
    assert f"open http://127.0.0.1:{served.port} in a browser" in said
    told = httpx.get(f"http://127.0.0.1:{served.port}/ui-settings", timeout=60).json()
    assert told["api_url"] == f"http://127.0.0.1:{served.port}/api"
    assert SECRET not in said
    with pytest.raises(DynosaurError, match="cannot be served at"):
        serve("127.0.0.1", served.port, None, ROOT, [])


def test_deploy_makes_what_prefects_own_command_makes(served: Served) -> None:
    ours, ids = declared(served), {found["id"] for found in served.ask("POST", "deployments/filter", {})}
    prefect = [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all"]
    environment = {**served.environment, "PREFECT_API_URL": f"http://127.0.0.1:{served.port}/api"}
    subprocess.run(prefect, env=environment, cwd=ROOT, capture_output=True, timeout=300, check=True)
    assert declared(served) == ours
    assert {found["id"] for found in served.ask("POST", "deployments/filter", {})} == ids
    assert ours["nightly"]["limit"] == 1 and ours["nightly"]["schedules"][0]["schedule"]["cron"] == "0 3 * * *"


def test_deploy_again_keeps_what_people_changed(served: Served) -> None:
    nightly = served.nightly()
    at = f"deployments/{nightly['id']}/schedules/{nightly['schedules'][0]['id']}"
    served.ask("PATCH", at, {"schedule": {"cron": "30 4 * * *", "timezone": "Europe/Berlin"}})
    served.ask("PATCH", f"deployments/{nightly['id']}", {"parameters": {"options": {"limit": 3}}})
    done = served.deploy()
    assert {each.done for each in done.values()} == {"kept"}
    told = done["deployment grow/nightly"].detail
    assert "30 4 * * * Europe/Berlin" in told and "parameters" in told
    assert served.nightly()["parameters"] == {"options": {"limit": 3}}
    assert len(served.ask("POST", "automations/filter", {})) == len(ALARMS)

    done = served.deploy(reset=True, by="05:15")
    renewed = {part for part, each in done.items() if each.done == "renewed"}
    late = {"alarm a growth did not begin", "alarm no growth has ended"}
    assert renewed == {"deployment grow/nightly", *late}
    assert served.nightly()["schedules"][0]["schedule"]["cron"] == "0 3 * * *"
    assert served.nightly()["parameters"] == {}
    within = {found["name"]: found["trigger"]["within"] for found in served.ask("POST", "automations/filter", {})}
    assert within["dynosaur: a growth did not begin"] == 2.25 * 3600
    assert within["dynosaur: no growth has ended"] == 26.25 * 3600


def test_deploy_refuses_what_it_cannot_do_before_it_does_anything(served: Served) -> None:
    before = declared(served)
    wrong: list[tuple[dict[str, str], str]] = [
        ({"by": "six"}, "--by is an hour"),
        ({"notify": "no-such/block"}, "neither a web address nor a block"),
        ({"notify": f"ftp://{SECRET}"}, "neither a web address nor a block"),
    ]
    for given, said in wrong:
        with pytest.raises(DynosaurError, match=said) as error:
            served.deploy(reset=True, **given)  # type: ignore[arg-type]
        assert SECRET not in str(error.value)
    assert declared(served) == before


def test_alarm_of_a_growth_that_failed_and_runs_are_removed_in_time(served: Served) -> None:
    run = served.start({}, datetime.now(UTC) + timedelta(days=1))
    ends = {"state": {"type": "FAILED", "name": "Failed", "message": "40% of the branches failed"}, "force": True}
    served.ask("POST", f"flow_runs/{run}/set_state", ends)
    log = {"flow_run_id": run, "level": 40, "message": "odd", "name": "x", "timestamp": datetime.now(UTC).isoformat()}
    served.ask("POST", "logs/", [log])
    told = served.alarmed("Dynosaur: a growth failed")
    assert "40% of the branches failed" in told["body"] and f"/runs/flow-run/{run}" in told["body"]

    logs = {"logs": {"flow_run_id": {"any_": [run]}}}
    served.until(lambda: served.ask("POST", "logs/filter", logs))
    with sqlite3.connect(Path(served.environment["PREFECT_HOME"]) / "prefect.db", timeout=60) as database:
        database.execute("UPDATE flow_run SET end_time = '2020-01-01 00:00:00' WHERE id = ?", [run])
    chosen = {"flow_runs": {"id": {"any_": [run]}}}
    served.until(lambda: not served.ask("POST", "flow_runs/filter", chosen))
    served.until(lambda: not served.ask("POST", "logs/filter", logs))


def test_alarm_of_a_night_in_which_no_growth_ended(served: Served) -> None:
    served.soon("ended")
    run = served.start({}, datetime.now(UTC) + timedelta(days=1))
    served.ask(
        "POST", f"flow_runs/{run}/set_state", {"state": {"type": "COMPLETED", "name": "Completed"}, "force": True}
    )
    told = served.alarmed("Dynosaur: no growth has ended since the last one")
    assert f"/runs/flow-run/{run}" in told["body"] and "The last growth that ended was" in told["body"]


def test_alarm_of_a_growth_that_did_not_begin(served: Served, tmp_path: Path) -> None:
    served.ask("PATCH", "work_pools/dynosaur", {"is_paused": True})
    served.soon("begin")
    run = served.start({}, datetime.now(UTC) - timedelta(hours=1))
    told = served.alarmed("Dynosaur: a growth did not begin")
    assert f"/runs/flow-run/{run}" in told["body"] and "has not begun" in told["body"]

    found = served.doctor()
    assert not found["worker of the pool dynosaur"].ok and "paused" in found["worker of the pool dynosaur"].found
    assert not found["late runs"].ok and found["late runs"].found.startswith("1 of grow/nightly")
    served.ask("DELETE", f"flow_runs/{run}")
    served.ask("PATCH", "work_pools/dynosaur", {"is_paused": False})
    found = served.doctor()
    assert all(each.ok and not each.what_to_do for each in found.values())
    assert "serve on" in found["worker of the pool dynosaur"].found
    assert "0 3 * * * UTC: next at" in found["schedule"].found
    assert found["alarms"].found == "3 of 3 notify"

    served.ask("PATCH", f"deployments/{served.nightly()['id']}", {"paused": True})
    found = served.doctor()
    assert not found["schedule"].ok and "paused" in found["schedule"].found
    served.deploy(reset=True)
    assert served.nightly()["paused"] is False


def test_serve_ends_on_ctrl_c_with_all_its_processes(
    served: Served, endpoint: LlmServer, catalog: Path, tmp_path: Path
) -> None:
    gate = endpoint.behaviour.gate = threading.Event()
    where = {"catalog": str(catalog), "store": str(tmp_path / "store")}
    job = {"env": {"OPENAI_BASE_URL": endpoint.url}}
    body = {"parameters": {"options": where}, "job_variables": job, "state": {"type": "SCHEDULED"}}
    served.ask("POST", f"deployments/{served.nightly()['id']}/create_flow_run", body)
    served.until(lambda: endpoint.seen.in_flight)
    before = len(served.errors.read_text())
    served.process.send_signal(signal.SIGINT)
    assert served.process.wait(240) == 0, served.errors.read_text()[-4_000:]
    gate.set()
    said = served.errors.read_text()[before:]
    assert "goes on from here" in said and "Traceback" not in said, said[-4_000:]
    served.until(lambda: not _processes_of(served.environment["PREFECT_HOME"]))


def _processes_of(home: str) -> list[str]:
    """Processes with that PREFECT_HOME."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            environment = (path / "environ").read_bytes()
        except OSError:
            continue  # it has ended, or is another user's
        if f"PREFECT_HOME={home}".encode() in environment:
            found.append((path / "cmdline").read_text())
    return found


def test_serve_leaves_what_an_operator_set() -> None:
    given = {"PREFECT_LOGGING_LEVEL": "DEBUG", "PREFECT_SERVER_SERVICES_DB_VACUUM_RETENTION_PERIOD": "86400"}
    own = variables({**given, "PREFECT_SERVER_LOGGING_LEVEL": "CRITICAL"}, "http://a/api", "http://b")
    assert own.items() >= {**given, "PREFECT_SERVER_LOGGING_LEVEL": "WARNING"}.items()
    assert own["PREFECT_API_URL"] == "http://a/api" and own["PREFECT_SERVER_UI_API_URL"] == "http://b/api"
