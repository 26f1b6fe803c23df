"""Opens what the stages are handed: store, ledger, catalogue and model, once per process and settings."""

from __future__ import annotations

import threading
import uuid
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from dynosaur_core.anew import anew_since
from dynosaur_core.catalogs import open_catalog
from dynosaur_core.contributions import holds_contribution
from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.identity import Pair, catalog_name, shared_id
from dynosaur_core.ledger import Ledger
from dynosaur_core.ledger.budget import Budget
from dynosaur_core.ledger.engine import ledger_address
from dynosaur_core.ledger.identities import catalog_places, claim_store_id, set_catalog_place, store_id
from dynosaur_core.models import Usage
from dynosaur_core.policy.judge import forget_overrides
from dynosaur_core.protocols import Catalog
from dynosaur_core.secrets import remember, strike_logs
from dynosaur_core.settings import Settings
from dynosaur_core.store import Store

# The model brings `openai`: seconds that a look into the ledger need not wait for.
if TYPE_CHECKING:
    from dynosaur_core.llm.client import LlmClient


_LOOKED_FOR = 20
"""Contributions of a ledger that are looked for in a store."""


class Clients:
    """Everything with state. Each part is opened when it is first asked for; all are safe to share between threads."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._lock = threading.RLock()
        self._llm: tuple[str, LlmClient] | None = None

    @cached_property
    def store(self) -> Store:
        return Store(self.settings.store)

    @cached_property
    def ledger(self) -> Ledger:
        with self._lock:
            return Ledger(ledger_url(self.settings, self.store))

    @cached_property
    def catalog(self) -> Catalog:
        with self._lock:
            return open_catalog(self.settings)

    def join(self, *, create: bool = False, write: bool = False, adopt: bool = False) -> str:
        """The id that store and ledger share; `write` keeps a new one in both.

        Raises BadSetting where there is no store, unless one may be made (`create`), and ForeignStore where store and
        ledger are not each other's, unless `adopt` says that they are.
        """
        if not create:
            self._exists()
        mine, theirs = self.store.id, store_id(self.ledger)
        if mine is not None and mine == theirs:
            return mine
        pair = _pair(self.store, self.ledger, mine, theirs)
        found = shared_id(pair, lambda: uuid.uuid4().hex, adopt=adopt)
        if write and theirs != found:
            found = claim_store_id(self.ledger, found, theirs)
        if write and mine != found:
            self.store.id = found
        return found

    def name_catalog(self, *, write: bool = False) -> str:
        """What the ledger knows the catalogue by, or will from now on (`write`).

        Raises BadCatalog where only a person can say whether it is new, or has moved.
        """
        if self.catalog.place:
            place, known = self.catalog.place, catalog_places(self.ledger)
            name = catalog_name(self.catalog.name, place, self.settings.catalog_name, known, _is_there)
            self.catalog.name = name
            if write and known.get(name) != place:
                set_catalog_place(self.ledger, name, place)
        return self.catalog.name

    @property
    def has_ledger(self) -> bool:
        """Whether there is a ledger, which opening would make."""
        where = ledger_address(ledger_url(self.settings, self.store))
        return where.get_backend_name() != "sqlite" or Path(where.database or "").exists()

    @property
    def is_new(self) -> bool:
        """Whether there is no store yet: nothing lies at its place."""
        return not self.store.names("")

    def _exists(self) -> None:
        """Whether the store and its ledger exist; opening them would create them."""
        if self.has_ledger and self.store.fs.exists(self.store.root):
            return
        if self.store.id or self.store.names("contributions"):
            message = (
                f"the ledger of {self.store.url} is missing; if it is lost, `dynosaur grow --adopt` makes a new one"
            )
            raise DynosaurError(Code.FOREIGN_STORE, message)
        message = f"there is no store at {self.store.url}: give --store or DYNOSAUR_STORE, or run `dynosaur grow`"
        raise DynosaurError(Code.BAD_SETTING, message)

    def llm(self, growth_id: str = "") -> LlmClient:
        """The model, paid from the budget of this growth; without one, what `doctor` asks is on no growth's account."""
        from dynosaur_core.llm.client import LlmClient

        with self._lock:
            if self._llm is None or self._llm[0] != growth_id:
                budget = Budget(
                    self.ledger.engine,
                    growth_id,
                    growth_usd=self.settings.max_cost_usd,
                    month_usd=self.settings.max_cost_usd_month,
                    fence=self.ledger.fence,
                )
                self._llm = (growth_id, LlmClient(self.settings, self.store, budget=budget))
                if self.settings.waves.engine != "threads":  # the tasks are in processes that no backfill has told
                    self._llm[1].anew_since = anew_since(self.store, growth_id)
            return self._llm[1]

    def spent(self, growth_id: str, repo_id: str | None = None) -> Usage:
        """What this process has spent on the model in this growth, for one dataset or in all."""
        with self._lock:
            return self._llm[1].usage(repo_id) if self._llm and self._llm[0] == growth_id else Usage()

    def spent_by_all(self, growth_id: str) -> Usage:
        """What a growth has spent on the model; with other processes at work for it, over all of them and from its
        beginning on."""
        waves = self.settings.waves
        if waves.deployment is None and waves.engine == "threads":
            return self.spent(growth_id)
        return Budget(self.ledger.engine, growth_id).spent()

    def waited_s(self, growth_id: str, repo_id: str) -> float:
        """Seconds for which a dataset has waited for the model in this growth and process."""
        with self._lock:
            return self._llm[1].waiting.seconds(repo_id) if self._llm and self._llm[0] == growth_id else 0.0


def _pair(store: Store, ledger: Ledger, mine: str | None, theirs: str | None) -> Pair:
    """Collects the facts by which a store and a ledger without a common id are known to belong together."""
    known = [name for (_, name), _ in zip(ledger.contributions(), range(_LOOKED_FOR), strict=False)]
    return Pair(
        store=store.url,
        store_id=mine,
        ledger_id=theirs,
        store_used=bool(store.names("contributions")),
        ledger_used=bool(known),
        met=any(holds_contribution(store, name) for name in known),
    )


def _is_there(place: str) -> bool:
    """Whether something is at a place; what is behind a URL is taken to be."""
    return "://" in place or Path(place).exists()


def ledger_url(settings: Settings, store: Store) -> str:
    """The setting, or an SQLite file in a local store."""
    if settings.ledger:
        return settings.ledger
    if not store.local:
        message = f"a store at {store.url} cannot hold an SQLite ledger: set DYNOSAUR_LEDGER to a database URL"
        raise DynosaurError(Code.BAD_SETTING, message)
    return f"sqlite:///{Path(store.root).resolve()}/ledger.db"


_opened: dict[str, Clients] = {}
_opening = threading.Lock()


def open_clients(settings: Settings) -> Clients:
    """The clients for these settings; the same ones for all threads of this process."""
    remember(settings.ledger)
    strike_logs()
    with _opening:
        return _opened.setdefault(settings.model_dump_json(), Clients(settings))


def close_clients() -> None:
    """Forgets all clients, so that the next ones are opened anew (for another endpoint, say), and the override file."""
    with _opening:
        _opened.clear()
    forget_overrides()
