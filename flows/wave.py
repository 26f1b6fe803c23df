"""The deployment that runs waves of other processes' growths: see `flows/waves.py`. Nobody starts it by hand."""

from __future__ import annotations

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Cancelled, Completed

from dynosaur_core import stopping
from dynosaur_core.clients import Clients, open_clients
from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.growth import Growth
from dynosaur_core.ledger.waves import end_wave, working_on
from dynosaur_core.models import GrowthPlan
from dynosaur_core.report import GrowthReport
from dynosaur_core.store import Store
from dynosaur_core.waves import WaveEnd, WaveOrder, keep, read_order
from flows.branches import Branches
from flows.options import Options

_BEATS = 6
"""So often a wave says that it is alive in the time after which it would be given up."""


@flow(name="wave", flow_run_name="wave {wave_id}", persist_result=False)
def wave(wave_id: str = "", options: Options = Options()) -> State[Any]:
    """Runs the datasets of one wave of a growth, which waits for it.

    Args:
        wave_id: Which; a growth that hands its waves to workers fills it in.
        options: Those of the growth.
    """
    settings = options.settings()
    if not wave_id:
        raise DynosaurError(Code.BAD_SETTING, "growths start waves, by the setting waves.deployment: run grow/nightly")
    order = read_order(Store(settings.store), wave_id)
    if order is None:
        return Cancelled(message="its growth has ended, or has run it elsewhere")
    clients = open_clients(order.settings(settings))
    clients.join()
    clients.catalog.name = order.catalog
    try:
        with working_on(clients.ledger, wave_id, order.number, settings.waves.silence_s / _BEATS):
            return Completed(message=run_order(clients, order).sentence())
    except DynosaurError as error:
        if error.code is not Code.GROWTH_RUNNING:
            raise
        return Cancelled(message=error.message)


@stopping.by_signal()
def run_order(clients: Clients, order: WaveOrder) -> GrowthReport:
    """Runs a wave in this process and says in the ledger what became of it."""
    settings, growth_id = clients.settings, order.growth_id
    if order.anew_since:
        clients.llm(growth_id).anew_since = order.anew_since
    report = GrowthReport(growth_id, GrowthPlan())
    growth = Growth(growth_id, order.catalog, clients.ledger, clients.store, settings, report)
    growth.keep = keep
    Branches(growth, settings, order.fresh_from).run(order.refs)
    report.usage = clients.spent(growth_id)
    ended = WaveEnd(pending=tuple(growth.pending.values()), stopped=report.stopped)
    end_wave(clients.ledger, order.wave_id, ended.model_dump(mode="json"))
    return report
