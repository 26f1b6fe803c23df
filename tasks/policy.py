"""What all stage tasks share: where results are kept, what is worth another try, how often."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from prefect import Task
from prefect.client.schemas.objects import State, TaskRun
from prefect.filesystems import RemoteFileSystem

from dynosaur_core.digest import digest
from dynosaur_core.errors import Code, DynosaurError, Retrier
from dynosaur_core.settings import Settings
from dynosaur_core.store import Store

RETRIES = 2
RETRY_DELAYS = [5, 30]
"""Seconds before the first and the second retry. The clients have retried and waited on their own before that: how
these nest, and how long they take at most, says `dynosaur_core/retry.py`."""

Given = ParamSpec("Given")
Result = TypeVar("Result")


def coded(stage: Callable[Given, Result]) -> Callable[Given, Result]:
    """Whatever a stage raises bears a code: Prefect keeps and shows the message, which then is bounded and free of
    secrets. What has no code is a bug of ours."""

    @wraps(stage)
    def run(*args: Given.args, **kwargs: Given.kwargs) -> Result:
        try:
            return stage(*args, **kwargs)
        except DynosaurError as error:
            raise StageFailed.of(error) from error
        except Exception as error:
            raise StageFailed(Code.UNEXPECTED, f"{type(error).__name__}: {error}") from error

    return run


class StageFailed(DynosaurError):  # noqa: N818 - its name begins the state message: "StageFailed: TimedOut: ..."
    """Why a stage failed, and what to do about it: the state message of its task run."""

    @classmethod
    def of(cls, error: DynosaurError) -> StageFailed:
        return cls(error.code, error.message, retry_after=error.retry_after)

    def __str__(self) -> str:
        return f"{super().__str__()} -> {self.policy.advice}"


def worth_retrying(_task: Task[..., Any], _run: TaskRun, state: State[Any]) -> bool:
    """Errors that a second run of the stage may not meet, by the table of `errors`."""
    error = state.result(raise_on_failure=False)
    if isinstance(error, State):
        error = error.data
    return isinstance(error, DynosaurError) and Retrier.TASK in error.policy.retried_by


TASK_OPTIONS: dict[str, Any] = {
    "persist_result": True,
    "result_serializer": "json",
    "cache_result_in_memory": False,
    "retries": RETRIES,
    "retry_delay_seconds": RETRY_DELAYS,
    "retry_condition_fn": worth_retrying,
}
"""Options of every stage task. No tags: each would cost a lease call of the server's."""


def results_storage(settings: Settings) -> Any:
    """Where Prefect keeps stage results: `results/` in the store. On an object store it is a block of its own."""
    store = Store(settings.store)
    url = f"{store.url}/results"
    if store.local:
        from pathlib import Path

        return Path(store.root) / "results"
    block = RemoteFileSystem(basepath=url)
    block.save(f"dynosaur-{digest(url)[:12]}", overwrite=True)
    return block
