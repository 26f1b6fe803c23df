"""What `dynosaur doctor` says of the nightly growth on a Prefect server: its schedule, a worker, alarms."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from flows.command.alarms import ALARMS, next_starts
from flows.command.deploy import NIGHTLY, POOL, when
from flows.command.findings import Finding

_NAME = f"grow/{NIGHTLY}"
_START = "Start it with `dynosaur serve`, or after `set -a; . deployments/server.env; set +a`."


def examine_nightly() -> list[Finding]:
    """One finding per part. Prefect must answer; raises what its client raises."""
    from prefect.client.orchestration import get_client
    from prefect.exceptions import ObjectNotFound
    from prefect.settings import PREFECT_API_URL

    part = "nightly growth"
    if not PREFECT_API_URL.value():
        said = "nothing runs by itself, since no server is set"
        return [Finding(part=part, ok=True, found=said, what_to_do="`dynosaur serve`, or see docs/runbook.md.")]
    with get_client(sync_client=True) as client:
        try:
            deployment = client.read_deployment_by_name(_NAME)
        except ObjectNotFound:
            said = f"{_NAME} is not deployed, so nothing runs by itself"
            return [Finding(part=part, ok=True, found=said, what_to_do="`dynosaur deploy`.")]
        schedule = _schedule(client, deployment)
        pool = deployment.work_pool_name or POOL
        late = _late(client, deployment, pool)
        return [schedule, *_worker(client, pool), *late, _alarms(client), *examine_recorder(client)]


def _schedule(client: Any, deployment: Any) -> Finding:
    starts = [] if deployment.paused else next_starts(client, deployment)
    if starts:
        found = f"{_NAME}, {when(deployment.schedules)}: next at {starts[0].astimezone(UTC):%Y-%m-%d %H:%M} UTC"
        return Finding(part="schedule", ok=True, found=found, what_to_do="")
    found = f"{_NAME} is paused" if deployment.paused else f"{_NAME} has no schedule that is switched on"
    advice = "Switch it on in the UI, or take prefect.yaml's with `dynosaur deploy --reset`."
    return Finding(part="schedule", ok=False, found=found, what_to_do=advice)


def _worker(client: Any, pool: str) -> Iterator[Finding]:
    from prefect.exceptions import ObjectNotFound

    part = f"worker of the pool {pool}"
    try:
        if client.read_work_pool(pool).is_paused:
            advice = f"`prefect work-pool resume {pool}`."
            yield Finding(part=part, ok=False, found="the pool is paused: no run begins", what_to_do=advice)
            return
        workers = [worker for worker in client.read_workers_for_work_pool(pool) if worker.status == "ONLINE"]
    except ObjectNotFound:
        yield Finding(part=part, ok=False, found="there is no such pool", what_to_do="`dynosaur deploy`.")
        return
    if not workers:
        advice = f"`prefect worker start --pool {pool}` where the growth is to run, or `dynosaur serve`."
        yield Finding(part=part, ok=False, found="none listens: no run begins", what_to_do=advice)
        return
    told = ", ".join(f"{worker.name} ({_ago(worker.last_heartbeat_time)})" for worker in workers)
    yield Finding(part=part, ok=True, found=f"{told} listens", what_to_do="")


def _late(client: Any, deployment: Any, pool: str) -> Iterator[Finding]:
    """A finding where runs wait that should have begun."""
    from prefect.client.schemas.filters import FlowRunFilter

    chosen = {"deployment_id": {"any_": [deployment.id]}, "state": {"name": {"any_": ["Late"]}}}
    late = client.read_flow_runs(flow_run_filter=FlowRunFilter.model_validate(chosen))
    if late:
        found = f"{len(late)} of {_NAME} wait that should have begun, the first since {_minute(late)}"
        advice = f"Look at the worker of the pool {pool}, and at what runs now; cancel those that are not wanted."
        yield Finding(part="late runs", ok=False, found=found, what_to_do=advice)


def examine_recorder(client: Any) -> Iterator[Finding]:
    """A finding where the server writes down one task run at a time; none where it does not tell, as Prefect Cloud."""
    from prefect.exceptions import PrefectHTTPStatusError

    try:
        services = client.request("GET", "/admin/settings").json()["server"]["services"]
        batch = services["task_run_recorder"]["batch_size"]
    except (PrefectHTTPStatusError, ValueError, KeyError, TypeError):
        return
    if batch == 1:
        found = "the server writes down task runs one by one: of a large growth it loses some"
        yield Finding(part="task runs", ok=True, found=found, what_to_do=_START)


def _alarms(client: Any) -> Finding:
    there = [found for alarm in ALARMS for found in client.read_automations_by_name(alarm.name)[:1]]
    enabled = sum(found.enabled for found in there)
    found = f"{enabled} of {len(ALARMS)} notify" + (f", {len(there) - enabled} switched off" * (enabled < len(there)))
    advice = "" if enabled == len(ALARMS) else "`dynosaur deploy --notify https://...`, or switch them on in the UI."
    return Finding(part="alarms", ok=True, found=found, what_to_do=advice)


def _minute(late: list[Any]) -> str:
    return f"{min(run.expected_start_time for run in late).astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _ago(moment: datetime | None) -> str:
    return "never heard of" if moment is None else f"heard of {(datetime.now(UTC) - moment).total_seconds():.0f} s ago"
