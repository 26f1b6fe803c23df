"""Figures of a growth for Prometheus: as a text file for the node exporter, or pushed to a Pushgateway.

A growth is a batch job that ends, so that nothing could scrape it: what is published are gauges of the last one.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from dynosaur_core.logs import logger
from dynosaur_core.models import STAGES
from dynosaur_core.report import GrowthReport
from dynosaur_core.setting_sections import Metrics

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

_LOG = logger("metrics")
_PUSH_S = 10.0
"""Seconds that a growth waits for the gateway."""
Sample = tuple[str, str, dict[str, float]]
"""A label, what it means, and the values by it; an empty label is a figure without one."""


def samples(report: GrowthReport, seconds: float | None) -> dict[str, Sample]:
    """The figures by their names; `seconds` is how long the growth took, None where nobody knows."""
    plan, usage, stages = report.plan, report.usage, report.durations().stages
    outcomes = {
        "grown": report.grown,
        "refused": report.refused.total(),
        "failed": len(report.failures),
        "deferred": report.deferred.total(),
        "withdrawn": len(plan.withdrawn),
        "left_alone": plan.unchanged + plan.waiting,
    }
    tokens = {"prompt": usage.prompt_tokens, "cached": usage.cached_tokens, "completion": usage.completion_tokens}
    tasks = {"accepted": report.accepted, "rejected": report.task_rejections.total()}
    took = dict(zip((*STAGES, "model"), stages.each(), strict=True))
    found: dict[str, Sample] = {
        "datasets": ("outcome", "Datasets by what became of them.", dict(outcomes)),
        "refused_datasets": ("reason", "Refused datasets by reason.", dict(report.refused)),
        "failed_datasets": ("code", "Failed datasets by error code.", dict(report.failed)),
        "tasks": ("verdict", "Designed tasks by verdict.", dict(tasks)),
        "records": ("", "Records that were made.", {"": report.recorded}),
        "model_requests": ("", "Requests to the model.", {"": usage.requests}),
        "model_tokens": ("kind", "Tokens; cached ones are among those of the prompt.", dict(tokens)),
        "stage_seconds": ("stage", "Seconds of all datasets added up; `model` is a part of two stages.", took),
        "releases_not_made": ("", "Releases that could not be made.", {"": len(report.release_errors)}),
        "ended_timestamp_seconds": ("", "When it ended, in seconds since 1970.", {"": time.time()}),
    }
    if usage.cost_usd is not None:
        found["model_cost_usd"] = ("", "What the model cost, in US dollars.", {"": usage.cost_usd})
    if seconds is not None:
        found["duration_seconds"] = ("", "How long it took from its start to its report.", {"": seconds})
    return found


def publish_figures(report: GrowthReport, metrics: Metrics, run: str, seconds: float | None) -> None:
    """Publishes to where the settings say; `run` is `grow` or `backfill`, whose figures stand beside one another.

    What cannot be published is a warning in the log: a growth is not worth less for it.
    """
    if not metrics.textfile_folder and not metrics.pushgateway:
        return
    found = samples(report, seconds)
    try:
        if metrics.textfile_folder:
            _write(found, Path(metrics.textfile_folder) / f"{metrics.job}-{run}.prom", run)
        if metrics.pushgateway:
            _push(found, metrics.pushgateway, metrics.job, run)
    except (OSError, ValueError, ImportError) as error:
        _LOG.warning("figures are not published: %s: %s", type(error).__name__, error)


def _write(found: dict[str, Sample], path: Path, run: str) -> None:
    from prometheus_client import write_to_textfile

    write_to_textfile(str(path), _registry(found, run))


def _push(found: dict[str, Sample], gateway: str, job: str, run: str) -> None:
    from prometheus_client import push_to_gateway

    # the gateway adds the label itself
    push_to_gateway(gateway, job, _registry(found, None), grouping_key={"run": run}, timeout=_PUSH_S)


def _registry(found: dict[str, Sample], run: str | None) -> CollectorRegistry:
    from prometheus_client import CollectorRegistry, Gauge

    registry = CollectorRegistry()
    for name, (label, meaning, values) in found.items():
        labels = [*(["run"] if run else []), *([label] if label else [])]
        gauge = Gauge(f"dynosaur_{name}", meaning, labels, registry=registry)
        for key, value in values.items():
            given = [*([run] if run else []), *([key] if label else [])]
            (gauge.labels(*given) if given else gauge).set(value)
    return registry
