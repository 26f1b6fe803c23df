"""What a ledger belongs to: the store beside it, and the catalogues that it was grown from, each with its place."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Table, select, update

from dynosaur_core.ledger.ledger import Ledger
from dynosaur_core.ledger.tables import catalogs, identity, inserting


def store_id(ledger: Ledger) -> str | None:
    """The id of the store that this ledger belongs to; None if none was written down."""
    with ledger.engine.connect().execution_options(reading=True) as connection:
        return connection.execute(select(identity.c.value).where(identity.c.name == "store")).scalar()


def claim_store_id(ledger: Ledger, value: str, instead_of: str | None) -> str:
    """Makes `value` the id of the ledger's store, if it still is `instead_of`; returns what it is then."""
    with ledger.writing() as connection:
        found = connection.execute(select(identity.c.value).where(identity.c.name == "store")).scalar()
        if found != instead_of and found is not None:  # another process was first
            return str(found)
        _put(connection, identity, {"name": "store", "value": value})
    return value


def catalog_places(ledger: Ledger) -> dict[str, str | None]:
    """Every catalogue that was grown from, and its place: a resolved path or a URL; None where it is not known."""
    query = select(catalogs.c.name, catalogs.c.place).order_by(catalogs.c.name)
    with ledger.engine.connect().execution_options(reading=True) as connection:
        return dict(row._tuple() for row in connection.execute(query))


def set_catalog_place(ledger: Ledger, name: str, place: str) -> None:
    """Notes where a catalogue is; another that was there before is there no more."""
    with ledger.writing() as connection:
        connection.execute(update(catalogs).where(catalogs.c.place == place).values(place=None))
        _put(connection, catalogs, {"name": name, "place": place})


def _put(connection: Connection, table: Table, row: dict[str, Any]) -> None:
    """Writes a row over the one of its name."""
    insert = inserting(table, connection.dialect)
    connection.execute(insert.values(row).on_conflict_do_update(index_elements=["name"], set_=row))
