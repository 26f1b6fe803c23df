"""finetune: one training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prefect import task

from dynosaur_core.text import markdown_text
from dynosaur_core.training.choice import FinetuneChoice
from dynosaur_core.training.finetune import FinetuneSummary
from dynosaur_core.training.finetune import finetune as train
from dynosaur_core.training.metrics import read_metrics
from tasks.policy import TASK_OPTIONS, coded

# The training's manifest and checkpoints are the cache: a run that is tried again goes on where it was.
_OPTIONS = {**TASK_OPTIONS, "persist_result": False}
_SHOWN = 25
_BAR = 24


@task(name="finetune", task_run_name="finetune {choice.recipe}", **_OPTIONS)
@coded
def finetune(choice: FinetuneChoice) -> dict[str, Any]:
    """FinetuneChoice -> FinetuneSummary as JSON; what was trained lies in its folder."""
    return train(choice).as_json()


def training_markdown(summary: FinetuneSummary) -> str:
    """The training as a page: what it was, what was left out, and its loss along the steps."""
    lines = read_metrics(Path(summary.out).expanduser())
    parts = [f"# {markdown_text(summary.out)}", markdown_text(summary.sentence(), 2_000)]
    if summary.left_out:
        parts += ["\n".join(f"- {count:,} rows: {reason}" for reason, count in summary.left_out.items())]
    most = max(line.loss for line in lines)
    table = ["| step | loss | learning rate | tokens | |", "|---:|---:|---:|---:|---|"]
    for line in [*lines[:: -(-len(lines) // _SHOWN)], lines[-1]]:
        bar = "█" * round(_BAR * line.loss / most)
        table.append(f"| {line.step:,} | {line.loss:.4f} | {line.learning_rate:.2e} | {line.tokens:,} | {bar} |")
    return "\n\n".join([*parts, "\n".join(table)])
