"""Runs datasets through their stages: metadata -> instruction -> filter -> publish.

Every dataset is a branch of its own. When a stage ends well its successor is submitted; where one fails or refuses, the
branch ends, and no task run is left behind that could never start.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any, Literal

from prefect import get_run_logger
from prefect.futures import PrefectFuture

from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.growth import Growth, refusal_of, refusal_of_records, refusal_of_tasks
from dynosaur_core.models import Contribution, DatasetMetadata, DatasetRef, FilterResult, Proposal
from dynosaur_core.settings import Settings
from flows.progress import tell
from tasks.filter import filter as filter_task
from tasks.instruction import instruction as instruction_task
from tasks.metadata import metadata as metadata_task
from tasks.policy import results_storage
from tasks.publish import publish as publish_task

Stage = Literal["metadata", "instruction", "filter", "publish"]
STAGES: tuple[Stage, ...] = ("metadata", "instruction", "filter", "publish")
_TASKS = {"metadata": metadata_task, "instruction": instruction_task, "filter": filter_task, "publish": publish_task}
_STOPPING = {Code.MODEL_UNREACHABLE, Code.MODEL_KEY_REFUSED, Code.MODEL_QUOTA_SPENT, Code.PRICE_UNKNOWN}
"""After one of these no further branch is begun: the rest is deferred without a task run."""


@dataclass
class _Branch:
    ref: DatasetRef
    stage: Stage = "metadata"
    metadata: DatasetMetadata | None = None
    proposals: list[Proposal] = field(default_factory=list)
    trace: dict[str, Any] = field(default_factory=dict)


class Branches:
    """Keeps a bounded number of branches at work; to be used inside a flow run."""

    def __init__(self, growth: Growth, settings: Settings, fresh_from: Stage | None = None) -> None:
        self.growth, self.settings = growth, settings
        fresh = set(STAGES[STAGES.index(fresh_from) :]) if fresh_from else set()
        storage = results_storage(settings)
        self.tasks: dict[Stage, Any] = {
            stage: _TASKS[stage].with_options(result_storage=storage, refresh_cache=stage in fresh) for stage in STAGES
        }
        self.ended: SimpleQueue[tuple[_Branch, PrefectFuture[Any]]] = SimpleQueue()
        self.stopped: DynosaurError | None = None

    def run(self, refs: Sequence[DatasetRef]) -> None:
        """Returns when every branch has ended and is written down."""
        waiting, at_work = deque(refs), 0
        while waiting or at_work:
            while waiting and at_work < self.settings.concurrency:
                branch = _Branch(waiting.popleft())
                if self.stopped:
                    self._end_failed(branch, "instruction", self.stopped)
                    continue
                self._submit(branch, "metadata")
                at_work += 1
            if at_work and not self._advance(*self.ended.get()):
                at_work -= 1

    def _submit(self, branch: _Branch, stage: Stage, **inputs: Any) -> None:
        branch.stage = stage
        future = self.tasks[stage].submit(branch.ref, settings=self.settings, **inputs)
        future.add_done_callback(lambda done: self.ended.put((branch, done)))

    def _advance(self, branch: _Branch, future: PrefectFuture[Any]) -> bool:
        """Takes a stage's result; gives whether the branch goes on."""
        result = future.result(raise_on_failure=False)
        if not future.state.is_completed():
            self._end_failed(branch, branch.stage, _as_error(result, future))
            return False
        report = self.growth.report
        branch.trace[branch.stage] = result
        if branch.stage == "metadata":
            branch.metadata = DatasetMetadata.model_validate(result)
            report.add_metadata(branch.metadata)
            return self._next(branch, refusal_of(branch.metadata), "instruction", metadata=branch.metadata)
        if branch.stage == "instruction":
            branch.proposals = [Proposal.model_validate(item) for item in result]
            return self._next(branch, None, "filter", metadata=branch.metadata, proposals=branch.proposals)
        if branch.stage == "filter":
            filtered = FilterResult.model_validate(result)
            report.add_filtered(filtered)
            accepted = list(filtered.tasks)
            return self._next(
                branch, refusal_of_tasks(filtered), "publish", metadata=branch.metadata, accepted=accepted
            )
        contribution = Contribution.model_validate(result)
        report.add_contribution(contribution)
        return self._next(branch, refusal_of_records(contribution), None, contribution=contribution)

    def _next(self, branch: _Branch, refusal: Any, stage: Stage | None, **inputs: Any) -> bool:
        if refusal or stage is None:
            self.growth.trace(branch.ref, branch.trace)
        if refusal:
            self.growth.refused(branch.ref, branch.stage, *refusal)
            _told(branch, f"refused: {refusal[0]}")
            return False
        if stage is None:
            self.growth.grown(branch.ref, inputs["contribution"])
            _told(branch, "grown")
            return False
        self._submit(branch, stage, **inputs)
        return True

    def _end_failed(self, branch: _Branch, stage: Stage, error: DynosaurError) -> None:
        if error.code in _STOPPING:
            self.stopped = error
        if not error.kind.deferred:
            self.growth.trace(branch.ref, {**branch.trace, stage: str(error)})
        self.growth.failed(branch.ref, stage, error)
        _told(branch, f"{'deferred' if error.kind.deferred else 'failed'}: {error.code}")


def _told(branch: _Branch, end: str) -> None:
    get_run_logger().info("%s %s", branch.ref.repo_id, end)
    tell("branch", (branch.ref.repo_id, end))


def _as_error(result: Any, future: PrefectFuture[Any]) -> DynosaurError:
    if isinstance(result, DynosaurError):
        return result
    if isinstance(result, BaseException):
        wrapped = DynosaurError(Code.UNEXPECTED, f"{type(result).__name__}: {result}"[:500])
        wrapped.__cause__ = result
        return wrapped
    return DynosaurError(Code.UNEXPECTED, f"the task run ended {future.state.name}: {future.state.message}"[:500])
