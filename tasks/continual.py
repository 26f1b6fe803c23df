"""continual: one step of an experiment."""

from __future__ import annotations

from typing import Any

from prefect import task

from dynosaur_core.clients import open_clients
from dynosaur_core.experiment.choice import ExperimentChoice
from dynosaur_core.experiment.steps import Step, run_step
from dynosaur_core.logs import Seldom, logger
from dynosaur_core.settings import Settings
from tasks.policy import TASK_OPTIONS, coded

# The step's folder is the cache: mixture, training and evaluations in it go on where they were.
_OPTIONS = {**TASK_OPTIONS, "persist_result": False}
_log = logger("continual")


@task(name="continual", task_run_name="{step.name}", **_OPTIONS)
@coded
def continual(step: Step, choice: ExperimentChoice, settings: Settings) -> dict[str, Any]:
    """Step -> StepScores as JSON."""
    now_and_then = Seldom()

    def tell(part: str, done: int, total: int) -> None:
        if now_and_then.due() or done == total:
            _log.info("%s, %s: %s of %s predictions", step.name, part, f"{done:,}", f"{total:,}")

    return run_step(choice, step, settings, open_clients(settings).store, tell).model_dump(mode="json")
