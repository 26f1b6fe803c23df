"""What a person finds in the UI after a run: the report, what fails and why, a plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from prefect.artifacts import create_markdown_artifact
from prefect.context import FlowRunContext

from dynosaur_core.clients import Clients
from dynosaur_core.errors import DynosaurError
from dynosaur_core.failing import by_code, failing
from dynosaur_core.ledger import LedgerEntry, Outcome
from dynosaur_core.named import keep_names, named, tasks_of
from dynosaur_core.report import GrowthReport
from dynosaur_core.results import Forecast
from dynosaur_core.text import markdown_text
from tasks.artifacts.failures import failed_markdown, failed_sentence
from tasks.artifacts.growth import Told, growth_markdown
from tasks.artifacts.pages import NAMES
from tasks.artifacts.plan import plan_markdown
from tasks.artifacts.schedule import next_run

__all__ = ["publish_artifacts", "publish_plan", "told_of"]


def publish_artifacts(report: GrowthReport, clients: Clients, options: Mapping[str, Any]) -> None:
    """Creates `growth-report` and `failed-datasets` for the current flow run. `options` are those of this run, which a
    backfill of what failed needs too."""
    page = growth_markdown(report, told_of(report, clients))
    description = markdown_text(report.sentence())
    create_markdown_artifact(key="growth-report", markdown=page, description=description)
    codes = by_code(failing(clients.ledger), NAMES, report.begun)
    page = failed_markdown(codes, report.begun, options)
    description = failed_sentence(codes) if codes else "no dataset fails"
    create_markdown_artifact(key="failed-datasets", markdown=page, description=description)


def publish_plan(
    found: Forecast,
    stages: Sequence[str],
    choice: Mapping[str, Any],
    options: Mapping[str, Any],
    arguments: Sequence[str],
) -> None:
    """Creates `backfill-plan` for the current flow run; the arguments are those of `plan_markdown`."""
    page = plan_markdown(found, stages, choice, options, arguments)
    create_markdown_artifact(key="backfill-plan", markdown=page, description=markdown_text(found.sentence()))


def told_of(report: GrowthReport, clients: Clients) -> Told:
    """What the ledger, the store and Prefect know of a growth beside its counts."""
    found = named(clients.ledger, report.growth_id, NAMES)
    rest = None
    if any(those.left_out for those in found.values()):
        rest = keep_names(clients.ledger, clients.store, report.growth_id)
    grown = found[Outcome.GROWN].shown
    return Told(
        named=found,
        tasks={entry.repo_id: count for entry in grown if (count := _tasks(clients, entry)) is not None},
        took_s=_took_s(),
        next_night=next_run(),
        rest=rest,
    )


def _tasks(clients: Clients, entry: LedgerEntry) -> int | None:
    """None of a contribution that the store has lost: the release says so, and what to do."""
    try:
        return tasks_of(clients.store, entry)
    except DynosaurError:
        return None


def _took_s() -> float | None:
    context = FlowRunContext.get()
    return (datetime.now(UTC) - context.start_time).total_seconds() if context else None
