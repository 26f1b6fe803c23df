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
class PlannedSource:
    """A contribution with the digest that names it: the one under which it is stored, whatever later versions add."""

    contribution: Contribution
    digest: str


@dataclass(frozen=True)
class ReleasePlan:
    """How to get from the previous release to the wanted one."""

    sources: tuple[PlannedSource, ...]
    """All that the new release holds, by repo id."""
    digest: str
    keep: tuple[ReleaseFile, ...]
    groups: tuple[tuple[PlannedSource, ...], ...]
    """What is written anew; each group becomes a file, or several when its one contribution is larger than a file."""
    removals: tuple[Removal, ...]
    """One for each of the `held` sources that leaves."""
    held: int
    """Sources of the previous release."""
    added: int
    """Records of the sources that are new or have changed."""
    change: str
    """One line for the changelog."""


def plan_release(
    contributions: Iterable[PlannedSource],
    previous: Release | None,
    removals: Sequence[Removal],
    shard_records: int,
    now: datetime,
    damaged: Container[str] = (),
) -> ReleasePlan:
    """A previous file stays when all it holds is wanted unchanged and it is not among the `damaged` paths; else what is
    still wanted of it is written anew."""
    sources = _sources(contributions)
    wanted = {source.contribution.repo_id: source.digest for source in sources}
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
    anew = [source for source in sources if source.contribution.repo_id not in kept]
    gone = sorted(held.keys() - wanted.keys())
    changed = sum(held[repo_id] != wanted[repo_id] for repo_id in held.keys() & wanted.keys())
    records = sum(source.contribution.shard.records for source in sources)
    added = sum(s.contribution.shard.records for s in sources if held.get(s.contribution.repo_id) != s.digest)
    return ReleasePlan(
        sources=sources,
        digest=release_digest(wanted),
        keep=tuple(keep),
        groups=tuple(_pack(anew, shard_records)),
        removals=tuple(_logged(gone, removals, now)),
        held=len(held),
        added=added,
        change=(
            f"sources: {len(wanted.keys() - held.keys()):,} new, {changed:,} updated, {len(gone):,} withdrawn; "
            f"now {records:,} records from {len(sources):,}" + _mended(broken & wanted.keys())
        ),
    )


def release_digest(wanted: Mapping[str, str]) -> str:
    """Digest of a release's content: repo id -> digest of its contribution."""
    return digest("release", wanted)


def _mended(sources: Set[str]) -> str:
    return f"; files were missing or damaged: {len(sources):,} sources written anew" if sources else ""


def _sources(contributions: Iterable[PlannedSource]) -> tuple[PlannedSource, ...]:
    sources = sorted(contributions, key=lambda source: source.contribution.repo_id)
    for before, source in pairwise(sources):
        if before.contribution.repo_id == source.contribution.repo_id:
            message = f"{source.contribution.repo_id} has two contributions to one release"
            raise DynosaurError(Code.RELEASE_FAILED, message)
    return tuple(sources)


def _pack(sources: Sequence[PlannedSource], shard_records: int) -> list[tuple[PlannedSource, ...]]:
    """Files in the order of `sources`. A contribution is never spread over files that hold another one too."""
    groups: list[tuple[PlannedSource, ...]] = []
    room = 0
    for source in sources:
        records = source.contribution.shard.records
        if groups and records <= room:
            groups[-1] += (source,)
            room -= records
        else:
            groups.append((source,))
            room = shard_records - records
    return groups


def _logged(gone: Sequence[str], removals: Sequence[Removal], now: datetime) -> list[Removal]:
    """One line for each source that leaves. "Gone" is only what a catalogue said so of; of the others nobody knows."""
    known = {removal.repo_id: removal for removal in removals}
    return [
        known.get(name) or Removal(repo_id=name, revision="", reason=Reason.NOT_IN_STORE, when=now) for name in gone
    ]
