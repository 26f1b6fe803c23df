"""Waves of a growth that run in other processes: they write under the growth's lease, and cannot outlive it.

The growth announces a wave, one process takes it, and says so with every beat. The line of a wave whose process fell
silent is removed, in one transaction with nothing else: from then on that process writes nothing any more, and another
run can have its datasets. What ends in a wave is kept in the transaction that writes the dataset's entry, so that it is
counted once, whenever the process dies.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError

from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.ledger.lease import TERM, leases
from dynosaur_core.ledger.ledger import Ledger
from dynosaur_core.ledger.tables import wave_ends, waves
from dynosaur_core.logs import logger

_TAKEN_AT_ONCE = 1_000
_LOG = logger("ledger")


@dataclass
class WavePermit:
    """What lets a wave write: its growth holds the lease, and has not given the wave's datasets to another run."""

    wave_id: str
    number: int
    """Of the lease under which the growth began it."""
    holder: str = ""
    stale: bool = False
    """Whether the growth has not renewed its lease for a term. By this process's clock: machines need not agree."""

    def check(self, connection: Connection) -> None:
        """To be called inside a transaction that writes; raises GrowthRunning where the wave may write no more."""
        lease = select(leases.c.holder, leases.c.number).where(leases.c.name == "growth").with_for_update(read=True)
        held = connection.execute(lease).first()
        # the lock lets nobody remove the wave before this transaction has ended
        mine = select(waves.c.wave_id).where(waves.c.wave_id == self.wave_id).with_for_update(read=True)
        lost = held is None or not held.holder or held.number != self.number or self.stale
        if lost or connection.execute(mine).first() is None:
            message = (
                f"the growth of wave {self.wave_id} has ended, or gave its datasets to another run: it writes no more"
            )
            raise DynosaurError(Code.GROWTH_RUNNING, message)


def forget_waves(ledger: Ledger) -> None:
    """To be called when a growth begins with its waves: those of an earlier one, or of before it was cut off."""
    with ledger.writing() as connection:
        connection.execute(delete(waves))
        connection.execute(delete(wave_ends))


def announce_wave(ledger: Ledger, wave_id: str) -> None:
    """A process may take this wave."""
    with ledger.writing() as connection:
        connection.execute(insert(waves).values(wave_id=wave_id, beats=0))


def remove_wave(ledger: Ledger, wave_id: str, *, unless_taken: bool = False) -> bool:
    """Whoever works on the wave writes nothing from now on; returns whether there was such a wave."""
    query = delete(waves).where(waves.c.wave_id == wave_id)
    with ledger.writing() as connection:
        return bool(connection.execute(query.where(waves.c.beats == 0) if unless_taken else query).rowcount)


def read_waves(ledger: Ledger) -> dict[str, Row[Any]]:
    """(beats, ended) of the waves that are announced, by id."""
    with ledger.engine.connect().execution_options(reading=True) as connection:
        return {row.wave_id: row for row in connection.execute(select(waves))}


@contextmanager
def working_on(ledger: Ledger, wave_id: str, number: int, every_s: float) -> Iterator[None]:
    """Takes the wave, and lets this process write inside as long as the growth with that lease wants it to.

    Raises GrowthRunning where the wave is taken, or is none any more.
    """
    permit = WavePermit(wave_id, number)
    with ledger.permitted(permit):
        with ledger.writing() as connection:
            take = update(waves).where((waves.c.wave_id == wave_id) & (waves.c.beats == 0))
            if not connection.execute(take.values(beats=1)).rowcount:
                raise DynosaurError(Code.GROWTH_RUNNING, f"wave {wave_id} is at work in another process")
        stop = threading.Event()
        beating = threading.Thread(target=_beat, args=(ledger, permit, every_s, stop), daemon=True)
        beating.start()
        try:
            yield
        finally:
            stop.set()
            beating.join()


def _beat(ledger: Ledger, permit: WavePermit, every_s: float, stop: threading.Event) -> None:
    expires, renewed = None, time.monotonic()
    beat = update(waves).where(waves.c.wave_id == permit.wave_id).values(beats=waves.c.beats + 1)
    lease = select(leases.c.expires).where(leases.c.name == "growth")
    while not stop.wait(every_s):
        try:
            with ledger.engine.begin() as connection:
                connection.execute(beat)
                now = connection.execute(lease).scalar()
        except (SQLAlchemyError, DynosaurError) as error:
            _LOG.warning("wave %s cannot say that it is alive: %s", permit.wave_id, error)
            continue
        if now != expires:
            expires, renewed = now, time.monotonic()
        permit.stale = time.monotonic() - renewed > TERM.total_seconds()


def end_wave(ledger: Ledger, wave_id: str, ended: dict[str, Any]) -> None:
    """All datasets of the wave have ended, or wait for a batch."""
    with ledger.writing() as connection:
        connection.execute(update(waves).where(waves.c.wave_id == wave_id).values(ended=ended))


def keep_end(connection: Connection, repo_id: str, ended: dict[str, Any]) -> None:
    """Keeps what became of a dataset, in the transaction that writes its entry, until the growth has counted it."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(wave_ends).values(repo_id=repo_id, ended=ended)
    connection.execute(statement.on_conflict_do_update(index_elements=["repo_id"], set_={"ended": ended}))


def take_ends(ledger: Ledger) -> list[dict[str, Any]]:
    """What has ended in the waves since the last call."""
    found: list[dict[str, Any]] = []
    query = select(wave_ends).order_by(wave_ends.c.repo_id).limit(_TAKEN_AT_ONCE)
    while True:
        with ledger.engine.connect().execution_options(reading=True) as connection:
            rows = connection.execute(query).all()
        if not rows:
            return found
        with ledger.writing() as connection:
            connection.execute(delete(wave_ends).where(wave_ends.c.repo_id.in_([row.repo_id for row in rows])))
        found += [row.ended for row in rows]
