"""What Prefect knows of a growth beside its report: which flow it is, and since when it runs."""

from __future__ import annotations

from datetime import UTC, datetime

from prefect.context import FlowRunContext

from dynosaur_core.figures import publish_figures
from dynosaur_core.report import GrowthReport
from dynosaur_core.settings import Settings


def tell_figures(report: GrowthReport, settings: Settings) -> None:
    """Publishes the figures of the growth or backfill of the current flow run, where the settings say."""
    context = FlowRunContext.get()
    flow = context.flow.name if context and context.flow else "grow"
    since = context.flow_run.start_time if context and context.flow_run else None
    seconds = (datetime.now(UTC) - since).total_seconds() if since else None
    publish_figures(report, settings.metrics, flow, seconds)
