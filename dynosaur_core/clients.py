"""Opens what the stages are handed: store, ledger, catalogue and model, once per process and settings."""

from __future__ import annotations

import threading
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.ledger import Ledger
from dynosaur_core.ledger.budget import Budget
from dynosaur_core.models import Usage
from dynosaur_core.policy.judge import forget_overrides
from dynosaur_core.protocols import Catalog
from dynosaur_core.settings import Settings
from dynosaur_core.store import Store

# The catalogues bring `datasets` and the model `openai`: seconds that a look into the ledger need not wait for.
if TYPE_CHECKING:
    from dynosaur_core.llm.client import LlmClient


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
                )
                self._llm = (growth_id, LlmClient(self.settings, self.store, budget=budget))
            return self._llm[1]

    def spent(self, growth_id: str, repo_id: str | None = None) -> Usage:
        """What this process has spent on the model in this growth, for one dataset or in all."""
        with self._lock:
            return self._llm[1].usage(repo_id) if self._llm and self._llm[0] == growth_id else Usage()


def ledger_url(settings: Settings, store: Store) -> str:
    """The setting, or an SQLite file in a local store."""
    if settings.ledger:
        return settings.ledger
    if not store.local:
        message = f"a store at {store.url} cannot hold an SQLite ledger: set DYNOSAUR_LEDGER to a database URL"
        raise DynosaurError(Code.BAD_SETTING, message)
    return f"sqlite:///{Path(store.root).resolve()}/ledger.db"


def open_catalog(settings: Settings) -> Catalog:
    """`hub`, a folder in the Hub's layout, or a .jsonl export; raises BadCatalog for anything else."""
    where = settings.catalog
    if where == "hub":
        from dynosaur_core.catalog.hub.catalog import HubCatalog

        return HubCatalog(settings)
    if where.endswith((".jsonl", ".jsonl.gz")):
        from dynosaur_core.catalog.jsonl import JsonlCatalog

        return JsonlCatalog(where)
    if "://" not in where:
        from dynosaur_core.catalog.folder import FolderCatalog

        return FolderCatalog(Path(where).expanduser(), settings.reading, settings.sampling.deadline_s)
    raise DynosaurError(Code.BAD_CATALOG, f"{where!r} is no catalogue: give `hub`, a folder, or a .jsonl file or URL")


_opened: dict[str, Clients] = {}
_opening = threading.Lock()


def open_clients(settings: Settings) -> Clients:
    """The clients for these settings; the same ones for all threads of this process."""
    with _opening:
        return _opened.setdefault(settings.model_dump_json(), Clients(settings))


def close_clients() -> None:
    """Forgets all clients, so that the next ones are opened anew (for another endpoint, say), and the override file."""
    with _opening:
        _opened.clear()
    forget_overrides()
