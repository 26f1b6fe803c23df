"""Which dataset a person meant by an id that no catalogue has."""

from __future__ import annotations

from sqlalchemy import select

from dynosaur_core.ledger import tables
from dynosaur_core.ledger.ledger import Ledger
from dynosaur_core.setting_names import did_you_mean

_MOST = 20_000
"""Ids that are compared; a ledger of the whole Hub has more."""


def near_id(ledger: Ledger, repo_id: str) -> str:
    """`; did you mean owner/name?` of a dataset that the ledger knows, or nothing: one whose id begins alike, or that
    has the same name under another owner."""
    c = tables.datasets.c.repo_id
    name = repo_id.rpartition("/")[2]
    found: list[str] = []
    with ledger.engine.connect().execution_options(reading=True) as connection:
        for condition in (c.startswith(repo_id[:2], autoescape=True), c.endswith(f"/{name}", autoescape=True)):
            found += connection.execute(select(c).where(condition).order_by(c).limit(_MOST)).scalars()
    return did_you_mean(repo_id, found)
