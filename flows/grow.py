"""The nightly growth: survey -> branches -> release -> report."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from prefect import get_run_logger
from prefect.client.schemas.objects import State
from prefect.states import Completed

from dynosaur_core import stopping
from dynosaur_core.clients import Clients, open_clients
from dynosaur_core.growth import Growth, new_growth_id, pipeline_digest
from dynosaur_core.ledger.claims import drop_unsettled
from dynosaur_core.models import GrowthPlan, Stage
from dynosaur_core.report import GrowthReport
from dynosaur_core.settings import Settings
from dynosaur_core.survey import Survey
from flows.batches import run_batches
from flows.ending import failed
from flows.options import Options
from flows.parameters import flow_with_options
from flows.progress import GrowthEnded, Planned, tell
from flows.progress_artifact import showing_progress
from flows.release import check_releases, release_everywhere
from flows.run_names import add_growth_id, growth_name
from flows.waves import run_waves
from tasks.artifacts import publish_artifacts
from tasks.figures import tell_figures


@flow_with_options("grow", growth_name)
def grow(options: Options = Options()) -> State[Any]:
    """One growth: whatever is new, changed or withdrawn in the catalogue since the last one.

    Args:
        options: What this growth does otherwise than the settings on the worker's machine say.
    """
    clients = open_clients(options.settings())
    with clients.ledger.growing(clients.settings.wait_for_growth_s):
        growth_id = begin(clients, options)
        plan = make_plan(clients, growth_id, options.limit, write=True, withdraw_many=options.withdraw_many)
        return run_plan(clients, options, growth_id, plan)


_RESUMABLE = timedelta(hours=24)


def begin(clients: Clients, options: Options) -> str:
    """The id of this growth; one that was cut off goes on under its own, so that its budget holds.

    Raises ForeignStore or BadCatalog where store, ledger, release and catalogue are not each other's.
    """
    clients.join(create=True, write=True, adopt=options.adopt)
    check_releases(clients, options)
    now, ledger, catalog = datetime.now(UTC), clients.ledger, clients.name_catalog(write=True)
    growth_id = ledger.unfinished_growth(catalog, now - _RESUMABLE) or new_growth_id(now)
    ledger.start_growth(growth_id, catalog, now)
    add_growth_id(growth_id)
    drop_unsettled(ledger)
    return growth_id


@stopping.by_signal()
def make_plan(
    clients: Clients, growth_id: str, limit: int | None, write: bool, withdraw_many: bool = False
) -> GrowthPlan:
    """What a growth would do now; `write` puts into the ledger what the listing alone decides."""
    settings = clients.settings
    now = datetime.now(UTC)
    survey = Survey(
        clients.catalog,
        clients.ledger,
        settings,
        pipeline_digest(settings),
        growth_id,
        now,
        limit=limit,
        write=write,
        withdraw_many=withdraw_many,
    )
    return survey.plan()


@stopping.by_signal()
def run_plan(
    clients: Clients, options: Options, growth_id: str, plan: GrowthPlan, fresh_from: Stage | None = None
) -> State[Any]:
    """Runs the branches of a plan, then makes the releases and the report. Must be called inside a flow run."""
    get_run_logger().info("plan: %s", ", ".join(f"{count} {kind}" for kind, count in plan.counts().items()))
    tell(Planned(plan))
    if plan.branches and clients.settings.asks_model:
        clients.llm(growth_id)  # a missing key or price ends the growth here, before any dataset is read
    report = GrowthReport(growth_id, plan, clients.ledger.growth_began(growth_id) or datetime.now(UTC))
    growth = Growth(growth_id, clients.catalog.name, clients.ledger, clients.store, clients.settings, report)
    with showing_progress(len(plan.branches)):
        run_waves(clients, options, growth, plan.branches, fresh_from)
        if growth.pending:
            run_batches(clients, growth)
        report.usage = clients.spent_by_all(growth_id)
        release_everywhere(clients, options, report)
    clients.ledger.finish_growth(growth_id, report.summary().as_json(), datetime.now(UTC))
    publish_artifacts(report, clients, options.given())
    tell_figures(report, clients.settings)
    tell(GrowthEnded(report))
    return _final_state(report, clients.settings)


def _final_state(report: GrowthReport, settings: Settings) -> State[Any]:
    message = report.sentence()
    if report.stopped:
        return failed(f"{report.stopped}; {message}")
    if report.release_errors:
        return failed("release not made: " + "; ".join(report.release_errors.values()))
    if report.plan.held_back_because:
        return failed(f"{report.plan.held_back_because}; {message}")
    if too_many := report.too_many_failed(settings):
        return failed(f"{too_many}: {message}")
    return Completed(message=message, data=report.summary().as_json())
