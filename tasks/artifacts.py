"""What a person finds in the UI after a growth: the report, and the table of failed datasets."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from urllib.parse import quote

from prefect.artifacts import create_markdown_artifact, create_table_artifact

from dynosaur_core.reasons import REASONS, Reason
from dynosaur_core.report import GrowthReport
from dynosaur_core.text import markdown_text

_BAR = 24
_SHOWN = 20
_SLOWEST = 5


def publish_artifacts(report: GrowthReport) -> None:
    """Creates `growth-report` and `failed-datasets` for the current flow run."""
    description = markdown_text(report.sentence())
    create_markdown_artifact(key="growth-report", markdown=growth_markdown(report), description=description)
    create_table_artifact(
        key="failed-datasets",
        table=[
            {
                "dataset": f"[{markdown_text(failure.repo_id)}]({_page(failure.repo_id)})",
                "code": failure.code,
                "stage": failure.stage,
                "what happened": markdown_text(failure.message),
                "attempts": failure.attempts,
                "what to do": failure.advice,
            }
            for failure in report.failures
        ],
        description=f"{len(report.failures)} of {report.branches} branches failed; `dynosaur explain ID` tells more",
    )


def growth_markdown(report: GrowthReport) -> str:
    """The growth report as a page."""
    parts = [f"# Growth {report.growth_id}", markdown_text(report.sentence(), 2_000), "## Datasets"]
    ends = Counter({"grown": report.grown, "left alone": report.plan.unchanged + report.plan.waiting})
    ends.update({"withdrawn": len(report.plan.withdrawn), "deferred": report.deferred.total()})
    ends.update({"refused": report.refused.total(), "failed": len(report.failures)})
    parts.append(_table("what became of them", ends))
    for title, counts in (
        ("Refused datasets", report.refused),
        ("Failed datasets", report.failed),
        ("Deferred datasets", report.deferred),
        ("Rejected tasks", report.task_rejections),
        ("Rejected rows", report.row_rejections),
    ):
        if counts:
            parts += [f"## {title}", _table("reason", counts)]
    usage = report.usage
    per_1000 = report.cost_per_1000_records
    parts += [
        "## Model",
        f"{usage.requests:,} requests, {usage.prompt_tokens:,} prompt tokens ({usage.cached_tokens:,} cached), "
        f"{usage.completion_tokens:,} completion tokens, {report.dollars()}"
        + (f", ${per_1000:.4f} per 1,000 records" if per_1000 is not None else ""),
        *_dearest(report),
        *_slowest(report),
        "## Releases",
        *[
            f"- {markdown_text(url)}: version {made.version}, {made.records:,} records"
            f"{'' if made.changed else ' (nothing new)'}"
            for url, made in report.releases.items()
        ],
        *[f"- not made: {markdown_text(error, 2_000)}" for error in report.release_errors.values()],
    ]
    return "\n\n".join(parts)


def _page(repo_id: str) -> str:
    return f"https://huggingface.co/datasets/{quote(repo_id)}"


def _dearest(report: GrowthReport) -> list[str]:
    """The datasets that cost most, by prompt and completion tokens."""
    asked = sorted(report.usage_by_dataset.items(), key=lambda item: -item[1].prompt_tokens - item[1].completion_tokens)
    if not asked:
        return []
    lines = ["| dataset | requests | prompt | cached | completion | $ |", "|---|---:|---:|---:|---:|---:|"]
    for repo_id, used in asked[:_SHOWN]:
        dollars = "" if used.cost_usd is None else f"{used.cost_usd:.5f}"
        tokens = f"{used.prompt_tokens:,} | {used.cached_tokens:,} | {used.completion_tokens:,}"
        lines.append(f"| {markdown_text(repo_id)} | {used.requests} | {tokens} | {dollars} |")
    return ["\n".join(lines)]


def _slowest(report: GrowthReport) -> list[str]:
    """Where the time went: all datasets together, then those that took longest."""
    durations = report.durations()
    if not durations.slowest:
        return []
    lines = ["| dataset | seconds | metadata | instruction | filter | judge | publish | of that the model |"]
    lines.append("|---|---:|---:|---:|---:|---:|---:|---:|")
    for name, took in [("all", durations.stages), *islice(durations.slowest.items(), _SLOWEST)]:
        each = (took.total, *took.each())
        lines.append(f"| {markdown_text(name)} | {' | '.join(f'{seconds:,.1f}' for seconds in each)} |")
    return ["## Time", "\n".join(lines)]


def _table(head: str, counts: Counter[str]) -> str:
    shown = [(name, count) for name, count in counts.most_common() if count]
    most = max((count for _, count in shown), default=1)
    lines = [f"| {head} | count | |", "|---|---:|---|"]
    for name, count in shown:
        meaning = f" ({REASONS[Reason(name)]})" if name in set(Reason) else ""
        lines.append(f"| {markdown_text(name)}{meaning} | {count:,} | {'█' * max(1, round(_BAR * count / most))} |")
    return "\n".join(lines)
