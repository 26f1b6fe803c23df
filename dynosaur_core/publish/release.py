"""The release: all contributions as files of one sink, from what stands there to what is wanted."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from dynosaur_core.digest import digest_bytes
from dynosaur_core.errors import Code, DynosaurError, Retrier
from dynosaur_core.logs import logger
from dynosaur_core.models import Release, ReleaseFile, Removal
from dynosaur_core.publish.card import CARD, card
from dynosaur_core.publish.plan import PlannedSource, ReleasePlan, plan_release, release_digest
from dynosaur_core.publish.records import RECORDS, SCHEMA, read_batches
from dynosaur_core.publish.sinks import REMOVALS, Sink, data_name, first_versions
from dynosaur_core.publish.standing import Maker, Standing, standing
from dynosaur_core.publish.tables import same_table, sources_table, tasks_table
from dynosaur_core.results import ReleaseOutcome
from dynosaur_core.retry import retrying
from dynosaur_core.scratch import scratch_folder
from dynosaur_core.settings import ReleaseSettings
from dynosaur_core.store import Store

_LOG = logger("release")
ATTEMPTS = 6
_ROW_GROUP = 20_000


def make_release(
    contributions: Iterable[PlannedSource],
    sink: Sink,
    store: Store,
    settings: ReleaseSettings,
    now: datetime,
    removals: Sequence[Removal] = (),
    *,
    names: Callable[[], Mapping[str, str]] | None = None,
    maker: Maker | None = None,
    verify: bool = False,
    pause_s: float = 1.0,
) -> ReleaseOutcome:
    """Brings `sink` to hold exactly `contributions`; the same ones again change nothing, but for what is damaged there.

    `contributions` is gone through once for each attempt: after a conflict the wanted state is asked for again, and
    planned against what the other writer left. `names` returns their digests by repo id, if these are known without
    reading them: a release that holds just these needs no more. `removals` says why sources left; those that are not
    held are not logged. `maker` is asked before anything is written; without one whoever calls answers for it. `verify`
    compares the content of all files, not their sizes alone.

    Raises ForeignStore, WithdrawsMany or GrowthRunning for what `maker` does not allow; ReleaseConflict, or what the
    sink raises, after ATTEMPTS attempts with about `pause_s` seconds between them, doubled each time (see `retry`).
    """
    job = _Job(contributions, sink, store, settings, now, removals, names, maker, verify)
    made = itertools.count()

    def attempt() -> ReleaseOutcome:
        with sink.writing():
            return _attempt(job, again=next(made) > 0)

    return retrying(
        attempt,
        what=f"release to {sink.url}",
        log=_LOG,
        attempts=ATTEMPTS,
        backoff_s=pause_s,
        retrier=Retrier.RELEASE,
    )


@dataclass(frozen=True)
class _Job:
    """The arguments of `make_release`, the same for each attempt."""

    contributions: Iterable[PlannedSource]
    sink: Sink
    store: Store
    settings: ReleaseSettings
    now: datetime
    removals: Sequence[Removal]
    names: Callable[[], Mapping[str, str]] | None
    maker: Maker | None
    verify: bool


def _attempt(job: _Job, *, again: bool) -> ReleaseOutcome:
    sink, maker, now = job.sink, job.maker, job.now
    found = standing(sink, maker, now, verify=job.verify)
    previous = found.release
    growth = maker.growth() if maker else None  # before anything is read of what is wanted
    if job.names and not job.verify and _stands(found, release_digest(job.names()), maker):
        return _as_it_is(found, sink, now, again)
    plan = plan_release(job.contributions, previous, job.removals, job.settings.shard_records, now, found.damaged)
    if previous is None and not plan.sources:
        return ReleaseOutcome(0, 0, changed=False)
    tables = _tables(plan)
    if _stands(found, plan.digest, maker) and not (job.verify and _differ(sink, tables)):
        return _as_it_is(found, sink, now, again)
    if maker:
        maker.may_leave(plan.removals, plan.held)
    version = previous.version + 1 if previous else 1
    files = (*plan.keep, *_write(plan, previous, version, sink, job.store, job.settings.shard_records))
    beside = {**tables, REMOVALS: _log(plan, previous, job)}
    release = Release(
        version=version,
        store=maker.store if maker else None,
        growth=growth,
        digest=plan.digest,
        created=now,
        records=sum(file.records for file in files),
        tasks=sum(len(source.contribution.tasks) for source in plan.sources),
        sources=len(plan.sources),
        files=files,
        beside={name: len(data) for name, data in beside.items()},
        changelog=(f"Version {version} ({now:%Y-%m-%d}): {plan.change}", *(previous.changelog if previous else ())),
    )
    removals = beside[REMOVALS].count(b"\n")
    beside[CARD] = card(release, plan.sources, removals, job.store, job.settings).encode()  # the last one
    if maker and maker.growth() != growth:
        raise DynosaurError(Code.RELEASE_CONFLICT, f"a growth has begun while {sink.url} was written")
    sink.commit(release, found.token, beside)
    sink.tidy(release)
    removed = (previous.records if previous else 0) + plan.added - release.records
    return ReleaseOutcome(version, release.records, True, added=plan.added, removed=removed, change=plan.change)


def _stands(found: Standing, digest: str, maker: Maker | None) -> bool:
    """Whether the release holds just this, undamaged, and names its store."""
    release = found.release
    if release is None or not found.whole:
        return False
    return release.digest == digest and (maker is None or release.store == maker.store)


def _as_it_is(found: Standing, sink: Sink, now: datetime, again: bool) -> ReleaseOutcome:
    assert found.release is not None, "what stands is a release"
    sink.tidy(found.release)  # a process that ended right after its commit has left it
    # a commit whose answer was lost looks like another writer's, but for its time
    changed = again and found.release.created == now
    return ReleaseOutcome(found.release.version, found.release.records, changed=changed)


def _tables(plan: ReleasePlan) -> dict[str, bytes]:
    return {"tasks.parquet": tasks_table(plan.sources), "sources.parquet": sources_table(plan.sources)}


def _differ(sink: Sink, tables: Mapping[str, bytes]) -> bool:
    """Whether a table at the sink is not what it would be now; another version of Arrow writes the same otherwise."""
    return any(not same_table(sink.read(name) or b"", data) for name, data in tables.items())


def _log(plan: ReleasePlan, previous: Release | None, job: _Job) -> bytes:
    """The lines of all that has ever left."""
    kept = job.sink.read(REMOVALS)
    log = kept or b""
    if log and not log.endswith(b"\n"):
        log += b"\n"  # a person, or a copy that was cut: what is there stays a line of its own
    # of a log that was deleted or cut the store still knows the lines
    cut = previous is not None and (kept is None or len(kept) != previous.beside.get(REMOVALS, len(kept)))
    lost = [known for known in job.removals if cut and previous and known.when <= previous.created]
    for removal in (*lost, *plan.removals):
        line = f"{removal.model_dump_json()}\n".encode()
        # an attempt that lost to another writer may have left its lines
        log += b"" if line in log else line
    return log


def _write(
    plan: ReleasePlan, previous: Release | None, version: int, sink: Sink, store: Store, shard_records: int
) -> Iterator[ReleaseFile]:
    """Writes the new data files to the sink; none of them is the release's before the manifest says so."""
    number = 0
    known = first_versions(previous) if previous else {}
    with tempfile.TemporaryDirectory(prefix="release-", dir=scratch_folder()) as folder:
        for group in plan.groups:
            held = {source.contribution.repo_id: source.digest for source in group}
            for file, records in _write_group(group, Path(folder), store, shard_records):
                while not sink.put(data_name(version, number), file):
                    number += 1
                yield ReleaseFile(
                    path=data_name(version, number),
                    digest=digest_bytes(file.read_bytes()),
                    records=records,
                    size_bytes=file.stat().st_size,
                    contributions=held,
                    since={repo_id: known[repo_id, name] for repo_id, name in held.items() if (repo_id, name) in known},
                )
                number += 1
                file.unlink()


def _write_group(
    group: Sequence[PlannedSource], folder: Path, store: Store, shard_records: int
) -> Iterator[tuple[Path, int]]:
    """Files of at most `shard_records` records (one file at least), row group by row group."""
    path = folder / "data.parquet"
    written = 0
    writer = _writer(path)
    for table in _row_groups(group, store, shard_records):
        if written and written + table.num_rows > shard_records:
            writer.close()
            yield path, written
            written = 0
            writer = _writer(path)
        writer.write_table(table)
        written += table.num_rows
    writer.close()
    yield path, written


def _writer(path: Path) -> pq.ParquetWriter:
    return pq.ParquetWriter(path, SCHEMA, compression="zstd", store_schema=False)


def _row_groups(group: Sequence[PlannedSource], store: Store, shard_records: int) -> Iterator[pa.Table]:
    """The records of a group in its order, in tables of at most `_ROW_GROUP` rows."""
    size = min(_ROW_GROUP, shard_records)
    waiting: list[pa.RecordBatch] = []
    rows = 0
    for source in group:
        with store.open_table(RECORDS, source.contribution.shard.digest, source.contribution.repo_id) as file:
            for batch in read_batches(file, size):
                if rows + batch.num_rows > size:
                    yield pa.Table.from_batches(waiting, SCHEMA)
                    waiting, rows = [], 0
                waiting.append(batch)
                rows += batch.num_rows
    if waiting:
        yield pa.Table.from_batches(waiting, SCHEMA)
