"""Which files a new release keeps, and what is written anew."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from dynosaur_core.digest import digest
from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.models import Contribution, Release, ReleaseFile, Removal
from dynosaur_core.reasons import Reason


@dataclass(frozen=True)
class Entry:
    """A contribution with the digest that names it: the one under which it is stored, whatever later versions add."""

    contribution: Contribution
    digest: str


@dataclass(frozen=True)
class ReleasePlan:
    """How to get from the previous release to the wanted one."""

    entries: tuple[Entry, ...]
    """All that the new release holds, by repo id."""
    digest: str
    keep: tuple[ReleaseFile, ...]
    groups: tuple[tuple[Entry, ...], ...]
    """What is written anew; each group becomes a file, or several when its one contribution is larger than a file."""
    removals: tuple[Removal, ...]
    """One for each of the `held` sources that leaves."""
    held: int
    """Sources of the previous release."""
    change: str
    """One line for the changelog."""


def plan_release(
    contributions: Iterable[Contribution | Entry],
    previous: Release | None,
    removals: Sequence[Removal],
    shard_records: int,
    now: datetime,
    damaged: Container[str] = (),
) -> ReleasePlan:
    """A previous file stays when all it holds is wanted unchanged and it is not among the `damaged` paths; else what is
    still wanted of it is written anew."""
    entries = _entries(contributions)
    wanted = {entry.contribution.repo_id: entry.digest for entry in entries}
    held: dict[str, str] = {}
    keep: list[ReleaseFile] = []
    broken: set[str] = set()
    for file in previous.files if previous else ():
        held |= file.contributions
        if file.path in damaged:
            broken |= file.contributions.keys()
        elif all(wanted.get(repo_id) == name for repo_id, name in file.contributions.items()):
            keep.append(file)
    # a contribution larger than a file has several, and is written anew as a whole
    keep = [file for file in keep if broken.isdisjoint(file.contributions)]
    kept = {repo_id for file in keep for repo_id in file.contributions}
    anew = [entry for entry in entries if entry.contribution.repo_id not in kept]
    gone = sorted(held.keys() - wanted.keys())
    changed = sum(held[repo_id] != wanted[repo_id] for repo_id in held.keys() & wanted.keys())
    records = sum(entry.contribution.shard.records for entry in entries)
    return ReleasePlan(
        entries=entries,
        digest=release_digest(wanted),
        keep=tuple(keep),
        groups=tuple(_pack(anew, shard_records)),
        removals=tuple(_logged(gone, removals, now)),
        held=len(held),
        change=(
            f"sources: {len(wanted.keys() - held.keys()):,} new, {changed:,} updated, {len(gone):,} withdrawn; "
            f"now {records:,} records from {len(entries):,}" + _mended(broken & wanted.keys())
        ),
    )


def release_digest(wanted: Mapping[str, str]) -> str:
    """Digest of a release's content: repo id -> digest of its contribution."""
    return digest("release", wanted)


def _mended(sources: Set[str]) -> str:
    return f"; files were missing or damaged: {len(sources):,} sources written anew" if sources else ""


def _entries(contributions: Iterable[Contribution | Entry]) -> tuple[Entry, ...]:
    entries = [given if isinstance(given, Entry) else Entry(given, given.digest) for given in contributions]
    entries.sort(key=lambda entry: entry.contribution.repo_id)
    for before, entry in pairwise(entries):
        if before.contribution.repo_id == entry.contribution.repo_id:
            message = f"{entry.contribution.repo_id} has two contributions to one release"
            raise DynosaurError(Code.RELEASE_FAILED, message)
    return tuple(entries)


def _pack(entries: Sequence[Entry], shard_records: int) -> list[tuple[Entry, ...]]:
    """Files in the order of `entries`. A contribution is never spread over files that hold another one too."""
    groups: list[tuple[Entry, ...]] = []
    room = 0
    for entry in entries:
        records = entry.contribution.shard.records
        if groups and records <= room:
            groups[-1] += (entry,)
            room -= records
        else:
            groups.append((entry,))
            room = shard_records - records
    return groups


def _logged(gone: Sequence[str], removals: Sequence[Removal], now: datetime) -> list[Removal]:
    """One line for each source that leaves. "Gone" is only what a catalogue said so of; of the others nobody knows."""
    known = {removal.repo_id: removal for removal in removals}
    return [
        known.get(name) or Removal(repo_id=name, revision="", reason=Reason.NOT_IN_STORE, when=now) for name in gone
    ]
