"""One growth at a time: of many that begin at once one gets the lease, and a dead holder keeps nobody out."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert

from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.ledger import Ledger
from dynosaur_core.ledger.lease import lease, leases


def _hold(ledger: Ledger, host: str, pid: int, seconds: float) -> None:
    expires = datetime.now(UTC) + timedelta(seconds=seconds)
    with ledger.engine.begin() as connection:
        connection.execute(insert(leases).values(name="growth", holder=f"{host} {pid} x", expires=expires))


def test_of_many_at_once_one_gets_it(ledger: Ledger) -> None:
    together, ends, over = threading.Barrier(8), [], threading.Event()

    def enter() -> None:
        together.wait()
        try:
            with lease(ledger.engine, "growth"):
                ends.append(None)
                over.wait(60)
        except DynosaurError as error:
            ends.append(error.code)
        if len(ends) == 8:
            over.set()

    threads = [threading.Thread(target=enter) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ends, key=str) == [Code.GROWTH_RUNNING] * 7 + [None]
    with lease(ledger.engine, "growth"):
        pass


@pytest.mark.parametrize("waited_for", [True, False])
def test_a_dead_process_of_this_machine_holds_nothing(ledger: Ledger, waited_for: bool) -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    _hold(ledger, socket.gethostname(), process.pid, 120)
    with pytest.raises(DynosaurError, match="GrowthRunning"), lease(ledger.engine, "growth"):
        pass
    process.kill()
    if waited_for:
        process.wait()
    else:  # a zombie, until somebody asks for its end
        with open(f"/proc/{process.pid}/stat", encoding="utf-8") as stat:  # noqa: PTH123
            while " Z " not in stat.read():
                stat.seek(0)
    with lease(ledger.engine, "growth"):
        pass
    process.communicate()


def test_a_holder_elsewhere_keeps_it_until_it_expires(ledger: Ledger) -> None:
    _hold(ledger, "another-machine", 1, 120)
    with pytest.raises(DynosaurError, match="process 1 on another-machine"), lease(ledger.engine, "growth"):
        pass
    with ledger.engine.begin() as connection:
        connection.execute(leases.update().values(expires=datetime.now(UTC)))
    with lease(ledger.engine, "growth"):
        pass
