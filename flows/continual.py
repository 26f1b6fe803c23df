"""The comparison of replay strategies: a task run for each step, so that it goes on where it was cut off."""

from __future__ import annotations

from typing import Any

from prefect import flow
from prefect.artifacts import create_markdown_artifact
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from dynosaur_core import stopping
from dynosaur_core.errors import DynosaurError
from dynosaur_core.experiment.choice import ExperimentChoice
from dynosaur_core.experiment.experiment import COMPARISON, ExperimentSummary, begin, conclude
from dynosaur_core.experiment.steps import Step, StepScores, is_held, read_step
from dynosaur_core.logs import logger
from dynosaur_core.settings import Settings
from dynosaur_core.text import markdown_text
from flows.options import Options
from flows.progress import Compared, tell
from tasks.continual import continual as step_task

_POLL_S = 5.0
_log = logger("continual")
_DEFAULT = ExperimentChoice()


@flow(name="continual", persist_result=False)
def continual(choice: ExperimentChoice = _DEFAULT, store: str | None = None) -> State[Any]:
    """Trains a model in stages with each strategy and seed, and compares what it learns and forgets. The same again
    goes on; several runs on one folder share the steps.

    Args:
        choice: The split, the strategies and seeds, how the model is trained and measured, and the folder.
        store: Folder or fsspec URL of what is kept between growths; embeddings are kept there. Default: DYNOSAUR_STORE.
    """
    settings = Options(store=store).settings()
    steps = begin(choice, settings)
    scores, failed = _run(choice, steps, settings)
    summary = conclude(choice, max(step.stage for step in steps), scores)
    tell(Compared(summary, next(iter(failed.values()), None)))
    create_markdown_artifact(_markdown(summary, failed), key="continual")
    state = Failed if failed else Completed
    return state(message=summary.sentence(), data=summary.as_json())


@stopping.by_signal()
def _run(
    choice: ExperimentChoice, steps: list[Step], settings: Settings
) -> tuple[dict[Step, StepScores], dict[Step, DynosaurError]]:
    """One step after another: each takes the whole machine. A step that fails ends those after it, and no others."""
    scores = {step: done for step in steps if (done := read_step(choice, step))}
    failed: dict[Step, DynosaurError] = {}
    _log.info("%s of %s steps were done before", len(scores), len(steps))
    left = [step for step in steps if step not in scores]
    while left := [step for step in left if step not in scores and step not in failed]:
        for step in left:
            if step.before in failed:
                failed[step] = failed[step.before]
            elif (step.before is None or step.before in scores) and not is_held(choice, step):
                _log.info("begins %s: step %s of %s", step.name, len(scores) + len(failed) + 1, len(steps))
                try:
                    scores[step] = StepScores.model_validate(step_task(step, choice, settings))
                except DynosaurError as error:
                    failed[step] = error
                    _log.warning("%s failed: %s", step.name, error)
                except BaseException:
                    _log.warning("%s was cut off; %s of %s steps are done", step.name, len(scores), len(steps))
                    raise
                else:
                    done_text = f"{len(scores)} of {len(steps)} steps are done"
                    _log.info("%s: ROUGE-L %.2f on unseen tasks; %s", step.name, scores[step].unseen, done_text)
                break
        else:
            _log.info("waiting for another process that is at %s", left[0].name)
            stopping.sleep(_POLL_S)
            scores |= {step: done for step in left if (done := read_step(choice, step))}
    return scores, failed


def _markdown(summary: ExperimentSummary, failed: dict[Step, DynosaurError]) -> str:
    lines = [f"{markdown_text(summary.out)}/{COMPARISON}: {markdown_text(summary.sentence())}"]
    lines += [f"- {step.name}: {markdown_text(str(error))}" for step, error in failed.items()]
    return "\n".join(lines)
