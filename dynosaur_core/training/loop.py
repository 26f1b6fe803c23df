"""The steps of a training, by transformers' Trainer: one or many devices, checkpoints, and a line of metrics a step."""

from __future__ import annotations

import math
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from accelerate.utils import broadcast_object_list
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR

from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.logs import logger
from dynosaur_core.training.choice import FinetuneChoice
from dynosaur_core.training.encoding import MASKED, Encoded
from dynosaur_core.training.manifest import CHECKPOINTS
from dynosaur_core.training.metrics import Metrics
from dynosaur_core.training.recipes import Recipe

_log = logger("training")
_WHOLE = "whole"
"""A file that is written into a checkpoint when everything else of it is there."""


@dataclass(frozen=True)
class Devices:
    """What the processes of this training run on."""

    processes: int
    each: int
    """Devices of one process: several where it was not started by accelerate."""
    first: bool
    """Whether this process is the one that writes."""

    @property
    def count(self) -> int:
        return self.processes * self.each


def find_devices() -> Devices:
    """By the variables that `accelerate launch` and torchrun set."""
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    each = 1 if processes > 1 else max(1, torch.cuda.device_count())
    return Devices(processes, each, os.environ.get("RANK", "0") == "0")


def micro_batch(recipe: Recipe, devices: Devices) -> int:
    """Rows that a device holds at once: the most that the recipe allows and that make up the batch evenly.

    Raises BadSetting where the batch is no multiple of the devices.
    """
    share, rest = divmod(recipe.batch, devices.count)
    if rest:
        message = f"a batch of {recipe.batch} rows cannot be shared by {devices.count} devices: give another --batch"
        raise DynosaurError(Code.BAD_SETTING, message)
    return max(size for size in range(1, min(share, recipe.micro_batch) + 1) if share % size == 0)


def last_checkpoint(folder: Path) -> tuple[Path, int] | None:
    """The newest whole checkpoint of a training, and its step; what a kill left half-written is removed."""
    found = {}
    for path in (folder / CHECKPOINTS).glob(f"{PREFIX_CHECKPOINT_DIR}-*"):
        if (path / _WHOLE).exists():
            found[int(path.name.rpartition("-")[2])] = path
        else:
            shutil.rmtree(path)
    return (found[max(found)], max(found)) if found else None


def train(model: Any, tokenizer: Any, rows: Encoded, recipe: Recipe, choice: FinetuneChoice, metrics: Metrics) -> Any:
    """Trains `model` from the last whole checkpoint, or from the beginning; returns the Trainer, which can save it.

    Raises BadSetting where the loss is no number any more, and where the machine lacks what the recipe asks for.
    """
    folder, devices = Path(choice.out), find_devices()
    at = last_checkpoint(folder) if devices.first else None
    if devices.processes > 1:  # the first process alone has removed what was half-written
        at = broadcast_object_list([at])[0]
    if devices.first:
        metrics.begin(at[1] if at else 0)
        if at:
            _log.info("goes on from step %s (%s)", f"{at[1]:,}", at[0].name)
    trainer = transformers.Trainer(
        model=model,
        args=_arguments(recipe, choice, devices),
        train_dataset=rows,
        processing_class=tokenizer,
        data_collator=transformers.DataCollatorForSeq2Seq(tokenizer, model=model, label_pad_token_id=MASKED),
        compute_loss_func=_loss(causal=not model.config.is_encoder_decoder),
        callbacks=[_Watch(choice.save_minutes * 60, metrics, devices)],
    )
    trainer.remove_callback(transformers.PrinterCallback)
    trainer.train(resume_from_checkpoint=str(at[0]) if at else None)
    return trainer


def _arguments(recipe: Recipe, choice: FinetuneChoice, devices: Devices) -> Any:
    micro = micro_batch(recipe, devices)
    try:
        return _Arguments(
            output_dir=str(Path(choice.out) / CHECKPOINTS),
            per_device_train_batch_size=micro,
            gradient_accumulation_steps=recipe.batch // (micro * devices.count),
            learning_rate=recipe.learning_rate,
            lr_scheduler_type="constant_with_warmup" if recipe.schedule == "constant" else recipe.schedule,
            warmup_steps=recipe.warmup,
            weight_decay=recipe.weight_decay,
            max_grad_norm=recipe.clip,
            num_train_epochs=recipe.epochs,
            max_steps=recipe.max_steps or -1,
            bf16=recipe.dtype == "bfloat16",
            use_cpu=not torch.accelerator.is_available(),
            activation_checkpointing=recipe.gradient_checkpointing,
            seed=recipe.seed,
            data_seed=recipe.seed,
            save_strategy="steps",
            save_steps=choice.save_steps,
            save_total_limit=2,  # the one before stays until the newest is whole
            logging_strategy="steps",
            logging_steps=1,
            logging_nan_inf_filter=False,
            include_num_input_tokens_seen="non_padding",
            remove_unused_columns=False,
            dataloader_pin_memory=torch.cuda.is_available(),
            disable_tqdm=True,
            report_to="none",
        )
    except (ValueError, RuntimeError, ImportError) as error:
        raise DynosaurError(Code.BAD_SETTING, f"this machine cannot train by the recipe: {error}") from error


class _Arguments(transformers.TrainingArguments):  # type: ignore[misc]
    def get_warmup_steps(self, num_training_steps: int) -> int:
        """A share is rounded down: the first step of a warm-up has a rate of 0, and would be one of few."""
        share = self.warmup_steps < 1
        steps = int(num_training_steps * self.warmup_steps if share else self.warmup_steps)
        if steps >= num_training_steps:
            _log.warning(
                "all %s steps are of the warm-up (%s), and hardly learn: give a shorter one with --warmup",
                num_training_steps,
                steps,
            )
        return steps


def _loss(*, causal: bool) -> Callable[..., torch.Tensor]:
    """Cross-entropy over the tokens of the outputs: their mean over all of a step, on however many devices it runs.

    Models sum up themselves, or not: T5 returns a mean per micro-batch, by which rows with short outputs count more.
    """

    def loss(outputs: Any, labels: torch.Tensor, num_items_in_batch: torch.Tensor) -> torch.Tensor:
        logits = outputs.logits
        if causal:  # each position predicts the next token
            logits, labels = logits[:, :-1], labels[:, 1:]
        total = torch.nn.functional.cross_entropy(
            logits.flatten(0, 1).float(), labels.flatten(), ignore_index=MASKED, reduction="sum"
        )
        return total / num_items_in_batch

    return loss


class _Watch(transformers.TrainerCallback):  # type: ignore[misc]
    """Keeps metrics, writes a checkpoint when it is time for one, and marks those that are whole."""

    def __init__(self, save_s: float, metrics: Metrics, devices: Devices) -> None:
        self._save_s, self._metrics, self._devices = save_s, metrics, devices
        self._saved = time.monotonic()

    def on_train_begin(self, _args: Any, state: Any, _control: Any, **_: Any) -> None:
        self._saved = time.monotonic()
        self._metrics.start(state.num_input_tokens_seen)

    def on_step_end(self, _args: Any, _state: Any, control: Any, **_: Any) -> None:
        due = [time.monotonic() - self._saved >= self._save_s]
        if self._devices.processes > 1:  # all of them or none
            broadcast_object_list(due)
        control.should_save |= due[0]

    def on_log(self, _args: Any, state: Any, _control: Any, logs: dict[str, float], **_: Any) -> None:
        if "loss" not in logs:  # the last line is a summary
            return
        if not math.isfinite(logs["loss"]):
            message = f"the loss of step {state.global_step} is no number: lower --learning-rate, or try float32"
            raise DynosaurError(Code.BAD_SETTING, message)
        if self._devices.first:
            tokens = int(state.num_input_tokens_seen)
            self._metrics.add(state.global_step, state.max_steps, state.epoch, logs, tokens)

    def on_save(self, args: Any, state: Any, _control: Any, **_: Any) -> None:
        self._saved = time.monotonic()
        if self._devices.first:
            (Path(args.output_dir) / f"{PREFIX_CHECKPOINT_DIR}-{state.global_step}" / _WHOLE).touch()
