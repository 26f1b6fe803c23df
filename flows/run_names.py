"""What flow runs are called: `growth 2026-11-26 03:00 (20261126T030000-ab12)`, `backfill UnreadableFiles (plan)`."""

from __future__ import annotations

from datetime import UTC, datetime

from prefect.client.orchestration import get_client
from prefect.context import FlowRunContext
from prefect.runtime import flow_run

from dynosaur_core.text import one_line
from flows.choice import Choice

_CHARS = 80


def growth_name() -> str:
    """When the run is due: at night by the schedule, also where the worker was late."""
    due = flow_run.scheduled_start_time or datetime.now(UTC)
    return f"growth {due.astimezone(UTC):%Y-%m-%d %H:%M}"


def backfill_name() -> str:
    """What is chosen, and whether the run only plans."""
    given = flow_run.parameters
    what = one_line(Choice.model_validate(given.get("choice") or {}).sentence(), _CHARS)
    return f"backfill {what}{' (plan)' if given.get('dry_run') else ''}"


def add_growth_id(growth_id: str) -> None:
    """The name of the current flow run ends with the growth's id from now on, by which store and ledger know it."""
    context = FlowRunContext.get()
    if context is None or context.flow_run is None:
        return
    name = f"{context.flow_run.name} ({growth_id})"
    with get_client(sync_client=True) as client:
        client.set_flow_run_name(context.flow_run.id, name)
    context.flow_run.name = name
