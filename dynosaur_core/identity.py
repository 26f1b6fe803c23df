"""What belongs together: a store and its ledger, a release and its store, a catalogue and its place.

Each was once told by its address alone, and a mistyped one then looked like a catalogue or a store from which
everything has gone. These functions decide; they read and write nothing.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.models import Release

ADOPT = "if they belong together all the same, say so with --adopt"
HUB = "hub"


@dataclass(frozen=True)
class Pair:
    """A store and a ledger, as they are found."""

    store: str
    """The store's address, for people."""
    store_id: str | None
    ledger_id: str | None
    store_used: bool
    """Whether the store holds contributions."""
    ledger_used: bool
    """Whether the ledger knows contributions."""
    met: bool
    """Whether the store holds contributions that the ledger knows. Nothing else connects stores and ledgers of earlier
    versions."""


def shared_id(pair: Pair, new: Callable[[], str], *, adopt: bool) -> str:
    """The id that store and ledger have in common, or are to have from now on: one of theirs, or `new`.

    Raises ForeignStore where they are not each other's, unless `adopt` says that they are.
    """
    if pair.store_id != pair.ledger_id or pair.store_id is None:
        strange = None if adopt else _strange(pair)
        if strange:
            raise DynosaurError(Code.FOREIGN_STORE, f"{strange}; {ADOPT}")
    return pair.store_id or pair.ledger_id or new()


def _strange(pair: Pair) -> str | None:
    """Why a store and a ledger without an id in common are not each other's; None where they may be."""
    if pair.store_id and pair.ledger_id:
        return f"the ledger belongs to another store than {pair.store}"
    if pair.store_used and not pair.ledger_used:
        return f"the store {pair.store} holds contributions, and its ledger knows none: it is new, or was lost"
    if pair.ledger_used and not pair.met:
        return f"the ledger knows contributions, and the store {pair.store} holds none of them: it is another one"
    return None


def check_release(
    release: Release, url: str, store_id: str, holds: Callable[[str], bool], *, adopt: bool, at_most: int = 100
) -> None:
    """Raises ForeignStore where `release` was made from another store than this.

    Releases of earlier versions name no store: this is theirs when it `holds` most of the contributions that they name
    by digest (of a large one `at_most` are looked for).
    """
    if adopt or release.store == store_id:
        return
    if release.store is None:
        names = sorted({name for file in release.files for name in file.contributions.values()})
        names = names[:: -(-len(names) // at_most) or 1]
        if 2 * sum(map(holds, names)) >= len(names):
            return
    raise DynosaurError(Code.FOREIGN_STORE, f"the release {url} was made from another store than this one; {ADOPT}")


def catalog_name(
    default: str, place: str, wanted: str | None, known: Mapping[str, str | None], there: Callable[[str], bool]
) -> str:
    """The name under which the ledger knows the catalogue at `place`, or is to know it from now on.

    `default` is made of the last part of its address; `wanted` is what a person calls it; `known` returns the place of
    each catalogue by its name; `there` says whether something is at a place. Raises BadCatalog where only a person can
    tell whether a catalogue is new, or one that has moved.
    """
    if wanted == HUB:
        raise DynosaurError(Code.BAD_SETTING, f"catalog_name: {HUB!r} is the name of the Hugging Face Hub")
    if wanted:
        return wanted
    at = next((name for name, where in known.items() if where == place), None)
    if at:
        return at
    kind = default.split(" ")[0]
    others = {name: where for name, where in known.items() if name != HUB}
    if others.get(default):
        raise _which(default, others[default], place, default)
    if default in others:  # known by its name alone: this is where it is
        return default
    for name, where in others.items():
        if (where is None and name.startswith(f"{kind} ")) or (where and not there(where)):
            raise _which(name, where, place, default)
    return default


def _which(name: str, where: str | None, place: str, default: str) -> DynosaurError:
    """The question that only a person can answer, and how to answer it."""
    was = f"was at {where}" if where else "was somewhere that nobody noted"
    other = default if default != name else f"{default} 2"
    message = (
        f"the catalogue {name!r} {was}; if it is the one at {place} now, add --catalog-name {shlex.quote(name)}; "
        f"if that is another one, to be grown beside it, --catalog-name {shlex.quote(other)}"
    )
    return DynosaurError(Code.BAD_CATALOG, message)
