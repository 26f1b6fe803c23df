"""Which datasets a growth has grown, refused, failed and deferred, by name: read from the ledger, which also knows what
was done before the growth was cut off."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import func, select

from dynosaur_core.contributions import read_contribution
from dynosaur_core.ledger import Ledger, LedgerEntry, Outcome, tables
from dynosaur_core.store import Store


@dataclass(frozen=True)
class Named:
    """The datasets of one growth that ended alike."""

    shown: tuple[LedgerEntry, ...]
    """The first of them by id."""
    count: int
    """All of them."""

    @property
    def left_out(self) -> int:
        return self.count - len(self.shown)


def named(ledger: Ledger, growth_id: str, most: int) -> dict[Outcome, Named]:
    """By outcome, the first `most` datasets of each."""
    c = tables.datasets.c
    query = select(c.outcome, func.count().label("datasets")).where(c.growth_id == growth_id).group_by(c.outcome)
    with ledger.engine.connect().execution_options(reading=True) as connection:
        counts = {row.outcome: row.datasets for row in connection.execute(query)}
    return {
        outcome: Named(tuple(ledger.entries(outcomes=[outcome], growth_id=growth_id, limit=most)), counts[outcome])
        if outcome in counts
        else Named((), 0)
        for outcome in Outcome
    }


def tasks_of(store: Store, entry: LedgerEntry) -> int:
    """How many tasks of a dataset have records; raises StoreFailed where its contribution cannot be read."""
    contribution = read_contribution(store, entry.repo_id, entry.contribution) if entry.contribution else None
    return len(contribution.tasks) if contribution else 0


def names_file(growth_id: str) -> str:
    """Where a store keeps the names of a growth that no page holds."""
    return f"reports/{growth_id}.jsonl"


def keep_names(ledger: Ledger, store: Store, growth_id: str) -> str:
    """Writes a line of JSON for each dataset of a growth; returns the file's address."""
    store.write_bytes(names_file(growth_id), "".join(_lines(ledger, growth_id)).encode())
    return f"{store.url}/{names_file(growth_id)}"


def _lines(ledger: Ledger, growth_id: str) -> Iterator[str]:
    # a first growth of the Hub has refused hundreds of thousands: no entry is made of each
    c = tables.datasets.c
    columns = (c.repo_id, c.revision, c.outcome, c.stage, c.code, c.detail, c.license, c.records)
    query = select(*columns).where(c.growth_id == growth_id).order_by(c.repo_id)
    with ledger.engine.connect().execution_options(reading=True, yield_per=1_000) as connection:
        for row in connection.execute(query):
            yield json.dumps(dict(row._mapping), ensure_ascii=False) + "\n"
