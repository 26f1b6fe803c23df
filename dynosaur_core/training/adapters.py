"""What is trained of a model: all of its weights, or an adapter (LoRA: Hu et al., ICLR 2022) beside them."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import peft
import transformers

from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.training.manifest import MANIFEST, read_manifest
from dynosaur_core.training.models import load_model
from dynosaur_core.training.places import find_model
from dynosaur_core.training.recipes import Recipe

_UNWANTED = ("training_args.bin", "README.md")
"""A pickle, and a card without content: the manifest has what they are for."""
_SHAPE = ("lora_rank", "lora_alpha", "lora_dropout", "lora_targets")


def trainable(recipe: Recipe) -> Any:
    """The model of the recipe, with the weights that are trained in float32 and all others frozen.

    The adapter of an earlier training is trained further where the recipe's has the same shape; any other one is merged
    into its model. Raises BadSetting where the model cannot be loaded, or has no layers of the names that are adapted.
    """
    transformers.set_seed(recipe.seed)  # draws the first weights of an adapter
    if not recipe.lora_rank:
        model = load_model(recipe.model)
    elif _goes_on(recipe):
        model = load_model(recipe.model, recipe.dtype, adapter=True)
    else:
        model = _adapted(load_model(recipe.model, recipe.dtype), recipe)
    if recipe.lora_rank:
        model.peft_config["default"].base_model_name_or_path = None  # a name would be looked up at each checkpoint
        model.base_model.model.name_or_path = ""
        if recipe.gradient_checkpointing:
            model.enable_input_require_grads()
    model.config.use_cache = False
    return model


def save(trainer: Any, recipe: Recipe, folder: Path) -> None:
    """Writes what was trained, and the tokenizer, into `folder`, which appears whole. All processes call it."""
    beside = folder.with_name(f".{folder.name}.tmp")
    trainer.save_model(str(beside))
    if not trainer.args.should_save:
        return
    for name in _UNWANTED:
        (beside / name).unlink(missing_ok=True)
    if recipe.lora_rank:
        config = trainer.accelerator.unwrap_model(trainer.model).peft_config["default"]
        config.base_model_name_or_path = _base_name(recipe)
        config.save_pretrained(str(beside))
    if folder.exists():
        shutil.rmtree(folder)
    beside.rename(folder)


def _goes_on(recipe: Recipe) -> bool:
    """Whether the recipe's model is an adapter that a training with the same shape has left."""
    folder = Path(recipe.model).expanduser()
    if find_model(recipe.model).base is None or not (folder / MANIFEST).exists():
        return False
    earlier = read_manifest(folder).recipe
    return all(earlier.get(name) == getattr(recipe, name) for name in _SHAPE)


def _base_name(recipe: Recipe) -> str:
    """The name by which the adapter finds its model from wherever it is loaded."""
    place = find_model(recipe.model)
    if place.base is not None and _goes_on(recipe):
        return place.base
    return recipe.model if place.gguf or not Path(place.name).is_dir() else place.name


def _adapted(model: Any, recipe: Recipe) -> Any:
    """The model with a new adapter."""
    kind = peft.TaskType.SEQ_2_SEQ_LM if model.config.is_encoder_decoder else peft.TaskType.CAUSAL_LM
    names = [name.strip() for name in recipe.lora_targets.split(",")]
    config = peft.LoraConfig(
        task_type=kind,
        r=recipe.lora_rank,
        lora_alpha=recipe.lora_alpha,
        lora_dropout=recipe.lora_dropout,
        target_modules="all-linear" if names == ["all-linear"] else names,
    )
    try:
        return peft.get_peft_model(model, config)
    except ValueError as error:
        raise DynosaurError(Code.BAD_SETTING, f"--lora-targets {recipe.lora_targets}: {error}") from error
