"""A model trained on a mixture or a release, by a recipe."""

from __future__ import annotations

from typing import Any

from prefect import flow, get_run_logger
from prefect.artifacts import create_markdown_artifact
from prefect.client.schemas.objects import State
from prefect.states import Completed

from dynosaur_core.training.choice import FinetuneChoice
from dynosaur_core.training.finetune import FinetuneSummary
from flows.progress import Trained, tell
from tasks.finetune import finetune as finetune_task
from tasks.finetune import training_markdown

_DEFAULT = FinetuneChoice()


@flow(name="finetune", persist_result=False)
def finetune(choice: FinetuneChoice = _DEFAULT) -> State[Any]:
    """Trains a model, or goes on with a training that was cut off. One that has ended is left as it is.

    Args:
        choice: The data, the recipe with other values for some of its fields, and the folder of the training.
    """
    choice.chosen()  # a mistyped one ends here
    summary = FinetuneSummary(**finetune_task(choice))
    tell(Trained(summary))
    get_run_logger().info("%s: %s", summary.out, summary.sentence())
    create_markdown_artifact(training_markdown(summary), key="finetune")
    return Completed(message=summary.sentence(), data=summary.as_json())
