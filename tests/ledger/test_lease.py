"""One growth at a time: of many that begin at once one gets the lease, a dead holder keeps nobody out, and one that was
suspended for too long writes nothing any more."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert, select

from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.ledger import Ledger, Outcome
from dynosaur_core.ledger.budget import Budget
from dynosaur_core.ledger.identities import claim_store_id, set_catalog_place
from dynosaur_core.ledger.lease import _identity, lease, leases

from .test_ledger import NOW, entry


def _hold(ledger: Ledger, identity: str, seconds: float = 120) -> None:
    expires = datetime.now(UTC) + timedelta(seconds=seconds)
    with ledger.engine.begin() as connection:
        connection.execute(insert(leases).values(name="growth", holder=f"{identity} x", expires=expires))


def _expire(ledger: Ledger) -> None:
    with ledger.engine.begin() as connection:
        connection.execute(leases.update().values(expires=datetime.now(UTC)))


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


def test_numbers_grow_with_each_holder(ledger: Ledger) -> None:
    numbers = []
    for _ in range(4):
        with lease(ledger.engine, "growth") as held:
            numbers.append(held.number)
    assert numbers == sorted(set(numbers))
    with lease(Ledger("sqlite://").engine, "growth") as elsewhere:  # of a ledger that was lost and is new
        assert elsewhere.number >= numbers[0]


@pytest.mark.parametrize("waited_for", [True, False])
def test_a_dead_process_of_this_machine_holds_nothing(ledger: Ledger, waited_for: bool) -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    _hold(ledger, _identity(process.pid))
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


def test_a_process_that_got_the_number_of_a_dead_one_holds_nothing(ledger: Ledger) -> None:
    *place, _ = _identity(os.getpid()).split(" ")
    _hold(ledger, " ".join([*place, "1"]))  # this process's number, and another beginning
    with lease(ledger.engine, "growth"):
        pass


@pytest.mark.parametrize("part", [2, 3])
def test_a_container_of_the_same_host_name_is_not_taken_for_dead(ledger: Ledger, part: int) -> None:
    """Another kernel's run (2) or another namespace of process numbers (3): its processes cannot be seen from here."""
    ended = subprocess.Popen(["true"])
    ended.wait()
    identity = _identity(os.getpid()).split(" ")
    identity[1], identity[part] = str(ended.pid), "elsewhere"
    _hold(ledger, " ".join(identity))
    with pytest.raises(DynosaurError, match="GrowthRunning"), lease(ledger.engine, "growth"):
        pass
    _expire(ledger)
    with lease(ledger.engine, "growth"):
        pass


def test_who_waits_says_so_and_gets_it_when_it_is_free(ledger: Ledger, logged: list[str]) -> None:
    held, over = threading.Event(), threading.Event()

    def hold() -> None:
        with lease(ledger.engine, "growth"):
            held.set()
            over.wait(60)

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait(60)
    try:
        with pytest.raises(DynosaurError, match="GrowthRunning"), lease(ledger.engine, "growth", wait_s=0.1):
            pass
        threading.Timer(0.5, over.set).start()
        with lease(ledger.engine, "growth", wait_s=60) as mine:
            assert mine.number > 0 and over.is_set()
    finally:
        over.set()
        holder.join()
    waits = [line for line in logged if line.startswith("waiting up to 0:01:00: another growth is at work")]
    assert len(waits) == 1 and f"process {os.getpid()}" in waits[0]


@pytest.mark.parametrize("identity", ["another-machine 1", "another-machine 1 - - -"])
def test_a_holder_elsewhere_keeps_it_until_it_expires(ledger: Ledger, identity: str) -> None:
    _hold(ledger, identity)
    with pytest.raises(DynosaurError, match="process 1 on another-machine"), lease(ledger.engine, "growth"):
        pass
    _expire(ledger)
    with lease(ledger.engine, "growth"):
        pass


WRITES: dict[str, Callable[[Ledger], object]] = {
    "record": lambda ledger: ledger.record([entry("a/b")]),
    "touch": lambda ledger: ledger.touch(["a/b"], NOW),
    "withdraw": lambda ledger: ledger.withdraw([], []),
    "start": lambda ledger: ledger.start_growth("g", "hub", NOW),
    "finish": lambda ledger: ledger.finish_growth("g", {}, NOW),
    "watermark": lambda ledger: ledger.set_watermark("hub", NOW, None, NOW),
    "store": lambda ledger: claim_store_id(ledger, "id", None),
    "catalogue": lambda ledger: set_catalog_place(ledger, "folder x", "/x"),
    "number": lambda ledger: ledger.growth_number(),
    "reserve": lambda ledger: Budget(ledger.engine, "g", fence=ledger.fence).reserve(0.1, NOW),
}


@pytest.mark.parametrize("write", WRITES)
def test_who_lost_the_lease_writes_nothing(ledger: Ledger, write: str) -> None:
    """As after a sleep: the first growth still runs, its lease has expired, and another has begun and ended."""
    other = Ledger(ledger.url)
    with ledger.growing():
        WRITES[write](ledger)
        _expire(ledger)
        with other.growing():
            WRITES[write](other)
            before = _content(ledger)
            with pytest.raises(DynosaurError, match="suspended for longer than its lease") as caught:
                WRITES[write](ledger)
            assert caught.value.code is Code.GROWTH_RUNNING
        with pytest.raises(DynosaurError):
            WRITES[write](ledger)
        assert _content(ledger) == before
    assert other.growth_number() == ledger.growth_number()  # nobody is at work: everybody may write


def _content(ledger: Ledger) -> list[object]:
    from dynosaur_core.ledger.tables import metadata

    with ledger.engine.connect() as connection:
        tables = [table for table in metadata.sorted_tables if table.name != "leases"]
        return [connection.execute(select(table)).fetchall() for table in tables]


GROWTH = """
import sys
from dynosaur_core.ledger import Ledger
from tests.ledger.test_ledger import entry

ledger = Ledger(sys.argv[1])
with ledger.growing():
    print("held", flush=True)
    sys.stdin.readline()
    ledger.record([entry("a/late")])
"""


def test_a_suspended_process_wakes_and_writes_nothing(ledger: Ledger) -> None:
    command = [sys.executable, "-c", GROWTH, ledger.url]
    root = str(Path(__file__).parents[2])
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": root},
    )
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    process.send_signal(signal.SIGSTOP)
    while "T" not in Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0]:
        time.sleep(0.01)
    with pytest.raises(DynosaurError), ledger.growing():  # it is alive, and its lease has not expired
        pass
    _expire(ledger)
    with ledger.growing():
        ledger.record([entry("a/late", Outcome.REFUSED)])
    process.send_signal(signal.SIGCONT)
    _, errors = process.communicate("go on\n", timeout=100)
    assert process.returncode == 1 and "GrowthRunning: this growth was suspended" in errors
    found = ledger.get("a/late")
    assert found is not None and found.outcome is Outcome.REFUSED
