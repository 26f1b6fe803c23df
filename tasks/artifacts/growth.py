"""`growth-report`: what happened in a growth, by name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby, islice

from dynosaur_core.failing import page_of
from dynosaur_core.identity import HUB
from dynosaur_core.ledger import LedgerEntry, Outcome
from dynosaur_core.named import Named
from dynosaur_core.reasons import REASONS, Reason
from dynosaur_core.report import GrowthReport
from dynosaur_core.results import ReleaseOutcome
from dynosaur_core.text import markdown_text
from tasks.artifacts.pages import NAMES, and_more, as_code, linked, table

_BAR = 24
_SHOWN = 20
_SLOWEST = 5
_DETAIL_CHARS = 200


@dataclass(frozen=True)
class Told:
    """What a report says beside its counts."""

    named: dict[Outcome, Named]
    tasks: dict[str, int]
    """Tasks with records, by repo id, of those grown that are named."""
    took_s: float | None = None
    """Seconds since the flow run began."""
    next_night: datetime | None = None
    """When the deployment's schedule begins the next one."""
    rest: str | None = None
    """The file with the names that are not shown."""


def growth_markdown(report: GrowthReport, told: Told) -> str:
    """The growth report as a page: what happened, to which datasets, then the counts."""
    parts = [
        f"# Growth of {report.begun:%Y-%m-%d %H:%M} UTC",
        markdown_text(report.sentence(), 2_000),
        "\n".join(_facts(report, told)),
        *_releases(report),
        *_grown(told),
        *_ended("Refused", told.named[Outcome.REFUSED], report.refused.total(), told),
        *_ended("Failed", told.named[Outcome.FAILED], len(report.failures), told),
        *_ended("Deferred", told.named[Outcome.DEFERRED], report.deferred.total(), told),
        *_withdrawn(report),
        *_counts(report),
        *_model(report),
        *_slowest(report),
    ]
    return "\n\n".join(parts)


def _facts(report: GrowthReport, told: Told) -> Iterator[str]:
    yield f"- growth `{report.growth_id}`"
    if told.took_s is not None:
        yield f"- took {_duration(told.took_s)}"
    per_1000 = report.cost_per_1000_records
    each = f", ${per_1000:.4f} per 1,000 records" if per_1000 is not None else ""
    cost = report.dollars() if report.usage.cost_usd is None else f"cost {report.dollars()}{each}"
    yield f"- {markdown_text(cost)}"
    if told.next_night:
        yield f"- next night {told.next_night:%Y-%m-%d %H:%M} UTC"
    if report.failures:
        yield "- what to do about the failures: artifact `failed-datasets`"
    if report.stopped:
        yield f"- stopped: {markdown_text(report.stopped)}"
    if report.plan.held_back_because:
        yield f"- held back: {markdown_text(report.plan.held_back_because)}"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{seconds:.1f} s"


def _releases(report: GrowthReport) -> Iterator[str]:
    lines = [_release(url, made) for url, made in report.releases.items()]
    lines += [f"- **not made**: {markdown_text(error, 2_000)}" for error in report.release_errors.values()]
    if lines:
        yield "## Release"
        yield "\n".join(lines)


def _release(url: str, made: ReleaseOutcome) -> str:
    what = f"- {markdown_text(url)}: version {made.version}, {made.records:,} records"
    if not made.changed:
        return f"{what}, nothing new"
    return f"{what}: {made.added:,} added, {made.removed:,} removed ({markdown_text(made.change)})"


def _grown(told: Told) -> Iterator[str]:
    grown = told.named[Outcome.GROWN]
    if not grown.count:
        return
    yield f"## Grown: {_datasets(grown.count)}"
    rows = [
        (
            _linked(entry),
            f"{entry.records:,}",
            markdown_text(entry.license or ""),
            str(told.tasks.get(entry.repo_id, "")),
        )
        for entry in grown.shown
    ]
    yield table(("dataset", "records", "licence", "tasks"), rows, right=(1, 3))
    yield from and_more(grown.left_out, _rest(told))


def _ended(title: str, those: Named, counted: int, told: Told) -> Iterator[str]:
    """Datasets that were refused, failed or deferred, by reason or code. Some are counted whose entries the ledger does
    not change: those of another catalogue, and listings without an id."""
    if not counted and not those.count:
        return
    yield f"## {title}: {_datasets(max(counted, those.count))}"
    entries = sorted(those.shown, key=lambda entry: (entry.code or "", entry.repo_id))
    for code, same in groupby(entries, key=lambda entry: entry.code or ""):
        yield f"**{as_code(code)}**{_meaning(code)}"
        yield "\n".join(f"- {_linked(entry)}{_why(entry)}" for entry in same)
    yield from and_more(those.left_out, _rest(told))
    if counted > those.count:
        yield f"{counted - those.count:,} more are counted by reason alone: the ledger has no entry of them."


def _withdrawn(report: GrowthReport) -> Iterator[str]:
    for title, those in (("Withdrawn", report.plan.withdrawn), ("To be withdrawn, held back", report.plan.held_back)):
        if those:
            yield f"## {title}: {_datasets(len(those))}"
            lines = [
                f"- {markdown_text(w.repo_id)}: {markdown_text(f'{w.reason} {w.detail}'.strip(), _DETAIL_CHARS)}"
                for w in those[:NAMES]
            ]
            yield "\n".join([*lines, *and_more(len(those) - NAMES, "`removals.jsonl` of the release")])


def _counts(report: GrowthReport) -> Iterator[str]:
    ends = Counter({"grown": report.grown, "left alone": report.plan.unchanged + report.plan.waiting})
    ends.update({"withdrawn": len(report.plan.withdrawn), "deferred": report.deferred.total()})
    ends.update({"refused": report.refused.total(), "failed": len(report.failures)})
    yield "## In numbers"
    yield _counted("datasets", ends)
    for title, counts in (
        ("refused datasets", report.refused),
        ("failed datasets", report.failed),
        ("deferred datasets", report.deferred),
        ("rejected tasks", report.task_rejections),
        ("rejected rows", report.row_rejections),
    ):
        if counts:
            yield _counted(title, counts)


def _model(report: GrowthReport) -> Iterator[str]:
    """What the model took, and the datasets that took most of its tokens."""
    usage = report.usage
    if not usage.requests:
        return
    yield "## Model"
    yield (
        f"{usage.requests:,} requests, {usage.prompt_tokens:,} prompt tokens ({usage.cached_tokens:,} cached), "
        f"{usage.completion_tokens:,} completion tokens"
    )
    asked = sorted(report.usage_by_dataset.items(), key=lambda item: -item[1].prompt_tokens - item[1].completion_tokens)
    rows = []
    for repo_id, used in asked[:_SHOWN]:
        tokens = (f"{used.prompt_tokens:,}", f"{used.cached_tokens:,}", f"{used.completion_tokens:,}")
        dollars = "" if used.cost_usd is None else f"{used.cost_usd:.5f}"
        rows.append((markdown_text(repo_id), str(used.requests), *tokens, dollars))
    if rows:
        head = ("dataset", "requests", "prompt", "cached", "completion", "US \\$")
        yield table(head, rows, right=range(1, 6))


def _slowest(report: GrowthReport) -> Iterator[str]:
    """Where the time went: all datasets together, then those that took longest."""
    durations = report.durations()
    if not durations.slowest:
        return
    yield "## Time"
    rows = [
        (markdown_text(name), *(f"{seconds:,.1f}" for seconds in (took.total, *took.each())))
        for name, took in [("all", durations.stages), *islice(durations.slowest.items(), _SLOWEST)]
    ]
    head = ("dataset", "seconds", "metadata", "instruction", "filter", "judge", "publish", "model")
    yield table(head, rows, right=range(1, 8))


def _counted(head: str, counts: Counter[str]) -> str:
    shown = [(name, count) for name, count in counts.most_common() if count]
    most = max((count for _, count in shown), default=1)
    rows = [
        (
            f"{as_code(name) if _meaning(name) else markdown_text(name)}{_meaning(name)}",
            f"{count:,}",
            "█" * max(1, round(_BAR * count / most)),
        )
        for name, count in shown
    ]
    return table((head, "count", ""), rows, right=(1,))


def _meaning(name: str) -> str:
    return f": {REASONS[Reason(name)]}" if name in set(Reason) else ""


def _why(entry: LedgerEntry) -> str:
    return f": {markdown_text(entry.detail, _DETAIL_CHARS)}" if entry.detail else ""


def _linked(entry: LedgerEntry) -> str:
    return linked(entry.repo_id, page_of(entry.repo_id) if entry.catalog == HUB else None)


def _datasets(count: int) -> str:
    return f"{count:,} dataset{'' if count == 1 else 's'}"


def _rest(told: Told) -> str:
    return f"`{told.rest}` names them" if told.rest else "`dynosaur status`"
