"""The deployments as an operator runs them: a server, a work pool, `deploy --all`, a worker, from a checkout."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.llm import LlmServer

ROOT = Path(__file__).parents[2]
PREFECT = [sys.executable, "-m", "prefect"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Environment of a Prefect server that was just started."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    home = tmp_path_factory.mktemp("prefect")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    environment = {
        **inherited,
        "PREFECT_HOME": str(home),
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_CLI_COLORS": "false",
    }
    log = (home / "server.log").open("wb")
    command = [*PREFECT, "server", "start", "--host", "127.0.0.1", "--port", str(port), "--no-ui"]
    process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 120
        while not _healthy(environment["PREFECT_API_URL"]):
            assert process.poll() is None and time.monotonic() < deadline, (home / "server.log").read_text()[-2_000:]
            time.sleep(0.3)
        yield environment
    finally:
        process.terminate()
        process.wait(30)
        log.close()


def _healthy(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health", timeout=2).status_code == 200
    except httpx.TransportError:
        return False


def _run(environment: dict[str, str], *arguments: str) -> str:
    done = subprocess.run(
        [*PREFECT, *arguments], env=environment, cwd=ROOT, capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 0, done.stdout[-2_000:] + done.stderr[-2_000:]
    return done.stdout


def test_a_worker_runs_the_deployments(
    server: dict[str, str], endpoint: LlmServer, catalog: Path, tmp_path: Path
) -> None:
    _run(server, "work-pool", "create", "dynosaur", "--type", "process")
    _run(server, "--no-prompt", "deploy", "--all")
    deployments = httpx.post(f"{server['PREFECT_API_URL']}/deployments/filter", json={}, timeout=30).json()
    by_name = {deployment["name"]: deployment for deployment in deployments}
    assert set(by_name) == {"nightly", "backfill", "release"}
    nightly = by_name["nightly"]
    assert nightly["schedules"][0]["schedule"]["cron"] == "0 3 * * *"
    assert nightly["global_concurrency_limit"]["limit"] == 1
    form = by_name["backfill"]["parameter_openapi_schema"]
    assert {"datasets", "errors", "from_stage", "force"} <= set(form["definitions"]["Choice"]["properties"])

    where = {"catalog": str(catalog), "store": str(tmp_path / "store"), "release": [str(tmp_path / "release")]}
    environment = {**server, "OPENAI_BASE_URL": endpoint.url, "OPENAI_API_KEY": "sk-test-secret"}
    flow_run = _create_run(server, nightly["id"], where)
    _run(environment, "worker", "start", "--pool", "dynosaur", "--run-once")
    state = _state(server, flow_run)
    assert state["type"] == "COMPLETED", state
    assert state["message"].startswith("2 grown, 1 refused, 0 failed")
    assert (tmp_path / "release" / "manifest.json").exists()
    asked = sum(endpoint.seen.answered.values())

    choice = {"datasets": ["shop/*"], "from_stage": "filter"}
    again = _create_run(server, by_name["backfill"]["id"], {**where, "choice": choice, "dry_run": False})
    _run(environment, "worker", "start", "--pool", "dynosaur", "--run-once")
    state = _state(server, again)
    assert state["type"] == "COMPLETED", state
    assert state["message"].startswith("1 grown")
    assert sum(endpoint.seen.answered.values()) == asked
    runs = _post(server, "task_runs/filter", {"flow_runs": {"id": {"any_": [again]}}})
    states = {run["name"]: run["state_name"] for run in runs}
    assert states == {
        "metadata shop/reviews": "Cached",
        "instruction shop/reviews": "Cached",
        "filter shop/reviews": "Completed",
        "publish shop/reviews": "Completed",
    }
    everything = json.dumps([_post(server, "logs/filter", {}), _post(server, "artifacts/filter", {}), runs])
    assert "sk-test-secret" not in everything


def _post(server: dict[str, str], path: str, body: dict[str, object]) -> list[dict[str, str]]:
    found: list[dict[str, str]] = httpx.post(f"{server['PREFECT_API_URL']}/{path}", json=body, timeout=30).json()
    return found


def _create_run(server: dict[str, str], deployment: str, parameters: dict[str, object]) -> str:
    url = f"{server['PREFECT_API_URL']}/deployments/{deployment}/create_flow_run"
    created = httpx.post(url, json={"parameters": parameters, "state": {"type": "SCHEDULED"}}, timeout=30)
    assert created.status_code in (200, 201), created.text
    return str(created.json()["id"])


def _state(server: dict[str, str], flow_run: str) -> dict[str, str]:
    state: dict[str, str] = httpx.get(f"{server['PREFECT_API_URL']}/flow_runs/{flow_run}", timeout=30).json()["state"]
    return state
