"""Commands that look and change nothing: status, failed, stats."""

from __future__ import annotations

from collections import Counter
from typing import Any

from dynosaur_core.clients import Clients
from dynosaur_core.contributions import Contributions
from dynosaur_core.errors import ERRORS, Code
from dynosaur_core.ledger import LedgerEntry, Outcome
from flows.command.screen import Screen, plain_table

SHOWN = 50
"""Datasets of one error code that the screen shows."""


def status(clients: Clients) -> dict[str, Any]:
    """Datasets by outcome, the last growths, and what is due."""
    by_outcome: Counter[str] = Counter()
    for (outcome, _), count in clients.ledger.counts().items():
        by_outcome[outcome] += count
    growths = [
        {"growth_id": row["growth_id"], "started": row["started"], "finished": row["finished"], "report": row["report"]}
        for row in clients.ledger.last_growths(5)
    ]
    return {"store": clients.settings.store, "datasets": dict(by_outcome), "growths": growths}


def show_status(found: dict[str, Any], screen: Screen) -> None:
    datasets = found["datasets"]
    screen.line(f"{found['store']}: {sum(datasets.values()):,} datasets")
    for outcome, count in datasets.items():
        screen.line(f"  {outcome:<10}{count:>10,}")
    growths = plain_table("growth", "started (UTC)", "ended", "grown", "failed", "records", "cost")
    for row in found["growths"]:
        report = row["report"] or {}
        cost = (report.get("llm") or {}).get("cost_usd")
        growths.add_row(
            row["growth_id"],
            f"{row['started']:%Y-%m-%d %H:%M}",
            f"{row['finished']:%H:%M}" if row["finished"] else "not yet",
            str(report.get("grown", "")),
            str(sum(report.get("failed", {}).values())) if report else "",
            f"{report['records']:,}" if report else "",
            "" if cost is None else f"${cost:.4f}",
        )
    screen.console.print(growths)
    if datasets.get(Outcome.FAILED) or datasets.get(Outcome.DEFERRED):
        screen.line(f"next: dynosaur failed --store {found['store']}")


def failed(clients: Clients) -> list[dict[str, Any]]:
    """The datasets whose last branch broke or was deferred."""
    return [
        {
            "dataset": entry.repo_id,
            "outcome": entry.outcome,
            "code": entry.code,
            "stage": entry.stage,
            "message": entry.detail,
            "attempts": entry.attempts,
            "next_try": entry.next_try,
            "quarantined": entry.quarantined,
            "what_to_do": advice(entry),
        }
        for entry in clients.ledger.entries(outcomes=[Outcome.FAILED, Outcome.DEFERRED])
    ]


def show_failed(found: list[dict[str, Any]], screen: Screen) -> None:
    """By code, each with what to do about it: the datasets of one code usually need one remedy."""
    by_code: dict[str, list[dict[str, Any]]] = {}
    for row in found:
        by_code.setdefault(row["code"], []).append(row)
    for code, rows in sorted(by_code.items(), key=lambda item: -len(item[1])):
        screen.line(f"{code}: {len(rows):,} {rows[0]['outcome']}. {rows[0]['what_to_do']}")
        for row in rows[:SHOWN]:
            nights = f"{row['attempts']} nights" if row["attempts"] > 1 else "1 night"
            screen.indented(f"{row['dataset']} ({row['stage']}, {nights}, {_due(row)}): {row['message']}")
        if len(rows) > SHOWN:
            screen.indented(f"and {len(rows) - SHOWN:,} more; --json gives all")
    screen.line(f"{len(found):,} datasets" if found else "nothing failed")


def _due(row: dict[str, Any]) -> str:
    if row["quarantined"]:
        return "quarantined"
    return f"again after {row['next_try']:%Y-%m-%d %H:%M}" if row["next_try"] else "again when it changes"


def stats(clients: Clients) -> dict[str, Any]:
    """Counts of what would be released: records and tasks by licence, mode and dataset."""
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
    return {
        "records": licenses.total(),
        "tasks": tasks,
        "datasets": len(datasets),
        "records_by_license": dict(licenses.most_common()),
        "records_by_mode": dict(modes.most_common()),
        "largest": dict(datasets.most_common(20)),
    }


def show_stats(found: dict[str, Any], screen: Screen) -> None:
    screen.line(f"{found['records']:,} records of {found['tasks']:,} tasks from {found['datasets']:,} datasets")
    for title in ("records_by_license", "records_by_mode", "largest"):
        table = plain_table(title.replace("_", " "), "records", "")
        most = max(found[title].values(), default=1)
        for name, count in found[title].items():
            table.add_row(name, f"{count:,}", "█" * max(1, round(30 * count / max(most, 1))))
        screen.console.print(table)


def advice(entry: LedgerEntry) -> str:
    """What a person can do about how it ended."""
    return ERRORS[Code(entry.code)].advice if entry.code in set(Code) else ""
