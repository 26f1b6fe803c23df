"""A training from end to end: data, model, steps, and a folder that the next stage starts from."""

from __future__ import annotations

import shutil
import warnings
from contextlib import nullcontext
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any

from dynosaur_core.alone import LOCK, alone
from dynosaur_core.continual.encoders import needed
from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.logs import logger
from dynosaur_core.results import Result
from dynosaur_core.training.choice import FinetuneChoice
from dynosaur_core.training.encoding import ENCODING_VERSION, Encoded, encode
from dynosaur_core.training.manifest import (
    CHECKPOINTS,
    CURVE,
    MANIFEST,
    METRICS,
    WEIGHTS,
    Ended,
    Rows,
    Training,
    digests,
    read_manifest,
    same_training,
    same_values,
    write_manifest,
)
from dynosaur_core.training.metrics import Metrics, draw_curve, ends_of, read_metrics
from dynosaur_core.training.places import check_model, find_model
from dynosaur_core.training.recipes import Recipe
from dynosaur_core.training.rows import open_data

_LIBRARIES = ("torch", "transformers", "peft", "accelerate", "tokenizers")
_LOGGED_ROWS = 50_000
_CHECKED_ROWS = 1_000
"""Rows that are read before the libraries are loaded."""
_log = logger("training")


class FinetuneSummary(Result):
    """What `dynosaur finetune` trained, or found trained."""

    out: str
    changed: bool
    """False where the training had ended before."""
    recipe: str
    model: str
    """What it started from."""
    rows: int
    seen: int
    """Of these; fewer than all where the training ended before it had come to them."""
    cut: int
    left_out: dict[str, int]
    steps: int
    tokens: int
    seconds: float
    first_loss: float
    last_loss: float
    trained_weights: int

    def sentence(self) -> str:
        done = "trained" if self.changed else "was trained already"
        left_out = sum(self.left_out.values())
        seen = "" if self.seen == self.rows else f"{self.seen:,} of "
        return (
            f"{self.model} {done} by {self.recipe}: {self.steps:,} steps over {seen}{self.rows:,} rows ({self.cut:,} "
            f"cut, {left_out:,} left out), loss {self.first_loss:.3f} -> {self.last_loss:.3f}, {self.seconds:,.0f} s"
        )


def finetune(choice: FinetuneChoice) -> FinetuneSummary:
    """Trains, goes on with a training that was cut off, or finds it done. Progress is logged.

    Raises DynosaurError: BadSetting for a recipe, data, model or folder that is none or another training's, and where
    the extra is missing; StoreFailed for a damaged folder.
    """
    chosen = checked_recipe(choice)
    folder = Path(choice.out).expanduser()
    from dynosaur_core.training.loop import find_devices

    first = find_devices().first
    with alone(folder, f"another process trains in {folder}: wait for it") if first else nullcontext():
        wanted, work = _prepared(choice, chosen, folder)
        if work is None:
            return _summary(choice, wanted, changed=False)
        if first:
            write_manifest(folder, wanted)
        trained = _train(choice.model_copy(update={"out": str(folder)}), chosen, *work)
        if first:
            wanted = _ended(wanted, folder, trained)
    return _summary(choice, wanted, changed=True)


def checked_recipe(choice: FinetuneChoice) -> Recipe:
    """The recipe of a choice. Raises BadSetting for what can be seen to be wrong before the libraries are loaded, which
    takes long: the folder, the first rows, the model; and where the libraries are missing."""
    chosen = choice.chosen()
    if "://" in choice.out:
        raise DynosaurError(Code.BAD_SETTING, f"--out {choice.out}: a training needs a folder of this machine")
    folder = Path(choice.out).expanduser()
    _check_own(folder)
    data = open_data(choice.data)
    for _ in islice(data.rows(), _CHECKED_ROWS):
        pass
    if (folder / MANIFEST).exists():
        same_values(read_manifest(folder), chosen.model_dump(mode="json"), data.digest(), folder)
    check_model(chosen.model)
    for module in ("torch", "transformers", "peft", "accelerate", "matplotlib"):
        needed(module, "train")
    return chosen


def _check_own(folder: Path) -> None:
    """Raises BadSetting where the folder holds other files than a training's."""
    try:
        others = folder.exists() and any(path.name != LOCK for path in folder.iterdir())
    except OSError as error:
        raise DynosaurError(Code.BAD_SETTING, f"{folder} cannot be written: {error}") from error
    if others and not (folder / MANIFEST).exists():
        message = f"{folder} holds files and no {MANIFEST}: give an empty place with --out, or remove them"
        raise DynosaurError(Code.BAD_SETTING, message)


def _prepared(choice: FinetuneChoice, chosen: Recipe, folder: Path) -> tuple[Training, tuple[Any, Encoded] | None]:
    """The manifest, and the tokenizer with the rows as tokens; None in their place where the training has ended."""
    from dynosaur_core.training.models import is_causal, load_tokenizer

    data = open_data(choice.data)
    wanted = Training(
        dynosaur=version("dynosaur"),
        libraries={name: version(name) for name in _LIBRARIES},
        encoding=ENCODING_VERSION,
        recipe_name=choice.recipe,
        recipe=chosen.model_dump(mode="json"),
        model_digest=find_model(chosen.model).digest,
        data=choice.data,
        data_digest=data.digest(),
        rows=Rows(used=0, cut=0, left_out={}, tokens=0),
    )
    found = read_manifest(folder) if (folder / MANIFEST).exists() else None
    if found is not None:
        same_training(found, wanted, folder)
        if found.ended is not None:
            _whole(found.ended, folder)
            return found, None
    tokenizer = load_tokenizer(chosen.model)
    causal = is_causal(chosen.model)
    encoded, rows = encode(data.rows(), tokenizer, chosen, causal=causal, progress=_log_rows)
    _log.info("%s rows of %s tokens, %s of them cut", f"{rows.used:,}", f"{rows.tokens:,}", f"{rows.cut:,}")
    for reason, count in rows.left_out.items():
        _log.warning("%s rows are left out: %s", f"{count:,}", reason)
    return wanted.model_copy(update={"rows": rows}), (tokenizer, encoded)


def _log_rows(seen: int) -> None:
    if seen % _LOGGED_ROWS == 0:
        _log.info("%s rows are tokens now", f"{seen:,}")


def _whole(ended: Ended, folder: Path) -> None:
    if missing := [name for name in ended.files if not (folder / name).is_file()]:
        message = f"{folder} lacks {missing[0]} of its training: remove the folder and train again"
        raise DynosaurError(Code.STORE_FAILED, message)


def _train(choice: FinetuneChoice, chosen: Recipe, tokenizer: Any, rows: Encoded) -> int:
    """Trains and saves the model in `WEIGHTS`; returns how many weights were trained."""
    from dynosaur_core.training.adapters import save, trainable
    from dynosaur_core.training.loop import train

    folder = Path(choice.out)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")  # it warns of its own calls
        model = trainable(chosen)
        trainer = train(model, tokenizer, rows, chosen, choice, Metrics(folder))
        save(trainer, chosen, folder / WEIGHTS)
    return sum(weight.numel() for weight in model.parameters() if weight.requires_grad)


def _ended(begun: Training, folder: Path, trained_weights: int) -> Training:
    """The last lines of a training: curve and manifest; its checkpoints go."""
    lines = read_metrics(folder)
    first_loss, last_loss = ends_of(lines)
    draw_curve(lines, f"{begun.recipe_name}: {begun.recipe['model']}", folder)
    ended = Ended(
        steps=lines[-1].step,
        tokens=lines[-1].tokens,
        seconds=lines[-1].seconds,
        first_loss=first_loss,
        last_loss=last_loss,
        trained_weights=trained_weights,
        files=digests(folder, (WEIGHTS, METRICS, CURVE)),
    )
    done = begun.model_copy(update={"state": "finished", "ended": ended})
    write_manifest(folder, done)
    shutil.rmtree(folder / CHECKPOINTS, ignore_errors=True)
    return done


def _summary(choice: FinetuneChoice, training: Training, *, changed: bool) -> FinetuneSummary:
    ended = training.ended
    if ended is None:  # a process that does not write: what it returns is shown nowhere
        ended = Ended(steps=0, tokens=0, seconds=0, first_loss=0, last_loss=0, trained_weights=0, files={})
    return FinetuneSummary(
        out=choice.out,
        changed=changed,
        recipe=training.recipe_name,
        model=training.recipe["model"],
        rows=training.rows.used,
        seen=min(training.rows.used, ended.steps * training.recipe["batch"]),
        cut=training.rows.cut,
        left_out=training.rows.left_out,
        **ended.model_dump(exclude={"files"}),
    )
