"""Runs datasets through their stages: metadata -> instruction -> filter -> judge -> publish.

Every dataset is a branch of its own. When a stage ends well its successor is submitted; where one fails or refuses, the
branch ends, and no task run is left behind that could never start. What goes wrong while a branch is written down ends
that branch, never the growth.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from queue import SimpleQueue
from typing import Any

import httpx
from prefect import Task, get_run_logger
from prefect.client.schemas.objects import Constant, RunInput
from prefect.exceptions import PrefectException
from prefect.futures import PrefectFuture

from dynosaur_core.clients import open_clients
from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.growth import Growth, refusal_of, refusal_of_records, refusal_of_tasks
from dynosaur_core.models import (
    STAGES,
    Contribution,
    DatasetMetadata,
    DatasetRef,
    FilterResult,
    JudgeResult,
    Proposal,
    Stage,
    StageOrSurvey,
)
from dynosaur_core.policy.judge import judge_ref
from dynosaur_core.reasons import Reason
from dynosaur_core.report import GrowthReport
from dynosaur_core.results import Seconds
from dynosaur_core.settings import Settings
from flows.branch import Branch, as_error
from flows.engines import task_runner
from flows.progress import BranchEnded, tell
from tasks.artifacts.evidence import evidence_markdown, publish_evidence
from tasks.artifacts.pages import NAMES
from tasks.filter import filter as filter_task
from tasks.instruction import instruction as instruction_task
from tasks.judge import judge as judge_task
from tasks.metadata import metadata as metadata_task
from tasks.policy import results_storage
from tasks.publish import publish as publish_task

_TASKS: Mapping[Stage, Task[..., Any]] = {
    "metadata": metadata_task,
    "instruction": instruction_task,
    "filter": filter_task,
    "judge": judge_task,
    "publish": publish_task,
}
_INTERRUPTED = DynosaurError(Code.INTERRUPTED, "the growth was ended while the dataset was at work")


class Branches:
    """Keeps a bounded number of branches at work; to be used inside a flow run."""

    def __init__(self, growth: Growth, settings: Settings, fresh_from: Stage | None = None) -> None:
        self.growth, self.settings = growth, settings
        fresh = set(STAGES[STAGES.index(fresh_from) :]) if fresh_from else set()
        storage = results_storage(settings)
        self.tasks = {
            stage: _TASKS[stage].with_options(result_storage=storage, refresh_cache=stage in fresh) for stage in STAGES
        }
        self._after: Mapping[Stage, Callable[[Branch, Any], bool]] = {
            "metadata": self._after_metadata,
            "instruction": self._after_instruction,
            "filter": self._after_filter,
            "judge": self._after_judge,
            "publish": self._after_publish,
        }
        self.ended: SimpleQueue[tuple[Branch, PrefectFuture[Any]]] = SimpleQueue()
        self.stopped: DynosaurError | None = None
        self.at_work: dict[str, DatasetRef] = {}
        self.turns: deque[Branch] = deque()
        """Branches that have not claimed their content yet, in the order of the plan: of copies the first one of the
        plan is grown, whichever was read first."""

    def run(self, refs: Sequence[DatasetRef]) -> None:
        """Returns when every branch has ended and is written down, or waits for a batch (`Growth.pending`)."""
        together, alone = self.growth.apart(refs)
        with task_runner(self.settings) as self.runner:
            for part, most in ((together, self.settings.concurrency), (alone, 1)):
                try:
                    self._run(deque(part), most)
                except BaseException:
                    for ref in self.at_work.values():
                        self.growth.set_back(ref, _INTERRUPTED)
                    raise

    def _run(self, waiting: deque[DatasetRef], most: int) -> None:
        """Keeps `most` branches at work. A branch that is read and waits for its turn takes none of these places, so
        that the others go on being read while one dataset is slow to read; they wait with their requests alone."""
        while waiting or self.at_work:
            while self._busy() < most and (begun := self._next(waiting)):
                branch, step = begun
                self.at_work[branch.ref.repo_id] = branch.ref
                self._step(branch, partial(step, branch))
            if self.at_work:
                branch, future = self.ended.get()
                self._step(branch, partial(self._advance, branch, future))

    def _busy(self) -> int:
        return len(self.at_work) - sum(branch.metadata is not None for branch in self.turns)

    def _next(self, waiting: deque[DatasetRef]) -> tuple[Branch, Callable[[Branch], bool]] | None:
        """What a free place is for: the branch whose turn it is, or a new one."""
        while self.turns and self.turns[0].ended:
            self.turns.popleft()
        if self.turns and self.turns[0].metadata:
            return self.turns.popleft(), self._claim
        return (Branch(waiting.popleft()), self._begin) if waiting else None

    def _step(self, branch: Branch, step: Callable[[], bool]) -> None:
        """One step of a branch's bookkeeping, which returns whether the branch goes on. Whatever the step raises ends
        this branch alone, but for the loss of the growth's lease; a ledger that takes nothing at all ends the growth.
        """
        try:
            goes_on = step()
        except (PrefectException, httpx.TransportError):  # of Prefect's server, without which no branch can run
            raise
        except Exception as error:
            if isinstance(error, DynosaurError) and error.code is Code.GROWTH_RUNNING:
                raise
            log = get_run_logger()
            log.error("%s: its %s could not be written down", branch.ref.repo_id, branch.stage, exc_info=True)
            goes_on = False
            if not branch.ended:
                failure, branch.contribution = as_error(error), None
                self.growth.failed(branch.ref, branch.stage, failure, self._part(branch))
                self._tell(branch, f"failed: {failure.code}")
        if not goes_on:
            del self.at_work[branch.ref.repo_id]

    def _begin(self, branch: Branch) -> bool:
        if self.stopped:
            return self._fail(branch, "instruction", self.stopped)
        self.growth.begin(branch.ref)
        if refused := judge_ref(branch.ref, self.settings.policy):  # chosen by hand: no survey has judged it
            return self._refuse(branch, Reason(refused.reason), refused.detail, "survey")
        self.turns.append(branch)
        return self._submit(branch, "metadata")

    def _submit(self, branch: Branch, stage: Stage, **inputs: Any) -> bool:
        branch.begin(stage)
        given = {"ref": branch.ref, **inputs, "settings": self.settings}
        # Prefect keeps no values of inputs, only their kinds: the page of the task run shows this one
        shown: set[RunInput] = {Constant(type=f"{branch.ref.repo_id} at revision {branch.ref.revision}")}
        future = self.runner.submit(self.tasks[stage], given, dependencies={"ref": shown})
        future.add_done_callback(partial(self._done, branch))
        return True

    def _done(self, branch: Branch, future: PrefectFuture[Any]) -> None:
        """In the thread of the task run."""
        branch.took_until_now()
        self.ended.put((branch, future))

    def _advance(self, branch: Branch, future: PrefectFuture[Any]) -> bool:
        """Takes a stage's result; returns whether the branch goes on."""
        result = future.result(raise_on_failure=False)
        branch.task_run_id = future.task_run_id
        if not future.state.is_completed():
            return self._fail(branch, branch.stage, as_error(result, future))
        branch.trace[branch.stage] = result
        return self._after[branch.stage](branch, result)

    def _after_metadata(self, branch: Branch, result: Any) -> bool:
        branch.metadata = branch.read(result, DatasetMetadata)
        return True

    def _claim(self, branch: Branch) -> bool:
        assert branch.metadata is not None
        branch.metadata = self.growth.claimed(branch.metadata)
        branch.trace["metadata"] = branch.metadata.model_dump(mode="json")
        if refusal := refusal_of(branch.metadata):
            return self._refuse(branch, *refusal)
        return self._submit(branch, "instruction", metadata=branch.metadata, growth_id=self.growth.growth_id)

    def _after_instruction(self, branch: Branch, result: Any) -> bool:
        branch.proposals = branch.read(result, list[Proposal])
        return self._submit(branch, "filter", metadata=branch.metadata, proposals=branch.proposals)

    def _after_filter(self, branch: Branch, result: Any) -> bool:
        branch.filtered = branch.read(result, FilterResult)
        if branch.filtered.tasks and self.settings.judges:
            given = {"metadata": branch.metadata, "filtered": branch.filtered}
            return self._submit(branch, "judge", **given, growth_id=self.growth.growth_id)
        return self._publish(branch, branch.filtered)

    def _after_judge(self, branch: Branch, result: Any) -> bool:
        branch.filtered = branch.read(result, JudgeResult)
        return self._publish(branch, branch.filtered)

    def _publish(self, branch: Branch, filtered: FilterResult) -> bool:
        if refusal := refusal_of_tasks(filtered):
            return self._refuse(branch, *refusal)
        return self._submit(branch, "publish", metadata=branch.metadata, accepted=list(filtered.tasks))

    def _after_publish(self, branch: Branch, result: Any) -> bool:
        branch.contribution = branch.read(result, Contribution)
        if refusal := refusal_of_records(branch.contribution):
            return self._refuse(branch, *refusal)
        return self._end(branch, "grown", partial(self.growth.grown, branch.ref, branch.contribution))

    def _refuse(self, branch: Branch, reason: Reason, detail: str, stage: StageOrSurvey | None = None) -> bool:
        write = partial(self.growth.refused, branch.ref, stage or branch.stage, reason, detail)
        return self._end(branch, f"refused: {reason}", write)

    def _fail(self, branch: Branch, stage: Stage, error: DynosaurError) -> bool:
        if error.code is Code.BATCH_PENDING:
            self.growth.set_back(branch.ref, error, stage)
            self.growth.pending[branch.ref.repo_id] = branch.ref, stage
            branch.ended = True
            return False
        if error.policy.stops_growth and self.stopped is None:
            self.stopped = error
            if error.code is not Code.BUDGET_SPENT:
                self.growth.report.stopped = str(error)
        branch.trace[stage] = str(error)
        if not error.policy.deferred:
            self._show_evidence(branch, stage, error)
        end = f"{'deferred' if error.policy.deferred else 'failed'}: {error.code}"
        return self._end(branch, end, partial(self.growth.failed, branch.ref, stage, error))

    def _show_evidence(self, branch: Branch, stage: Stage, error: DynosaurError) -> None:
        """On the page of the failed task run; of a growth that fails as a whole the first ones are enough."""
        if len(self.growth.report.failures) < NAMES:
            clients, given = open_clients(self.settings), (branch.metadata, branch.proposals, branch.filtered)
            page = evidence_markdown(clients, branch.ref, stage, error, *given)
            publish_evidence(page, branch.ref.repo_id, error, branch.task_run_id)

    def _end(self, branch: Branch, end: str, write: Callable[..., None]) -> bool:
        """Keeps the trace, then writes the end into the ledger, then counts it, once."""
        clients, name = open_clients(self.settings), branch.ref.repo_id
        part = self._part(branch)
        spent = clients.spent(self.growth.growth_id, name)
        if spent.requests:
            part.usage_by_dataset[name] = spent
            branch.trace["usage"] = spent.model_dump(mode="json")
        if branch.took:
            seconds = Seconds.of(branch.took, clients.waited_s(self.growth.growth_id, name))
            part.seconds[name] = seconds
            branch.trace["seconds"] = seconds.as_json()
        self.growth.trace(branch.ref, branch.trace)
        write(part=part)
        return self._tell(branch, end)

    def _part(self, branch: Branch) -> GrowthReport:
        part = self.growth.part()
        part.add_branch(branch.metadata, branch.filtered, branch.contribution)
        return part

    def _tell(self, branch: Branch, end: str) -> bool:
        branch.ended = True
        get_run_logger().info("%s %s", branch.ref.repo_id, end)
        tell(BranchEnded(branch.ref.repo_id, end))
        return False
