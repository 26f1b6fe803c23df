"""What `dynosaur continual` is asked for: the fields are the options of the command and of the flow's form."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from dynosaur_core.suites import SUPERNI
from dynosaur_core.training.recipes import Value

STRATEGIES = (
    "none",
    "random",
    "full",
    "instr-diverse",
    "instr-similar",
    "instr-support",
    "data-diverse",
    "coverage",
)


_Once = AfterValidator(lambda given: tuple(dict.fromkeys(given)))
"""What is named twice counts once."""


class ExperimentChoice(BaseModel):
    """One experiment. Other strategies and seeds may be added to it later."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)

    split: str = ""
    """Folder of `dynosaur split`: the stages with their held-out rows."""
    out: str = ""
    """Folder of the experiment: the same command goes on with what lies there."""
    strategies: Annotated[tuple[str, ...], _Once] = Field(default=STRATEGIES, min_length=1)
    """How earlier tasks are chosen, one run each."""
    seeds: Annotated[tuple[Annotated[int, Field(ge=0, lt=2**32)], ...], _Once] = Field(default=(0, 1, 2), min_length=1)
    """Each strategy is run once with each."""
    tasks: int = Field(default=50, ge=1)
    """Earlier tasks that a stage replays, at most."""
    rows: int = Field(default=50, ge=1)
    """Rows of each replayed task, at most."""
    recipe: str = "smollm2-135m-lora"
    """A recipe of `dynosaur finetune --recipes`; the model of its first stage is the recipe's."""
    values: dict[str, Value] = {}
    """Values that go before the recipe's."""
    suite: str = Field(default=SUPERNI, min_length=1)
    """Unseen tasks, as `dynosaur evaluate` takes them."""
    instances: int = Field(default=100, ge=1)
    """Instances of each unseen task, at most."""
    held_out: int = Field(default=10, ge=1)
    """Held-out rows of each task of a stage that are asked, at most."""
    input_tokens: int = Field(default=1_024, ge=32)
    """Tokens of a prompt, at most."""
    new_tokens: int = Field(default=128, ge=1)
    """Tokens of a prediction, at most."""
    eval_batch: int = Field(default=8, ge=1)
    """Prompts that are answered at once."""
