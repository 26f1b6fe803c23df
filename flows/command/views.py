"""Commands that look and change nothing: status, failed, stats."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from dynosaur_core.clients import Clients
from dynosaur_core.contributions import Contributions
from dynosaur_core.failing import FailedDataset, by_code, failing
from dynosaur_core.ledger import Outcome
from dynosaur_core.results import GrowthSummary, Result
from dynosaur_core.stored import as_stored
from flows.command.counting import counted
from flows.command.screen import Screen, plain_table

SHOWN = 50
"""Datasets of one error code that the screen shows."""


class PastGrowth(Result):
    """A growth as the ledger has it."""

    growth_id: str
    started: datetime
    finished: datetime | None
    report: GrowthSummary | None
    """None while it runs, or where it was cut off."""


class StoreStatus(Result):
    store: str
    datasets: dict[str, int]
    """By outcome."""
    growths: list[PastGrowth]
    """Newest first."""


class Stats(Result):
    """Counts of what would be released."""

    records: int
    tasks: int
    datasets: int
    records_by_license: dict[str, int]
    records_by_mode: dict[str, int]
    largest: dict[str, int]
    """The 20 datasets with most records."""


def status(clients: Clients) -> StoreStatus:
    """Datasets by outcome, the last growths, and what is due."""
    by_outcome: Counter[str] = Counter()
    for (outcome, _), count in clients.ledger.counts().items():
        by_outcome[outcome] += count
    growths = [
        as_stored(row, PastGrowth, f"the ledger's line of growth {row['growth_id']}", "put its backup back")
        for row in clients.ledger.last_growths(5)
    ]
    return StoreStatus(store=clients.settings.store, datasets=dict(by_outcome), growths=growths)


def show_status(found: StoreStatus, screen: Screen) -> None:
    screen.line(f"{found.store}: {counted(sum(found.datasets.values()), 'dataset')}")
    for outcome, count in found.datasets.items():
        screen.line(f"  {outcome:<10}{count:>10,}")
    growths = plain_table("growth", "started (UTC)", "ended", "grown", "failed", "records", "cost")
    for past in found.growths:
        report = past.report
        cost = report.llm.cost_usd if report else None
        growths.row(
            past.growth_id,
            f"{past.started:%Y-%m-%d %H:%M}",
            f"{past.finished:%H:%M}" if past.finished else "not yet",
            str(report.grown) if report else "",
            str(sum(report.failed.values())) if report else "",
            f"{report.records:,}" if report else "",
            "" if cost is None else f"${cost:.4f}",
        )
    screen.console.print(growths)
    if found.datasets.get(Outcome.FAILED) or found.datasets.get(Outcome.DEFERRED):
        screen.line(f"next: dynosaur failed --store {found.store}")


def failed(clients: Clients) -> list[FailedDataset]:
    """The datasets whose last branch broke or was deferred."""
    return list(failing(clients.ledger))


def show_failed(found: Sequence[FailedDataset], screen: Screen) -> None:
    """By code, each with what to do about it: the datasets of one code usually need one remedy."""
    for same in by_code(found, SHOWN):
        screen.line(f"{same.code}: {same.count:,} {same.outcome}. {same.what_to_do}")
        for each in same.shown:
            screen.indented(f"{each.dataset} ({each.stage}, {each.nights}, {each.due}): {each.message}")
        if same.count > len(same.shown):
            screen.indented(f"and {same.count - len(same.shown):,} more; --json gives all")
    screen.line(counted(len(found), "dataset") if found else "nothing failed")


def stats(clients: Clients) -> Stats:
    """Records and tasks by licence, mode and dataset."""
    licenses: Counter[str] = Counter()
    modes: Counter[str] = Counter()
    datasets: Counter[str] = Counter()
    tasks = 0
    for contribution in (entry.contribution for entry in Contributions(clients.ledger, clients.store)):
        licenses[contribution.license] += contribution.shard.records
        datasets[contribution.repo_id] += contribution.shard.records
        for count in contribution.tasks:
            modes[count.task.mode] += count.recorded
            tasks += 1
    return Stats(
        records=licenses.total(),
        tasks=tasks,
        datasets=len(datasets),
        records_by_license=dict(licenses.most_common()),
        records_by_mode=dict(modes.most_common()),
        largest=dict(datasets.most_common(20)),
    )


def show_stats(found: Stats, screen: Screen) -> None:
    tasks, datasets = counted(found.tasks, "task"), counted(found.datasets, "dataset")
    screen.line(f"{counted(found.records, 'record')} of {tasks} from {datasets}")
    for title, counts in (
        ("records by license", found.records_by_license),
        ("records by mode", found.records_by_mode),
        ("largest", found.largest),
    ):
        table = plain_table(title, "records", "")
        most = max(counts.values(), default=1)
        for name, count in counts.items():
            table.row(name, f"{count:,}", "█" * max(1, round(30 * count / max(most, 1))))
        screen.console.print(table)
