"""Which files a new release keeps, and what is written anew."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from dynosaur_core.digest import digest
from dynosaur_core.errors import Code, DynosaurError, Reason
from dynosaur_core.models import Contribution, Release, ReleaseFile, Removal


@dataclass(frozen=True)
class Entry:
    """A contribution with its digest, computed once."""

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
    change: str
    """One line for the changelog."""


def plan_release(
    contributions: Iterable[Contribution],
    previous: Release | None,
    removals: Sequence[Removal],
    shard_records: int,
    now: datetime,
) -> ReleasePlan:
    """A previous file stays when all it holds is wanted unchanged; else what is still wanted of it is written anew."""
    entries = _entries(contributions)
    wanted = {entry.contribution.repo_id: entry.digest for entry in entries}
    held: dict[str, str] = {}
    keep: list[ReleaseFile] = []
    for file in previous.files if previous else ():
        held |= file.contributions
        if all(wanted.get(repo_id) == name for repo_id, name in file.contributions.items()):
            keep.append(file)
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
        change=(
            f"sources: {len(wanted.keys() - held.keys()):,} new, {changed:,} updated, {len(gone):,} withdrawn; "
            f"now {records:,} records from {len(entries):,}"
        ),
    )


def release_digest(wanted: Mapping[str, str]) -> str:
    """Digest of a release's content: repo id -> digest of its contribution."""
    return digest("release", wanted)


def _entries(contributions: Iterable[Contribution]) -> tuple[Entry, ...]:
    entries = [Entry(contribution, contribution.digest) for contribution in contributions]
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
    """One line for each source that leaves; without a known reason it is no longer in the catalogue."""
    known = {removal.repo_id: removal for removal in removals}
    return [known.get(name) or Removal(repo_id=name, revision="", reason=Reason.IS_GONE, when=now) for name in gone]
