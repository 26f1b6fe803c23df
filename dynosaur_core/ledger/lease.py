"""One growth at a time on one ledger: a numbered lease that its holder renews, and that a dead holder loses at once.

A holder that is suspended for longer than its lease wakes as one of two. The numbers grow with each holder, and `check`
looks inside the transaction that writes: the one with the smaller number writes nothing any more.
"""

from __future__ import annotations

import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

from sqlalchemy import BigInteger, Column, Connection, Engine, String, Table, Update, insert, select, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.ledger.tables import UtcDateTime, metadata
from dynosaur_core.logs import logger

leases = Table(
    "leases",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("holder", String(255), nullable=False),  # `Holder` as text; empty once it was given back
    Column("expires", UtcDateTime, nullable=False),
    Column("number", BigInteger, nullable=False, server_default="0"),
)

TERM = timedelta(seconds=120)
"""How long a holder that fell silent keeps its lease, where it cannot be seen to be dead."""
_LOOK_EVERY_S, _SAY_EVERY_S = 5.0, 600.0
"""So often who waits for the lease looks whether it is free, and says that it waits."""
_PROC = Path("/proc")
_LOG = logger("ledger")


class Permit(Protocol):
    """What lets a process write into the ledger."""

    @property
    def number(self) -> int:
        """Of the growth for which it writes."""

    def check(self, connection: Connection) -> None:
        """To be called inside a transaction that writes; raises GrowthRunning where the process may write no more."""


@dataclass(frozen=True)
class Lease:
    """A lease that is held, or was until another holder got it."""

    name: str
    holder: str
    number: int
    """Larger than that of every holder before."""

    def check(self, connection: Connection) -> None:
        """To be called inside a transaction that writes; raises GrowthRunning where another holder has the lease.

        Until the transaction ends nobody else can take it.
        """
        query = select(leases.c.holder).where(leases.c.name == self.name).with_for_update(read=True)
        if connection.execute(query).scalar() != self.holder:
            message = (
                "this growth was suspended for longer than its lease, and another one has begun: it writes no more"
            )
            raise DynosaurError(Code.GROWTH_RUNNING, message)


@contextmanager
def lease(engine: Engine, name: str, wait_s: float = 0) -> Iterator[Lease]:
    """Holds the lease inside. Raises GrowthRunning where another holder is still alive after `wait_s` seconds."""
    held = _take_within(engine, name, f"{_identity(os.getpid())} {uuid.uuid4().hex}", wait_s)
    stop = threading.Event()
    renewing = threading.Thread(target=_renew, args=(engine, held, stop), daemon=True)
    renewing.start()
    try:
        yield held
    finally:
        stop.set()
        renewing.join()
        with engine.begin() as connection:
            # the row stays: the next number comes after its
            connection.execute(_mine(held).values(holder="", expires=datetime.now(UTC)))


def last_number(connection: Connection, name: str) -> int:
    """The number of the newest holder; 0 before the first."""
    return connection.execute(select(leases.c.number).where(leases.c.name == name)).scalar() or 0


def _take_within(engine: Engine, name: str, holder: str, wait_s: float) -> Lease:
    began, said = time.monotonic(), float("-inf")
    while True:
        try:
            return _take(engine, name, holder)
        except DynosaurError as error:
            now = time.monotonic()
            left = began + wait_s - now
            if error.code is not Code.GROWTH_RUNNING or left <= 0:
                raise
            if now - said >= _SAY_EVERY_S:
                said = now
                _LOG.warning("waiting up to %s: %s", timedelta(seconds=round(left)), error.message)
        time.sleep(min(_LOOK_EVERY_S, left))


def _take(engine: Engine, name: str, holder: str) -> Lease:
    now = datetime.now(UTC)
    try:
        with engine.begin() as connection:
            held = connection.execute(select(leases).where(leases.c.name == name).with_for_update()).first()
            if held and held.expires > now and held.holder and not _dead(held.holder):
                host, pid = held.holder.split(" ")[:2]
                message = f"another growth is at work on this store (process {pid} on {host})"
                raise DynosaurError(Code.GROWTH_RUNNING, message)
            # by the clock, so that numbers go on growing where a ledger was lost or restored
            number = max(int(time.time()), held.number + 1 if held else 0)
            values = {"holder": holder, "expires": now + TERM, "number": number}
            if held:
                connection.execute(update(leases).where(leases.c.name == name).values(values))
            else:
                connection.execute(insert(leases).values(name=name, **values))
    except IntegrityError as error:  # both found it free
        raise DynosaurError(Code.GROWTH_RUNNING, "another growth has just begun on this store") from error
    return Lease(name, holder, number)


def _mine(held: Lease) -> Update:
    return update(leases).where((leases.c.name == held.name) & (leases.c.holder == held.holder))


def _renew(engine: Engine, held: Lease, stop: threading.Event) -> None:
    while not stop.wait(TERM.total_seconds() / 6):
        renew(engine, held)


def renew(engine: Engine, held: Lease) -> None:
    """Makes the lease last for another term; a database that is away for a moment is asked again at the next turn."""
    try:
        with engine.begin() as connection:
            connection.execute(_mine(held).values(expires=datetime.now(UTC) + TERM))
    except (SQLAlchemyError, DynosaurError) as error:
        _LOG.warning("the lease of %s is not renewed, and lasts %.0f s: %s", held.name, TERM.total_seconds(), error)


def _identity(pid: int) -> str:
    """Host and process, and what tells processes of one number apart: the kernel's run, the namespace of its process
    numbers (each container has one), and when it began. `-` for what this system does not tell."""
    kernel = [_read(_PROC / "sys/kernel/random/boot_id"), _namespace(), _began(pid) or "-"]
    return " ".join([socket.gethostname(), str(pid), *kernel])


def _dead(holder: str) -> bool:
    """Whether the holder was a process of this namespace that has ended. Of a holder elsewhere nothing is known."""
    parts = holder.split(" ")
    if len(parts) < 6:  # of an earlier version
        return False
    _, pid, *kernel, began, _ = parts
    return "-" not in kernel and kernel == _identity(os.getpid()).split(" ")[2:4] and _began(int(pid)) != began


def _read(path: Path) -> str:
    try:
        return path.read_text().strip() or "-"
    except OSError:
        return "-"


def _namespace() -> str:
    try:
        return str((_PROC / "self/ns/pid").readlink())
    except OSError:
        return "-"


def _began(pid: int) -> str | None:
    """When a process began, in ticks of the kernel's run; None where it has ended, also where its parent has not looked
    yet (a zombie)."""
    try:
        fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else fields[19]
