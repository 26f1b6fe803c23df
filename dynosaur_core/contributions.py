"""What the release is made of: the contributions that the ledger names, as the store keeps them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dynosaur_core.digest import digest
from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.ledger import Ledger
from dynosaur_core.models import Contribution
from dynosaur_core.publish.plan import PlannedSource
from dynosaur_core.store import Store


@dataclass(frozen=True)
class Contributions:
    """All that belongs into the release, by repo id; read anew each time it is gone through."""

    ledger: Ledger
    store: Store

    def __iter__(self) -> Iterator[PlannedSource]:
        for repo_id, name in self.ledger.contributions():
            yield PlannedSource(read_contribution(self.store, repo_id, name), name)


def contribution_name(name: str) -> str:
    """Where a contribution is in the store; `name` is its digest."""
    return f"contributions/{name[:2]}/{name}.json"


def holds_contribution(store: Store, name: str) -> bool:
    return store.exists(contribution_name(name))


def keep_contribution(store: Store, contribution: Contribution) -> str:
    """Stores a contribution under the digest of what it holds now, which stays its name; returns the digest."""
    name = digest(contribution)
    store.write_model(contribution_name(name), contribution)
    return name


def read_contribution(store: Store, repo_id: str, name: str) -> Contribution:
    """The contribution that the ledger names; raises StoreFailed where the store has lost or damaged it."""
    remedy = f"run `dynosaur backfill {repo_id}`"
    found = store.read_model(contribution_name(name), Contribution, remedy, repo_id)
    if found is None:
        raise DynosaurError(Code.STORE_FAILED, f"the contribution of {repo_id} is missing from the store: {remedy}")
    return found
