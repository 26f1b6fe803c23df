"""The judge after the filter: what it finds wrong is rejected, what it mends goes through the filter and to it again.

Stages do not know one another: here the two meet, for the flows and for `dynosaur check`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from dynosaur_core.filter.stage import FILTER_VERSION, filter_tasks
from dynosaur_core.instruction.examples import EXAMPLE_INSTRUCTIONS
from dynosaur_core.judge.stage import judge, judge_key, plan
from dynosaur_core.models import (
    DatasetMetadata,
    FilterResult,
    InstructionTask,
    JudgeResult,
    Proposal,
    Rejection,
    Verdict,
)
from dynosaur_core.prompting import shown_fields
from dynosaur_core.settings import Settings
from dynosaur_core.store import Store

if TYPE_CHECKING:  # it brings `openai`: a second that only those wait for who ask
    from dynosaur_core.llm.client import LlmClient

Again = Mapping[int, InstructionTask | Rejection]
"""What the filter says of the mended tasks, by the place of the first one."""


def filter_designs(
    metadata: DatasetMetadata, proposals: Sequence[Proposal], settings: Settings, store: Store
) -> FilterResult:
    """What the filter says of all designs of a dataset, with the rows of the store."""
    return filter_tasks(
        metadata.ref.repo_id,
        metadata.subsets,
        proposals,
        lambda subset: store.read_table("rows", subset.rows.digest) if subset.rows else None,
        settings.filtering,
        EXAMPLE_INSTRUCTIONS,
    )


def judging_key(metadata: DatasetMetadata, filtered: FilterResult, settings: Settings, store: Store) -> str:
    """Digest of the exact requests, of what they are about, and of the filter that mended tasks go through."""
    asks = plan(metadata, filtered.tasks, settings, store)
    return judge_key(asks, metadata.ref.repo_id, filtered, FILTER_VERSION, settings.filtering)


def judge_filtered(
    metadata: DatasetMetadata, filtered: FilterResult, settings: Settings, llm: LlmClient, store: Store
) -> JudgeResult:
    """The filter's result without the tasks in which the judge finds a fault; `proposed` stays, and so does the order.

    A task that is mended goes through the filter once more, beside those that are right, and to the judge; what is
    wrong with it then is not mended again. Raises DynosaurError as `judge.stage.judge` does.
    """
    asks = plan(metadata, filtered.tasks, settings, store)
    first = judge(asks, filtered.tasks, llm)
    again = _filter_again(metadata, filtered.tasks, first, settings, store)
    places = [place for place, found in again.items() if isinstance(found, InstructionTask)]
    mended = [found for found in again.values() if isinstance(found, InstructionTask)]
    more = plan(metadata, mended, settings, store)
    second = dict(zip(places, judge(more, mended, llm), strict=True))
    ends = [
        _end(task, verdict, again.get(place), second.get(place))
        for place, (task, verdict) in enumerate(zip(filtered.tasks, first, strict=True))
    ]
    merged = list(_in_order(filtered, ends))
    return JudgeResult(
        proposed=filtered.proposed,
        tasks=tuple(each for each in merged if isinstance(each, InstructionTask)),
        rejections=tuple(each for each in merged if isinstance(each, Rejection)),
        accepted=tuple(isinstance(each, InstructionTask) for each in merged) if filtered.accepted else (),
        requests=tuple(ask.request.digest for ask in (*asks, *more)),
    )


def _filter_again(
    metadata: DatasetMetadata,
    tasks: Sequence[InstructionTask],
    verdicts: Sequence[Verdict],
    settings: Settings,
    store: Store,
) -> Again:
    """The mended tasks before the filter, each as an answer of its own, after those that are right: what says the same
    as one of these comes twice."""
    pairs = list(enumerate(zip(tasks, verdicts, strict=True)))
    right = [(task, task.design) for _, (task, verdict) in pairs if verdict.reason is None]
    mended = {place: (task, verdict.mended) for place, (task, verdict) in pairs if verdict.mended}
    if not mended:
        return {}
    shown = {subset.config: tuple(field.name for field in shown_fields(subset)) for subset in metadata.subsets}
    proposals = [
        Proposal(
            config=task.config,
            mode=task.mode,
            request_digest="",
            model=task.model,
            designs=(design,),
            shown_fields=shown[task.config],
        )
        for task, design in (*right, *mended.values())
    ]
    result = filter_designs(metadata, proposals, settings, store)
    found = list(_in_order(result, result.tasks))
    return dict(zip(mended, found[len(right) :], strict=True))


def _in_order(
    filtered: FilterResult, ends: Sequence[InstructionTask | Rejection]
) -> Iterator[InstructionTask | Rejection]:
    """What became of every design, in their order: `ends` in the places of the tasks, else its rejection. Results of
    earlier versions do not tell the order."""
    tasks, rejections = iter(ends), iter(filtered.rejections)
    order = filtered.accepted or (True,) * len(ends) + (False,) * len(filtered.rejections)
    yield from (next(tasks) if accepted else next(rejections) for accepted in order)


def _end(
    task: InstructionTask, verdict: Verdict, again: InstructionTask | Rejection | None, second: Verdict | None
) -> InstructionTask | Rejection:
    """The task with what was said of it, the mended one in its place, or its rejection."""
    if verdict.reason is None:
        return task.model_copy(update={"judged_by": verdict.model, "judge_said": verdict.said})
    detail = verdict.said
    if isinstance(again, Rejection):
        detail += f" Mended, the filter rejects it: {again.reason} {again.detail}".rstrip()
    elif again and second:
        if second.reason is None:
            said = f"Mended ({verdict.reason}: {verdict.said}). {second.said}"
            return again.model_copy(update={"judged_by": second.model, "judge_said": said})
        detail += f" Mended, it is {second.reason}: {second.said}"
    return Rejection(
        repo_id=task.repo_id,
        level="task",
        stage="judge",
        reason=verdict.reason,
        detail=detail,
        config=task.config,
        instruction=task.instruction,
        mode=task.mode,
    )
