"""Commands that look and change nothing: status, failed, explain, stats, doctor; and export."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from rich.table import Table

from dynosaur_core.catalog.jsonl import write_exports
from dynosaur_core.clients import Clients
from dynosaur_core.errors import ERRORS, REASONS, Code, DynosaurError, Reason
from dynosaur_core.export import FORMATS, config_lines, write_records
from dynosaur_core.growth import refusal_of, trace_name
from dynosaur_core.ledger import Entry, Outcome
from dynosaur_core.metadata.stage import read_metadata
from dynosaur_core.models import DatasetMetadata
from flows.release import Contributions, read_contribution
from flows.screen import Screen


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
    datasets = Table("datasets", "count")
    for outcome, count in found["datasets"].items():
        datasets.add_row(outcome, f"{count:,}")
    screen.console.print(datasets)
    growths = Table("growth", "started", "finished", "grown", "records", "cost")
    for row in found["growths"]:
        report = row["report"] or {}
        cost = (report.get("llm") or {}).get("cost_usd")
        growths.add_row(
            row["growth_id"],
            f"{row['started']:%Y-%m-%d %H:%M}",
            f"{row['finished']:%H:%M}" if row["finished"] else "not finished",
            str(report.get("grown", "")),
            f"{report.get('records', 0):,}",
            "" if cost is None else f"${cost:.4f}",
        )
    screen.console.print(growths)


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
            "what_to_do": _advice(entry),
        }
        for entry in clients.ledger.entries(outcomes=[Outcome.FAILED, Outcome.DEFERRED])
    ]


def show_failed(found: list[dict[str, Any]], screen: Screen) -> None:
    table = Table("dataset", "code", "stage", "message", "tries", "next try", "what to do")
    for row in found[:200]:
        due = "quarantined" if row["quarantined"] else f"{row['next_try']:%Y-%m-%d %H:%M}" if row["next_try"] else "-"
        table.add_row(
            row["dataset"], row["code"], row["stage"], row["message"], str(row["attempts"]), due, row["what_to_do"]
        )
    screen.console.print(table)
    screen.line(
        f"{len(found):,} datasets" + (", the first 200 are shown; --json gives all" if len(found) > 200 else "")
    )


def explain(clients: Clients, name: str) -> dict[str, Any]:
    """All that is known of a dataset, or of one config (`ID:CONFIG`): its end, refusals, designs, verdicts."""
    repo_id, _, config = name.partition(":")
    entry = clients.ledger.get(repo_id)
    if entry is None:
        raise DynosaurError(Code.NOT_FOUND, f"{repo_id} is not in the ledger of {clients.settings.store}")
    code = entry.code or ""
    found: dict[str, Any] = {
        "dataset": repo_id,
        "revision": entry.revision,
        "outcome": entry.outcome,
        "stage": entry.stage,
        "code": entry.code,
        "meaning": REASONS[Reason(code)] if code in set(Reason) else "",
        "message": entry.detail,
        "what_to_do": _advice(entry),
        "license": entry.license,
        "records": entry.records,
        "growth_id": entry.growth_id,
    }
    if entry.contribution:
        contribution = read_contribution(clients, repo_id, entry.contribution)
        found["tasks"] = [
            {**count.task.model_dump(mode="json"), "sampled": count.sampled, "recorded": count.recorded}
            for count in contribution.tasks
            if not config or count.task.config == config
        ]
        found["rows_rejected"] = [item.model_dump(mode="json") for item in contribution.rejections]
    found["branch"] = clients.store.read_json(trace_name(repo_id))
    return found


def stats(clients: Clients) -> dict[str, Any]:
    """Counts of what would be released: records and tasks by licence, mode and dataset."""
    licenses: Counter[str] = Counter()
    modes: Counter[str] = Counter()
    datasets: Counter[str] = Counter()
    tasks = 0
    for contribution in Contributions(clients):
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
        table = Table(title.replace("_", " "), "records", "")
        most = max(found[title].values(), default=1)
        for name, count in found[title].items():
            table.add_row(name, f"{count:,}", "█" * max(1, round(30 * count / max(most, 1))))
        screen.console.print(table)


def export(clients: Clients, form: str, to: str) -> int:
    """Writes the grown dataset in one of `FORMATS`, or the two files of 2023 with `reference`; gives the lines."""
    if form in FORMATS:
        return write_records(Contributions(clients), clients.store, form, to)
    if form != "reference":
        raise DynosaurError(Code.BAD_SETTING, f"unknown format {form!r}: {', '.join([*FORMATS, 'reference'])}")
    base = to.rstrip("/")
    lines = config_lines(_grown_metadata(clients), clients.store)
    return write_exports(lines, f"{base}/huggingface_metadata.jsonl", f"{base}/huggingface_data.jsonl")


def _grown_metadata(clients: Clients) -> Iterator[DatasetMetadata]:
    """Metadata of everything that is grown, read again where the catalogue still has it."""
    settings = clients.settings
    for entry in clients.ledger.entries(released=True):
        metadata = read_metadata(
            entry.dataset_ref(), clients.catalog, clients.store, settings.sampling, settings.policy
        )
        if refusal_of(metadata) is None:
            yield metadata


def _advice(entry: Entry) -> str:
    return ERRORS[Code(entry.code)].advice if entry.code in set(Code) else ""
