"""That a growth asks the model anew: kept in the store, for when it is cut off, and for other processes of it."""

from __future__ import annotations

from datetime import datetime

from dynosaur_core.models import Stored
from dynosaur_core.store import Store


class Anew(Stored):
    """What is kept of a growth that asks the model anew."""

    since: datetime
    """Answers from before this moment are set aside."""


def anew_name(growth_id: str) -> str:
    return f"anew/{growth_id}.json"


def anew_since(store: Store, growth_id: str) -> datetime | None:
    """From when on answers count in this growth; None where all do."""
    marked = store.read_model(anew_name(growth_id), Anew)
    return marked.since if marked else None
