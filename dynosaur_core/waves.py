"""What a growth tells a process that is to run one of its waves, and what that process answers.

Orders lie in the store, where every worker can read them; nothing in them is secret. The wave's own settings say where
store, ledger and model are; what shapes the data must be the same as the growth's.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from dynosaur_core.digest import digest
from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.growth import code_version
from dynosaur_core.judge.stage import JUDGE_VERSION
from dynosaur_core.ledger.waves import keep_end
from dynosaur_core.models import DatasetRef, Stage, Stored
from dynosaur_core.policy.judge import overrides
from dynosaur_core.report import BranchEnd
from dynosaur_core.settings import Settings
from dynosaur_core.store import Store
from dynosaur_core.text import storable_values

_FOLDER = "waves"


class WaveOrder(Stored):
    """A wave that is to be run."""

    wave_id: str
    growth_id: str
    number: int
    """Of the lease under which it runs."""
    catalog: str
    """What the ledger knows the catalogue by."""
    refs: tuple[DatasetRef, ...]
    shapes: dict[str, str]
    """`shapes` of the growth's settings."""
    model: str
    max_cost_usd: float | None
    max_cost_usd_month: float | None
    fresh_from: Stage | None = None
    """The results of this stage and of those after it are made anew."""
    anew_since: datetime | None = None
    """Answers from before this moment are set aside."""

    def settings(self, own: Settings) -> Settings:
        """`own` with what holds for the whole growth. Raises BadSetting where the growth's would make other data."""
        values = {name: getattr(self, name) for name in ("model", "max_cost_usd", "max_cost_usd_month")}
        settings = own.model_copy(update=values)
        mine = shapes(settings)
        if different := [name for name in self.shapes | mine if self.shapes.get(name) != mine.get(name)]:
            message = f"the settings of this worker are not those of the growth: {', '.join(different)}"
            raise DynosaurError(Code.BAD_SETTING, message)
        return settings


class WaveEnd(Stored):
    """What a wave whose datasets have all ended says beyond their ends."""

    pending: tuple[tuple[DatasetRef, Stage], ...] = ()
    """Datasets whose answers a batch is to bring, and the stages that wait for them."""
    stopped: str | None = None
    """Why no further branch was begun, when someone has to do something about it."""


def shapes(settings: Settings) -> dict[str, str]:
    """Digests of what decides which data a growth makes: the code, the override file, the sections of the settings."""
    names = ("sampling", "policy", "designing", "filtering", "judging", "publishing", "llm")
    beside = {"Dynosaur's version": digest(code_version(), JUDGE_VERSION)}
    beside["the file of policy.overrides"] = digest(overrides(settings.policy))
    return beside | {name: digest(getattr(settings, name)) for name in names}


def order_name(wave_id: str) -> str:
    return f"{_FOLDER}/{wave_id}.json"


def read_order(store: Store, wave_id: str) -> WaveOrder | None:
    """The order of a wave; None where its growth has ended."""
    return store.read_model(order_name(wave_id), WaveOrder, "run `dynosaur grow`")


def forget_orders(store: Store) -> None:
    """Removes the orders that a growth which was killed has left."""
    for name in store.names(_FOLDER):
        store.remove(name)


def keep(connection: Connection, ended: BranchEnd) -> None:
    """A growth's `keep`, in the process of a wave."""
    said: dict[str, Any] = ended.model_dump(mode="json", exclude_defaults=True)
    keep_end(connection, ended.repo_id, storable_values(said))
