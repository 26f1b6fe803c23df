"""Growing by half-price batches: requests go out together, and branches go on as their answers arrive."""

from __future__ import annotations

import time

from prefect import get_run_logger

from dynosaur_core import stopping
from dynosaur_core.clients import Clients
from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.growth import Growth
from dynosaur_core.models import DatasetRef
from flows.branches import Branches


def run_batches(clients: Clients, growth: Growth) -> None:
    """Sends what the branches have queued and waits for it, `llm.batch_wait_s` seconds at most.

    What has not arrived by then is deferred: the batch runs on, and the next growth collects it.
    """
    from dynosaur_core.llm.batch import Batches  # brings `openai`: a second that few growths need

    log, llm = get_run_logger(), clients.settings.llm
    batches = Batches(clients.llm(growth.growth_id))
    until = time.monotonic() + llm.batch_wait_s
    stopped = DynosaurError(Code.BATCH_PENDING, "its answers are still to come from the batch")
    try:
        while growth.pending:
            sent = batches.submit()
            found = batches.collect()
            log.info("batch: %d sent, %d answered, %d waiting", sent, found.answered, found.waiting)
            arrived: list[DatasetRef] = []
            if sent or found.answered or not found.running:
                waiting = batches.waiting_for()
                arrived = [growth.pending.pop(repo_id)[0] for repo_id in set(growth.pending) - waiting]
            Branches(growth, clients.settings).run(arrived)
            if growth.pending and not arrived:
                if time.monotonic() >= until:
                    break
                stopping.sleep(min(llm.batch_poll_s, max(0.0, until - time.monotonic())))
    except DynosaurError as error:
        log.warning("batch: %s", error)
        stopped = error
    for ref, stage in growth.pending.values():
        growth.failed(ref, stage, stopped)
    growth.pending.clear()
