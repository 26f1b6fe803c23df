"""What a growth would do and cost, without spending anything."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime

from dynosaur_core.clients import Clients, open_clients
from dynosaur_core.errors import DynosaurError
from dynosaur_core.growth import new_growth_id
from dynosaur_core.instruction.estimate import estimate
from dynosaur_core.judge_estimate import estimate_judging
from dynosaur_core.metadata.stage import read_metadata
from dynosaur_core.models import GrowthPlan, Stage, Usage
from dynosaur_core.results import Estimate, Forecast
from dynosaur_core.scratch import scratch_folder
from flows.grow import make_plan
from flows.options import Options

SAMPLE = 40
"""Datasets that are read to estimate from; of a larger plan the rest is extrapolated."""


def forecast(options: Options) -> Forecast:
    """The plan of a growth and its estimated cost."""
    with looking(options) as clients:
        growth_id = new_growth_id(datetime.now(UTC))
        plan = make_plan(clients, growth_id, options.limit, write=False, withdraw_many=options.withdraw_many)
        return estimate_plan(clients, plan)


@contextmanager
def looking(options: Options) -> Iterator[Clients]:
    """The clients of a dry run. Where there is no store yet, none is made: one of its own serves, and goes afterwards.

    Raises ForeignStore or BadCatalog where store, ledger and catalogue are not each other's.
    """
    with ExitStack() as ending:
        clients = open_clients(options.settings())
        if clients.is_new:
            folder = ending.enter_context(tempfile.TemporaryDirectory(prefix="dry-", dir=scratch_folder()))
            update = {"store": folder} | ({} if clients.settings.ledger and clients.has_ledger else {"ledger": None})
            clients = Clients(clients.settings.model_copy(update=update))
            ending.callback(lambda: clients.ledger.engine.dispose())
        clients.join(create=True, adopt=options.adopt)
        clients.name_catalog()
        yield clients


def estimate_plan(clients: Clients, plan: GrowthPlan, *, anew_from: Stage | None = None) -> Forecast:
    """Reads datasets of the plan, spread over it, and adds up what asking about them would cost.

    `anew_from`: the stage from which on stored answers do not save anything.
    """
    refs = plan.branches
    step = max(1, -(-len(refs) // SAMPLE))
    chosen = refs[::step]
    total = Usage()
    settings = clients.settings
    for ref in chosen:
        try:
            found = read_metadata(ref, clients.catalog, clients.store, settings.sampling, settings.policy)
        except DynosaurError:
            continue  # it would fail in its branch too, and costs nothing then
        total += estimate(found, settings, clients.store if anew_from in (None, "judge") else None)
        total += estimate_judging(found, settings, clients.store, anew_from=anew_from)
    factor = len(refs) / len(chosen) if chosen else 0.0
    return Forecast(
        planned=plan.counts(),
        datasets=[ref.repo_id for ref in refs[:1_000]],
        refused=plan.refused,
        held_back=plan.held_back_because,
        estimate=Estimate(
            requests=round(total.requests * factor),
            prompt_tokens=round(total.prompt_tokens * factor),
            completion_tokens=round(total.completion_tokens * factor),
            cost_usd=None if total.cost_usd is None else total.cost_usd * factor,
            read=len(chosen),
        ),
    )
