"""`backfill-plan`: what a dry run has found, and how to run it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dynosaur_core.results import Forecast
from dynosaur_core.text import markdown_text
from tasks.artifacts.pages import NAMES, and_more, submit_again


def plan_markdown(
    found: Forecast,
    stages: Sequence[str],
    choice: Mapping[str, Any],
    options: Mapping[str, Any],
    arguments: Sequence[str],
) -> str:
    """The page. `choice`, `options` and `arguments` are what was chosen, as the form and the command have it."""
    estimate = found.estimate
    cost = "unknown: the model has no known price" if estimate.cost_usd is None else f"\\${estimate.cost_usd:.4f}"
    tokens = f"{estimate.prompt_tokens:,} prompt and {estimate.completion_tokens:,} completion tokens"
    return "\n\n".join(
        (
            f"# Plan: {len(found.datasets):,} dataset{'' if len(found.datasets) == 1 else 's'}, nothing done yet",
            f"- stages that run again: {', '.join(stages)}\n"
            f"- about {estimate.requests:,} requests to the model, {tokens}\n"
            f"- estimated cost: {cost} (from {estimate.read:,} datasets that were read)",
            "\n".join(f"- {markdown_text(repo_id)}" for repo_id in found.datasets[:NAMES]),
            *and_more(len(found.datasets) - NAMES, "the same by `dynosaur backfill ... --dry-run --json`"),
            "**To run it, submit again with dry run off:**",
            submit_again(choice, options, arguments),
        )
    )
