"""What stands at a sink now: whose it is, and whether it is still what its manifest says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from dynosaur_core.digest import digest_bytes
from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.identity import ADOPT, check_release
from dynosaur_core.models import Release, ReleaseFile, Removal
from dynosaur_core.publish.card import CARD, stamp, stamped
from dynosaur_core.publish.sinks import TABLES, BrokenManifest, Sink, Stored, data_version, foreign_files

_OWN_PLACE = "give an empty place, or add --adopt, which writes over them and removes other data files"


@dataclass(frozen=True)
class Maker:
    """Who makes a release, and what is asked before it is made."""

    store: str
    """Id of the store."""
    holds: Callable[[str], bool]
    """Whether the store has a contribution, by its digest."""
    growth: Callable[[], int]
    """Number of the growth at work or of the last one; raises GrowthRunning where it has lost its lease."""
    may_leave: Callable[[Sequence[Removal], int], None]
    """Raises WithdrawsMany where these are too many of the number of sources that are held."""
    adopt: bool = False
    """The release is this store's, although nothing says so."""

    def check(self, release: Release, url: str) -> None:
        """Raises ForeignStore for a release of another store, or of a growth that the ledger does not know yet;
        GrowthRunning where the growth at work has lost its lease."""
        check_release(release, url, self.store, self.holds, adopt=self.adopt)
        number = self.growth()
        if not self.adopt and release.store == self.store and (release.growth or 0) > number:
            message = (
                f"growth {release.growth} of this store has made the release {url}, and its ledger knows of {number}"
            )
            why = "the ledger is an older copy, or the manifest was changed: grow again what came later, with --adopt"
            raise DynosaurError(Code.FOREIGN_STORE, f"{message}; {why}")


@dataclass(frozen=True)
class Standing:
    """The release that stands at a sink, and what is wrong with its files."""

    release: Release | None
    token: str | None
    """What `Sink.commit` compares."""
    damaged: frozenset[str]
    """Data files that are missing or are not what the manifest says."""
    whole: bool
    """Whether the card is the release's own and nothing beside it is missing or damaged."""


def standing(sink: Sink, maker: Maker | None, now: datetime, *, verify: bool) -> Standing:
    """Reads the manifest and the listing. `verify` reads every data file too, where the listing has no digests.

    Raises ForeignStore, GrowthRunning, or what the sink raises.
    """
    release, token = _manifest(sink, maker, now)
    if release is None:
        return Standing(None, token, frozenset(), whole=False)
    if maker:
        maker.check(release, sink.url)
    listing = sink.listing()
    damaged = frozenset(file.path for file in release.files if not _is(sink, listing.get(file.path), file, verify))
    beside = all(
        name in listing and listing[name].size == release.beside.get(name, listing[name].size) for name in TABLES
    )
    whole = not damaged and beside and _is_own(sink.read(CARD), release)
    return Standing(release, token, damaged, whole)


def _manifest(sink: Sink, maker: Maker | None, now: datetime) -> tuple[Release | None, str | None]:
    """The release that stands there. One whose manifest is broken or gone counts as holding nothing: all of it is
    written anew, as the version after it."""
    broken: BrokenManifest | None = None
    try:
        release, token = sink.manifest()
        if release:
            return release, token
    except BrokenManifest as error:
        broken, token = error, error.token
    card = sink.read(CARD)
    version, store = stamped((card or b"").decode("utf-8", "replace"))
    stores = {store, broken.store if broken else None} - {None}
    ours = maker is not None and (maker.adopt or stores == {maker.store})
    if broken and not ours:
        raise DynosaurError(Code.RELEASE_FAILED, f"{broken.message}; to make it anew from this store, add --adopt")
    if not broken and maker and stores and not ours:
        raise DynosaurError(Code.FOREIGN_STORE, f"{sink.url} has a card of another store's release; {ADOPT}")
    if broken is None and not version:
        foreign = [CARD] * (card is not None) + foreign_files(sink.listing())
        if foreign and maker and not maker.adopt:
            message = f"{sink.url} holds files that no release has made, such as {foreign[0]}; {_OWN_PLACE}"
            raise DynosaurError(Code.FOREIGN_STORE, message)
        return None, token
    version = max(version, broken.version if broken else 0, *map(data_version, sink.listing()))
    none = {"records": 0, "tasks": 0, "sources": 0, "files": ()}
    return Release(version=version, store=maker.store if maker else None, digest="", created=now, **none), token


def _is(sink: Sink, found: Stored | None, file: ReleaseFile, verify: bool) -> bool:
    """Whether what was found is the file of the manifest."""
    if found is None or found.size != file.size_bytes:
        return False
    digest = found.digest
    if digest is None and verify:
        digest = digest_bytes(sink.read(file.path) or b"")
    return digest in (None, file.digest)


def _is_own(card: bytes | None, release: Release) -> bool:
    """Whether a card is that of this release; one that is not UTF-8 is no card, since nobody can load it."""
    try:
        return stamp(release) in (card or b"").decode()
    except UnicodeDecodeError:
        return False
