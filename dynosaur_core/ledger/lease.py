"""One growth at a time on one ledger: a lease that its holder renews, and that a dead holder loses at once."""

from __future__ import annotations

import os
import socket
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Column, Engine, String, Table, delete, insert, select, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.ledger.tables import UtcDateTime, metadata

leases = Table(
    "leases",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("holder", String(255), nullable=False),  # host, process, random
    Column("expires", UtcDateTime, nullable=False),
)

TERM = timedelta(seconds=120)
"""How long a holder that fell silent keeps its lease, where it cannot be seen to be dead."""


@contextmanager
def lease(engine: Engine, name: str) -> Iterator[None]:
    """Holds the lease inside. Raises GrowthRunning while another holder is alive."""
    holder = f"{socket.gethostname()} {os.getpid()} {uuid.uuid4().hex}"
    _take(engine, name, holder)
    stop = threading.Event()
    renewing = threading.Thread(target=_renew, args=(engine, name, holder, stop), daemon=True)
    renewing.start()
    try:
        yield
    finally:
        stop.set()
        renewing.join()
        with engine.begin() as connection:
            connection.execute(delete(leases).where((leases.c.name == name) & (leases.c.holder == holder)))


def _take(engine: Engine, name: str, holder: str) -> None:
    now = datetime.now(UTC)
    try:
        with engine.begin() as connection:
            held = connection.execute(select(leases).where(leases.c.name == name).with_for_update()).first()
            if held is None:
                connection.execute(insert(leases).values(name=name, holder=holder, expires=now + TERM))
                return
            if held.expires > now and not _dead(held.holder):
                host, pid, _ = held.holder.split(" ")
                message = f"another growth is at work on this store (process {pid} on {host})"
                raise DynosaurError(Code.GROWTH_RUNNING, message)
            connection.execute(update(leases).where(leases.c.name == name).values(holder=holder, expires=now + TERM))
    except IntegrityError as error:  # both found it free
        raise DynosaurError(Code.GROWTH_RUNNING, "another growth has just begun on this store") from error


def _renew(engine: Engine, name: str, holder: str, stop: threading.Event) -> None:
    mine = (leases.c.name == name) & (leases.c.holder == holder)
    while not stop.wait(TERM.total_seconds() / 6):
        # a database that is away for a moment is asked again at the next turn
        with suppress(SQLAlchemyError), engine.begin() as connection:
            connection.execute(update(leases).where(mine).values(expires=datetime.now(UTC) + TERM))


def _dead(holder: str) -> bool:
    """Whether the holder was a process of this machine that has ended."""
    host, pid, _ = holder.split(" ")
    if host != socket.gethostname():
        return False
    try:
        os.kill(int(pid), 0)
        stat = Path(f"/proc/{pid}/stat")
        # a zombie has ended: its parent has not looked yet
        return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] == "Z"
    except (ProcessLookupError, FileNotFoundError):
        return True
    except PermissionError:
        return False
