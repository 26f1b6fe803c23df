"""`training.json`: what a training is, how far it is, and what came out of it. Two trainings never share a folder.

training.json     this manifest, written first and, when it has ended, last
metrics.jsonl     a line for each step: step, epoch, loss, learning_rate, tokens, seconds
loss.png          the loss curve
model/            what was trained, in safetensors, and its tokenizer
checkpoints/      what a killed training goes on from; removed when it has ended
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, cast, get_args

from dynosaur_core.digest import digest_file
from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.evaluation.prompts import DEFAULT_PROMPT, PromptForm
from dynosaur_core.models import Stored
from dynosaur_core.stored import from_stored
from dynosaur_core.training.recipes import Recipe

MANIFEST, METRICS, WEIGHTS, CHECKPOINTS, CURVE = "training.json", "metrics.jsonl", "model", "checkpoints", "loss.png"


class Rows(Stored):
    """The rows of a training."""

    used: int
    cut: int
    """Rows whose input was shortened to the recipe's length."""
    left_out: dict[str, int]
    """Why -> how many rows."""
    tokens: int
    """Of the rows that are used, once: what the model reads and the output that it learns."""


class Ended(Stored):
    """What a training ended with."""

    steps: int
    tokens: int
    seconds: float
    first_loss: float
    """Mean over the first tenth of the steps."""
    last_loss: float
    """Mean over the last tenth."""
    trained_weights: int
    files: dict[str, str]
    """path below the folder -> digest of its content."""


class Training(Stored):
    """The manifest."""

    format: int = 1
    state: Literal["begun", "finished"] = "begun"
    dynosaur: str
    """Version of this package that began the training."""
    libraries: dict[str, str]
    encoding: int
    """Version of how rows become tokens."""
    recipe_name: str
    recipe: dict[str, Any]
    """All values, those of the command included."""
    model_digest: str
    data: str
    data_digest: str
    rows: Rows
    ended: Ended | None = None


def read_manifest(folder: Path) -> Training:
    """Raises StoreFailed where it is damaged or of a later version."""
    path = folder / MANIFEST
    return from_stored(path.read_bytes(), Training, str(path), "remove the folder and train again")


def prompt_of(model: str) -> PromptForm:
    """The form of the prompts that a model expects: of the folder of a training, or of the weights in it, the one that
    it was trained with.

    Raises StoreFailed where the manifest is damaged, and BadSetting where its form is not one of this version.
    """
    folder = Path(model).expanduser()
    if folder.name == WEIGHTS and not (folder / MANIFEST).is_file():
        folder = folder.parent
    said = read_manifest(folder).recipe.get("prompt") if (folder / MANIFEST).is_file() else None
    for form in get_args(PromptForm):
        if form == (said or DEFAULT_PROMPT):
            return cast("PromptForm", form)
    message = (
        f"{model} was trained with a prompt that this version of Dynosaur lacks, {said}: upgrade, or give --prompt"
    )
    raise DynosaurError(Code.BAD_SETTING, message)


def write_manifest(folder: Path, training: Training) -> None:
    """Puts the manifest in its place in one step."""
    beside = folder / f".{uuid.uuid4().hex}.tmp"
    with beside.open("w", encoding="utf-8") as file:
        file.write(training.model_dump_json(indent=1))
        file.flush()
        os.fsync(file.fileno())
    beside.replace(folder / MANIFEST)


def same_values(found: Training, recipe: Mapping[str, Any], data_digest: str, folder: Path) -> None:
    """Raises BadSetting where the folder holds a training by another recipe or of other data, with what differs."""
    now = {**recipe, "data": data_digest}
    was = {**found.recipe, "data": found.data_digest}
    default = {name: field.default for name, field in Recipe.model_fields.items()}
    others = [name for name, value in now.items() if name != "note" and was.get(name, default.get(name)) != value]
    if others:
        raise _other(folder, ", ".join(others))


def same_training(found: Training, wanted: Training, folder: Path) -> None:
    """Raises BadSetting where the folder holds another training, with what differs."""
    same_values(found, wanted.recipe, wanted.data_digest, folder)
    if found.model_digest != wanted.model_digest:
        raise _other(folder, "the files of the model")
    if found.encoding != wanted.encoding:
        raise _other(folder, "how rows become tokens (a newer version of Dynosaur)")


def _other(folder: Path, what: str) -> DynosaurError:
    message = f"{folder} holds a training with another {what}: give another --out, or remove the folder"
    return DynosaurError(Code.BAD_SETTING, message)


def digests(folder: Path, names: Sequence[str]) -> dict[str, str]:
    """The files of these names, and those below the folders among them, by their path below `folder`."""
    parts = [folder / name for name in names]
    files = sorted(path for part in parts for path in [part, *part.rglob("*")] if path.is_file())
    return {path.relative_to(folder).as_posix(): digest_file(path) for path in files}
