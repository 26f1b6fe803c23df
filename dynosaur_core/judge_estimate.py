"""What judging a dataset will cost, before anything is asked."""

from __future__ import annotations

from dataclasses import dataclass

from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.instruction.estimate import TASKS_PER_ANSWER
from dynosaur_core.instruction.stage import propose
from dynosaur_core.judge.stage import plan
from dynosaur_core.judging import filter_designs
from dynosaur_core.llm.answers import Answers, Reply
from dynosaur_core.llm.prices import priced, prompt_tokens
from dynosaur_core.llm.request import Request
from dynosaur_core.models import DatasetMetadata, InstructionTask, Mode, Stage, Usage
from dynosaur_core.prompting import shown_fields
from dynosaur_core.settings import Settings
from dynosaur_core.store import Store

_VERDICT_TOKENS = 45
"""Of one verdict with its thought."""
_LIKELY = "Read the text of this row with care and tell in a word or two which of the given classes it is of, case {}."
"""As long as instructions are."""


@dataclass
class Kept:
    """Answers what the store holds, and asks nobody."""

    settings: Settings
    answers: Answers

    def ask(self, request: Request) -> Reply:
        """Raises Planned where an answer is not there."""
        if kept := self.answers.get(request.digest, owner=request.owner):
            return Reply(kept, Usage())
        raise DynosaurError(Code.PLANNED, f"request {request.digest} is still to be asked")


def estimate_judging(
    metadata: DatasetMetadata, settings: Settings, store: Store, *, anew_from: Stage | None = None
) -> Usage:
    """Requests, tokens and dollars of judging a dataset, without requests whose answers `store` holds.

    Where the designs are there already, the very requests are counted; else those of as many tasks as answers hold.
    What is asked about mended tasks is left out. `anew_from`: the stage from which on stored answers do
    not save anything.
    """
    if not settings.judges:
        return Usage()
    answers = Answers(store)
    try:
        designed = anew_from in (None, "judge")
        tasks = _designed(metadata, settings, store, answers) if designed else _likely(metadata, settings)
    except DynosaurError as error:
        if error.code is not Code.PLANNED:
            raise
        tasks = _likely(metadata, settings)
    asks = plan(metadata, tasks, settings, store)
    if anew_from is None:
        asks = tuple(ask for ask in asks if not answers.has(ask.request.digest, ask.request.owner))
    with_schema = settings.llm.structured in ("auto", "schema")
    usage = Usage(
        requests=len(asks),
        prompt_tokens=sum(prompt_tokens(a.request.messages, a.request.schema if with_schema else None) for a in asks),
        completion_tokens=sum(_VERDICT_TOKENS * len(ask.places) + 6 for ask in asks),
    )
    return priced(settings, usage, batch=settings.llm.batch, model=settings.judging.model)


def _designed(
    metadata: DatasetMetadata, settings: Settings, store: Store, answers: Answers
) -> tuple[InstructionTask, ...]:
    """The tasks that the filter accepts of the designs in the store. Raises Planned where some are still to be made."""
    proposals = propose(metadata, settings, Kept(settings, answers), store)
    return filter_designs(metadata, proposals, settings, store).tasks


def _likely(metadata: DatasetMetadata, settings: Settings) -> list[InstructionTask]:
    """As many tasks as answers hold, of a likely length."""
    modes = len(settings.designing.designers)
    count = round(min(TASKS_PER_ANSWER, settings.designing.max_tasks) * modes)
    return [
        InstructionTask(
            repo_id=metadata.ref.repo_id,
            config=subset.config,
            instruction=_LIKELY.format(number),
            input_fields=tuple(names[:2] if len(names) > 2 else names[:1]),
            output_field=names[-1],
            mode=Mode.DESCRIPTION_AWARE,
            model=settings.model,
        )
        for subset in metadata.subsets
        if len(names := [field.name for field in shown_fields(subset)]) > 1
        for number in range(count)
    ]
