"""Which dataset came first with its rows. The others with the same rows are its copies, and wait until it has left.

A claim is made in a dataset's branch and settled when that ends grown; one that is not settled lasts until the next
growth begins, and stands in nobody's way after that.
"""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, and_, delete, func, or_, select, update

from dynosaur_core.ledger.entries import LedgerEntry, Outcome
from dynosaur_core.ledger.ledger import Ledger
from dynosaur_core.ledger.tables import claims, datasets, inserting

_C = claims.c
_HELD, _COPIED = _C.holds.is_(True), _C.holds.is_(None)
_AS_IT_ENDED = or_(
    datasets.c.outcome == str(Outcome.GROWN),
    and_(datasets.c.outcome == str(Outcome.REFUSED), datasets.c.stage != "survey"),
)
"""The dataset's last branch came to an end that stands; others have a time of their own for another try."""


def claim(ledger: Ledger, repo_id: str, contents: Collection[str]) -> dict[str, str]:
    """Makes the dataset the holder of what nobody holds, and notes that it copies the rest. Returns the holders."""
    insert = inserting(claims, ledger.engine.dialect)
    row = {"repo_id": repo_id, "settled": False}
    with ledger.writing() as connection:
        connection.execute(delete(claims).where((_C.repo_id == repo_id) & _COPIED))
        if not contents:
            return {}
        wanted = [{**row, "content": content, "holds": True} for content in sorted(contents)]
        connection.execute(insert.values(wanted).on_conflict_do_nothing())
        query = select(_C.content, _C.repo_id).where(_C.content.in_(contents) & _HELD)
        holders = dict(found._tuple() for found in connection.execute(query))
        copied = [{**row, "content": content, "holds": None} for content, by in holders.items() if by != repo_id]
        if copied:
            connection.execute(insert.values(copied))
    return holders


def settle(connection: Connection, repo_id: str, contents: Collection[str]) -> None:
    """The dataset is grown with these: its claims to them last, and what it held before is free."""
    mine = (_C.repo_id == repo_id) & _HELD
    connection.execute(delete(claims).where(mine & _C.content.not_in(contents)))
    connection.execute(update(claims).where(mine).values(settled=True))


def drop_unsettled(ledger: Ledger) -> None:
    """To be called when a growth begins: claims of branches that did not end grown are nobody's."""
    with ledger.writing() as connection:
        connection.execute(delete(claims).where(_HELD & _C.settled.is_(False)))


def has_settled(ledger: Ledger, repo_id: str) -> bool:
    """Whether the dataset was grown with content of its own."""
    query = select(_C.content).where((_C.repo_id == repo_id) & _HELD & _C.settled.is_(True)).limit(1)
    with ledger.engine.connect().execution_options(reading=True) as connection:
        return connection.execute(query).first() is not None


def copies(ledger: Ledger, catalog: str) -> set[str]:
    """Datasets of a catalogue that are copies of others, as a whole or in part."""
    query = select(_C.repo_id).join(datasets, datasets.c.repo_id == _C.repo_id)
    with ledger.engine.connect().execution_options(reading=True) as connection:
        return set(connection.execute(query.where(_COPIED & _AS_IT_ENDED & (datasets.c.catalog == catalog))).scalars())


def heirs(ledger: Ledger, catalog: str) -> dict[str, LedgerEntry]:
    """Of each content whose holder has left: the copy with the smallest id, which may be grown in its place."""
    held = select(_C.content).where(_HELD & _C.settled.is_(True))
    query = select(func.min(_C.repo_id)).join(datasets, datasets.c.repo_id == _C.repo_id).group_by(_C.content)
    free = _COPIED & _AS_IT_ENDED & (datasets.c.catalog == catalog) & _C.content.not_in(held)
    with ledger.engine.connect().execution_options(reading=True) as connection:
        found = sorted(set(connection.execute(query.where(free)).scalars()))
    return ledger.get_many(found)
