"""What the tests of trainings run in processes of their own, forked from one that has loaded the libraries."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Mapping
from multiprocessing.process import BaseProcess
from typing import Any

from dynosaur_core.training.choice import FinetuneChoice

_LIBRARIES = ["dynosaur_core.training.loop", "dynosaur_core.training.adapters", "dynosaur_core.training.finetune"]


def start(program: Callable[..., None], choice: FinetuneChoice, environment: Mapping[str, str]) -> BaseProcess:
    """A process that has begun to run `program(choice)`."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_LIBRARIES)
    process = context.Process(target=_run, args=(program, choice, dict(environment)))
    process.start()
    return process


def train(choice: FinetuneChoice) -> None:
    from dynosaur_core.training.finetune import finetune

    finetune(choice)


def train_until_killed(choice: FinetuneChoice) -> None:
    """SIGKILL comes when all of the checkpoint of step 15 is written but the mark that says so."""
    from dynosaur_core.training import loop

    mark = loop._Watch.on_save

    def killed(self: Any, args: Any, state: Any, control: Any, **given: Any) -> None:
        if state.global_step == 15:
            os.kill(os.getpid(), signal.SIGKILL)
        mark(self, args, state, control, **given)

    loop._Watch.on_save = killed  # type: ignore[method-assign]
    train(choice)


def _run(program: Callable[..., None], choice: FinetuneChoice, environment: Mapping[str, str]) -> None:
    import torch

    torch.set_num_threads(1)
    os.environ.update(environment)
    program(choice)
