"""What has been seen, grown, refused, failed: the memory between growths."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, delete, func, or_, select, update

from dynosaur_core.ledger import tables
from dynosaur_core.ledger.engine import open_engine
from dynosaur_core.ledger.entries import LedgerEntry, Outcome
from dynosaur_core.ledger.lease import Permit, last_number, lease
from dynosaur_core.models import Removal
from dynosaur_core.stored import as_stored

_ALIKE = 3
"""Letters in which similar ids agree."""
_CHUNK = 500
"""Rows of one statement: SQLite allows 32,766 parameters."""
_MUTABLE = [column.name for column in tables.datasets.columns if column.name != "repo_id"]


class Ledger:
    """Safe to share between threads and processes: each call is one transaction.

    Inside `growing` every call that writes raises GrowthRunning, and writes nothing, once another growth has begun.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine = open_engine(url)
        self._lease: Permit | None = None

    # --- who may write

    @contextmanager
    def growing(self, wait_s: float = 0) -> Iterator[None]:
        """Holds the lease of the one growth that may be at work; raises GrowthRunning where there still is another one
        after `wait_s` seconds."""
        with lease(self.engine, "growth", wait_s) as held, self.permitted(held):
            yield

    @contextmanager
    def permitted(self, permit: Permit) -> Iterator[None]:
        """Inside, every call that writes asks `permit` first, in its transaction."""
        self._lease = permit
        try:
            yield
        finally:
            self._lease = None

    def fence(self, connection: Connection) -> None:
        """Raises GrowthRunning, inside a transaction, where the growth of this ledger has lost its lease."""
        if self._lease:
            self._lease.check(connection)

    def growth_number(self) -> int:
        """The number of the growth at work here, else of the last one; raises GrowthRunning where it lost its lease."""
        with self.writing() as connection:
            return self._lease.number if self._lease else last_number(connection, "growth")

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction of the growth at work, or of nobody's."""
        with self.engine.begin() as connection:
            self.fence(connection)
            yield connection

    # --- datasets

    def get(self, repo_id: str) -> LedgerEntry | None:
        return self.get_many([repo_id]).get(repo_id)

    def get_many(self, repo_ids: Sequence[str]) -> dict[str, LedgerEntry]:
        found: dict[str, LedgerEntry] = {}
        for start in range(0, len(repo_ids), _CHUNK):
            ids = repo_ids[start : start + _CHUNK]
            for entry in self._entries(select(tables.datasets).where(tables.datasets.c.repo_id.in_(ids))):
                found[entry.repo_id] = entry
        return found

    def similar(self, repo_id: str, limit: int = 5_000) -> list[str]:
        """Ids that begin, or whose names begin, as this id or its name does: among them is what was mistyped."""
        c, name = tables.datasets.c.repo_id, repo_id.rpartition("/")[2]
        begin = [c.istartswith(repo_id[:_ALIKE], autoescape=True), c.icontains(f"/{name[:_ALIKE]}", autoescape=True)]
        with self.engine.connect().execution_options(reading=True) as connection:
            return list(connection.execute(select(c).where(or_(*begin)).order_by(c).limit(limit)).scalars())

    def record(self, entries: Iterable[LedgerEntry], also: Callable[[Connection], None] = lambda _: None) -> None:
        """Writes entries, the newer over the older; `also` belongs to the transaction that writes them."""
        rows = list(
            {entry.repo_id: entry.model_dump() for entry in entries}.values()
        )  # a statement may not name one twice
        for start in range(0, len(rows), _CHUNK):
            statement = tables.inserting(tables.datasets, self.engine.dialect).values(rows[start : start + _CHUNK])
            new = {name: statement.excluded[name] for name in _MUTABLE}
            with self.writing() as connection:
                connection.execute(statement.on_conflict_do_update(index_elements=["repo_id"], set_=new))
                also(connection)

    def touch(self, repo_ids: Sequence[str], now: datetime) -> None:
        """Notes that datasets were seen unchanged."""
        for start in range(0, len(repo_ids), _CHUNK):
            ids = repo_ids[start : start + _CHUNK]
            with self.writing() as connection:
                connection.execute(update(tables.datasets).where(tables.datasets.c.repo_id.in_(ids)).values(seen=now))

    def entries(
        self,
        *,
        outcomes: Sequence[Outcome] = (),
        codes: Sequence[str] = (),
        catalog: str | None = None,
        released: bool | None = None,
        seen_before: datetime | None = None,
        modified_since: datetime | None = None,
        modified_until: datetime | None = None,
        due: datetime | None = None,
        growth_id: str | None = None,
        other_than: str | None = None,
        oldest_first: bool = False,
        limit: int | None = None,
    ) -> Iterator[LedgerEntry]:
        """Entries by id that fulfil all conditions, streamed; `growth_id`: last looked at in this growth; `other_than`:
        of another pipeline than this; `oldest_first`: those not seen for longest come first."""
        c = tables.datasets.c
        query = select(tables.datasets).order_by(*([c.seen] if oldest_first else []), c.repo_id)
        conditions: list[tuple[object, Callable[[], Any]]] = [
            (outcomes, lambda: c.outcome.in_([str(outcome) for outcome in outcomes])),
            (codes, lambda: c.code.in_(list(codes))),
            (catalog, lambda: c.catalog == catalog),
            (seen_before, lambda: c.seen < seen_before),
            (modified_since, lambda: c.last_modified >= modified_since),
            (modified_until, lambda: c.last_modified < modified_until),
            (growth_id, lambda: c.growth_id == growth_id),
            (other_than, lambda: c.pipeline != other_than),
            (due, lambda: (c.next_try <= due) & c.quarantined.is_(False)),
        ]
        for wanted, condition in conditions:
            if wanted:
                query = query.where(condition())
        if released is not None:
            query = query.where(c.contribution.is_not(None) if released else c.contribution.is_(None))
        return self._entries(query.limit(limit) if limit is not None else query)

    def released(self, catalog: str) -> int:
        """How many datasets of a catalogue belong into the release."""
        c = tables.datasets.c
        query = select(func.count()).where((c.catalog == catalog) & c.contribution.is_not(None))
        with self.engine.connect().execution_options(reading=True) as connection:
            return connection.execute(query).scalar_one()

    def counts(self) -> dict[tuple[str, str | None], int]:
        """How many datasets there are by (outcome, code)."""
        c = tables.datasets.c
        query = select(c.outcome, c.code, func.count()).group_by(c.outcome, c.code)
        with self.engine.connect().execution_options(reading=True) as connection:
            return {(outcome, code): count for outcome, code, count in connection.execute(query)}

    def contributions(self) -> Iterator[tuple[str, str]]:
        """(repo id, contribution digest) of all that belongs into the release, by id."""
        c = tables.datasets.c
        query = select(c.repo_id, c.contribution).where(c.contribution.is_not(None)).order_by(c.repo_id)
        with self.engine.connect().execution_options(reading=True, yield_per=1_000) as connection:
            for row in connection.execute(query):
                yield row.repo_id, row.contribution

    def withdraw(
        self,
        entries: Sequence[LedgerEntry],
        removals: Sequence[Removal],
        also: Callable[[Connection], None] = lambda _: None,
    ) -> None:
        """Takes datasets out of the release and logs why, in one transaction per call; what they held is free.
        `also` belongs to it."""
        with self.writing() as connection:
            for entry, removal in zip(entries, removals, strict=True):
                values = entry.model_dump() | {"contribution": None, "contribution_revision": None, "records": 0}
                connection.execute(
                    update(tables.datasets)
                    .where(tables.datasets.c.repo_id == entry.repo_id)
                    .values({name: values[name] for name in _MUTABLE})
                )
                mine = tables.claims.c.repo_id == entry.repo_id
                connection.execute(delete(tables.claims).where(mine & tables.claims.c.holds.is_(True)))
                line = removal.model_dump(exclude={"when"}) | {"removed": removal.when}
                connection.execute(tables.removals.insert().values(line))
            also(connection)

    def removals(self) -> list[Removal]:
        c = tables.removals.c
        query = select(c.repo_id, c.revision, c.reason, c.detail, c.removed).order_by(c.id)
        with self.engine.connect().execution_options(reading=True) as connection:
            return [
                Removal(
                    repo_id=row.repo_id, revision=row.revision, reason=row.reason, detail=row.detail, when=row.removed
                )
                for row in connection.execute(query)
            ]

    # --- growths and surveys

    def start_growth(self, growth_id: str, catalog: str, now: datetime) -> None:
        with self.writing() as connection:
            known = connection.execute(
                select(tables.growths.c.growth_id).where(tables.growths.c.growth_id == growth_id)
            )
            if known.first() is None:
                connection.execute(tables.growths.insert().values(growth_id=growth_id, catalog=catalog, started=now))

    def unfinished_growth(self, catalog: str, since: datetime) -> str | None:
        """The newest growth of a catalogue, when it was begun after `since` and cut off: its budget goes on."""
        c = tables.growths.c
        query = select(c.growth_id, c.finished).where((c.catalog == catalog) & (c.started >= since))
        with self.engine.connect().execution_options(reading=True) as connection:
            row = connection.execute(query.order_by(c.started.desc()).limit(1)).first()
        return row.growth_id if row and row.finished is None else None

    def growth_began(self, growth_id: str) -> datetime | None:
        """When a growth was begun, first of all where it was cut off; None where the ledger does not know it."""
        query = select(tables.growths.c.started).where(tables.growths.c.growth_id == growth_id)
        with self.engine.connect().execution_options(reading=True) as connection:
            return connection.execute(query).scalar_one_or_none()

    def finish_growth(self, growth_id: str, report: dict[str, Any], now: datetime) -> None:
        with self.writing() as connection:
            connection.execute(
                update(tables.growths)
                .where(tables.growths.c.growth_id == growth_id)
                .values(report=report, finished=now)
            )

    def last_growths(self, count: int = 10) -> list[dict[str, Any]]:
        """Growths, newest first: growth_id, catalog, started, finished, report."""
        query = select(tables.growths).order_by(tables.growths.c.started.desc()).limit(count)
        with self.engine.connect().execution_options(reading=True) as connection:
            return [dict(row._mapping) for row in connection.execute(query)]

    def watermark(self, catalog: str) -> tuple[datetime | None, str | None]:
        """Up to when a catalogue was surveyed, and the cursor of a survey that was cut off."""
        c = tables.surveys.c
        with self.engine.connect().execution_options(reading=True) as connection:
            row = connection.execute(select(c.watermark, c.cursor).where(c.catalog == catalog)).first()
        return (row.watermark, row.cursor) if row else (None, None)

    def set_watermark(self, catalog: str, watermark: datetime | None, cursor: str | None, now: datetime) -> None:
        values = {"watermark": watermark, "cursor": cursor, "updated": now}
        statement = tables.inserting(tables.surveys, self.engine.dialect).values(catalog=catalog, **values)
        with self.writing() as connection:
            connection.execute(statement.on_conflict_do_update(index_elements=["catalog"], set_=values))

    def _entries(self, query: Select[Any]) -> Iterator[LedgerEntry]:
        with self.engine.connect().execution_options(reading=True, yield_per=1_000) as connection:
            for row in connection.execute(query):
                what = f"the line of {row.repo_id} in the ledger"
                yield as_stored(dict(row._mapping), LedgerEntry, what, "restore the database")
