"""The budget: dollars are reserved before a request is sent and settled after, exactly, across threads, machines and
restarts.

One row per scope (a growth, a month) holds what was spent and what is reserved. A reservation is one conditional
UPDATE, so two workers cannot both take the last cent; money is counted in whole nano-dollars. What a killed process
had reserved stays reserved: its requests may have been paid.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import BigInteger, Column, Connection, Engine, String, Table, insert, select, update
from sqlalchemy.exc import IntegrityError

from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.ledger.tables import UtcDateTime, metadata
from dynosaur_core.models import Usage

NANO = 1_000_000_000

spending = Table(
    "spending",
    metadata,
    Column("scope", String(80), primary_key=True),  # growth:<id> or month:2026-11
    Column("spent_nano", BigInteger, nullable=False, default=0),
    Column("reserved_nano", BigInteger, nullable=False, default=0),
    Column("requests", BigInteger, nullable=False, default=0),
    Column("prompt_tokens", BigInteger, nullable=False, default=0),
    Column("cached_tokens", BigInteger, nullable=False, default=0),
    Column("completion_tokens", BigInteger, nullable=False, default=0),
    Column("unpriced", BigInteger, nullable=False, default=0),  # requests whose cost is not known
    Column("touched", UtcDateTime),  # when money was last reserved or settled
)


@dataclass(frozen=True)
class Reservation:
    """Dollars set aside in some scopes. Plain data: a batch keeps its own until its answers arrive."""

    nano: int
    scopes: tuple[str, ...]


class Spending(Exception):  # noqa: N818 - not an error: the money may come free
    """The cap leaves no room now, but requests under way have reserved more than they may cost."""


class Budget:
    """The caps of one growth and of its month. Safe to share between threads."""

    def __init__(
        self,
        engine: Engine,
        growth_id: str,
        *,
        growth_usd: float | None = None,
        month_usd: float | None = None,
        patience: timedelta = timedelta(seconds=60),
        fence: Callable[[Connection], None] = lambda _: None,
    ) -> None:
        """`patience`: how long after the last change reservations still count as under way. `fence` is called in the
        transaction of each reservation, and raises where the growth may spend no more."""
        self._engine = engine
        self._growth = f"growth:{growth_id}"
        self._growth_usd, self._month_usd = growth_usd, month_usd
        self._patience, self._fence = patience, fence

    def reserve(self, usd: float, now: datetime | None = None) -> Reservation:
        """Sets `usd` aside in the growth and the month. Raises BudgetSpent, or `Spending` when it may yet fit."""
        now = now or datetime.now(UTC)
        nano = _up(usd)
        caps = ((self._growth, self._growth_usd), (f"month:{now:%Y-%m}", self._month_usd))
        with self._engine.begin() as connection:
            self._fence(connection)
            for scope, cap in caps:
                self._add_row(connection, scope)
                room = spending.c.spent_nano + spending.c.reserved_nano + nano
                query = update(spending).where(spending.c.scope == scope)
                if cap is not None:
                    query = query.where(room <= int(cap * NANO))
                taken = connection.execute(query.values(reserved_nano=spending.c.reserved_nano + nano, touched=now))
                if not taken.rowcount and cap is not None:
                    self._refuse(connection, scope, cap, nano, now)  # raising undoes the other scope's part
        return Reservation(nano, tuple(scope for scope, _ in caps))

    def settle(self, reservation: Reservation, usage: Usage, now: datetime | None = None) -> None:
        """Replaces what was reserved by what was really used; `Usage()` releases all of it."""
        c = spending.c
        change = update(spending).values(
            reserved_nano=c.reserved_nano - reservation.nano,
            spent_nano=c.spent_nano + _up(usage.cost_usd or 0.0),
            requests=c.requests + usage.requests,
            prompt_tokens=c.prompt_tokens + usage.prompt_tokens,
            cached_tokens=c.cached_tokens + usage.cached_tokens,
            completion_tokens=c.completion_tokens + usage.completion_tokens,
            unpriced=c.unpriced + (usage.requests if usage.cost_usd is None else 0),
            touched=now or datetime.now(UTC),
        )
        with self._engine.begin() as connection:
            for scope in reservation.scopes:  # in the order of `reserve`: others would wait for each other
                connection.execute(change.where(c.scope == scope))

    def spent(self, month: str | None = None) -> Usage:
        """What this growth has used, or a month (`2026-11`); over all processes and restarts."""
        scope = f"month:{month}" if month else self._growth
        with self._engine.connect().execution_options(reading=True) as connection:
            row = connection.execute(select(spending).where(spending.c.scope == scope)).mappings().first()
        if row is None:
            return Usage()
        return Usage(
            requests=row["requests"],
            prompt_tokens=row["prompt_tokens"],
            cached_tokens=row["cached_tokens"],
            completion_tokens=row["completion_tokens"],
            cost_usd=None if row["unpriced"] else row["spent_nano"] / NANO,
        )

    def _refuse(self, connection: Connection, scope: str, cap: float, nano: int, now: datetime) -> None:
        row = connection.execute(select(spending).where(spending.c.scope == scope)).mappings().one()
        under_way = row["touched"] is not None and now - row["touched"] < self._patience and row["reserved_nano"] > 0
        if under_way and row["spent_nano"] + nano <= int(cap * NANO):
            raise Spending
        message = f"${row['spent_nano'] / NANO:.4f} of the cap of ${cap:g} for {scope.replace(':', ' ')} are spent"
        if row["reserved_nano"]:
            message += f", ${row['reserved_nano'] / NANO:.4f} more are reserved"
        if not row["spent_nano"] and not row["reserved_nano"]:
            message += f"; one request may cost up to ${nano / NANO:.4f}, and is not sent below that"
        raise DynosaurError(Code.BUDGET_SPENT, message)

    def _add_row(self, connection: Connection, scope: str) -> None:
        if connection.execute(select(spending.c.scope).where(spending.c.scope == scope)).first():
            return
        try:
            with connection.begin_nested():
                connection.execute(insert(spending).values(scope=scope))
        except IntegrityError:  # another worker was faster
            return


def _up(usd: float) -> int:
    """Whole nano-dollars, rounded up."""
    return -int(-usd * NANO // 1)
