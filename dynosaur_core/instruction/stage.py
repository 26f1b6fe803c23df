"""The instruction stage: from a dataset's metadata to the proposals of its designers."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass

from dynosaur_core.digest import digest
from dynosaur_core.instruction.parse import Parsed, parse_answer
from dynosaur_core.instruction.prompts import messages
from dynosaur_core.instruction.rules import RULES_VERSION, design_by_rules
from dynosaur_core.instruction.schema import FROM_DATA, FROM_DESCRIPTION, TASKS, answer_schema, tight_schema
from dynosaur_core.llm.answers import Answering, Reply
from dynosaur_core.llm.request import Request, make_request
from dynosaur_core.llm.responses import FILTERED, LENGTH, finish_of
from dynosaur_core.models import DatasetMetadata, Mode, Proposal, Rejection, Subset, Usage
from dynosaur_core.prompting import shown_fields
from dynosaur_core.reasons import Reason
from dynosaur_core.settings import Settings
from dynosaur_core.store import Store

INSTRUCTION_VERSION = 3
"""Raised when the same answers are read otherwise."""
_LLM_MODES = (Mode.DESCRIPTION_AWARE, Mode.DESCRIPTION_UNAWARE)
_GROUPS = {Mode.DESCRIPTION_AWARE: FROM_DESCRIPTION, Mode.DESCRIPTION_UNAWARE: FROM_DATA}


@dataclass(frozen=True)
class Ask:
    """One request and the subsets that its answer serves: the first is shown, the others have the same features."""

    request: Request
    subsets: tuple[Subset, ...]


def plan(metadata: DatasetMetadata, settings: Settings) -> tuple[Ask, ...]:
    """Every first request for a dataset, known before anything is sent. Pure."""
    modes = tuple(
        mode
        for mode in _LLM_MODES
        if mode in settings.designing.designers and (metadata.summary or mode is not Mode.DESCRIPTION_AWARE)
    )
    together = settings.llm.one_call and len(modes) > 1 and not settings.designing.zero_shot
    asked = ([modes] if together else [(mode,) for mode in modes]) if modes else []
    return tuple(
        Ask(_request(metadata, group, each, settings), group)
        for group in _groups(metadata, settings.designing.share_configs)
        for each in asked
    )


def instruction_key(metadata: DatasetMetadata, settings: Settings) -> str:
    """Digest of exactly what the proposals depend on: card text below the summary, say, is no part of it."""
    planned = plan(metadata, settings)
    asks = [(ask.request.digest, ask.request.modes, [subset.config for subset in ask.subsets]) for ask in planned]
    rules = None
    if Mode.RULES in settings.designing.designers:
        tables = [(s.config, s.fields, s.rows and s.rows.digest) for s in metadata.subsets]
        cards = (metadata.task_categories, metadata.task_ids)
        rules = (RULES_VERSION, cards, tables, settings.designing.max_tasks)
    return digest(INSTRUCTION_VERSION, metadata.ref.repo_id, asks, rules)


def propose(metadata: DatasetMetadata, settings: Settings, llm: Answering | None, store: Store) -> tuple[Proposal, ...]:
    """The proposals of all designers for all subsets, by subset and mode. `llm` may be None where no designer asks it.

    Every answer is in the store before it is read, so that what was answered before an error is not asked again.
    Raises DynosaurError: MODEL_*, BudgetSpent, BatchPending.
    """
    asks = plan(metadata, settings)
    by_model: list[Proposal] = []
    if asks and llm is not None:
        with ThreadPoolExecutor(min(len(asks), settings.llm.max_in_flight), "ask") as pool:
            # with the context of this thread: by it a log line finds the run that it belongs to
            futures = [pool.submit(copy_context().run, _answer, metadata, ask, llm) for ask in asks]
        by_model = [proposal for future in futures for proposal in future.result()]
    by_rules = []
    if Mode.RULES in settings.designing.designers:
        for subset in metadata.subsets:
            if subset.rows is not None:
                rows = store.read_table("rows", subset.rows.digest)
                by_rules.append(design_by_rules(metadata, subset, rows, settings.designing.max_tasks))
    place = {subset.config: index for index, subset in enumerate(metadata.subsets)}
    return tuple(sorted([*by_model, *by_rules], key=lambda each: place[each.config]))


def _request(
    metadata: DatasetMetadata, group: tuple[Subset, ...], modes: tuple[Mode, ...], settings: Settings
) -> Request:
    repo_id, designing, subset = metadata.ref.repo_id, settings.designing, group[0]
    alone = len(group) == 1 and len(metadata.subsets) > 1
    name = f"{repo_id} (config {subset.config})" if alone else repo_id
    fields = shown_fields(subset)
    keys = [_GROUPS[mode] for mode in modes] if len(modes) > 1 else [TASKS]
    if designing.zero_shot:
        schema = tight_schema([field.name for field in fields], designing.max_tasks)
    else:
        schema = answer_schema(fields, subset.fact, keys)
    return make_request(repo_id, modes, messages(metadata, subset, modes, designing, name), schema, settings)


def _groups(metadata: DatasetMetadata, share: bool) -> Iterator[tuple[Subset, ...]]:
    """Subsets that are designed for together: those with the same features, of which the card says nothing apart, when
    that is allowed."""
    if not share:
        yield from ((subset,) for subset in metadata.subsets)
        return
    groups: dict[str, list[Subset]] = {}
    for subset in metadata.subsets:
        groups.setdefault(digest(subset.fields, subset.about), []).append(subset)
    yield from (tuple(group) for group in groups.values())


def _answer(metadata: DatasetMetadata, ask: Ask, llm: Answering) -> Iterator[Proposal]:
    """Asks, and once more where the answer was cut off or cannot be used; returns a proposal per mode and subset."""
    names = [field.name for field in shown_fields(ask.subsets[0])]
    reply = llm.ask(ask.request)
    parsed = _parse(reply, names)
    spent = reply.spent
    # a small local model that does not come to an end would not with more room either
    for again in (_repair,) if llm.settings.designing.zero_shot else (_room, _repair):
        if request := again(ask.request, reply, parsed, names):
            second = llm.ask(request)
            spent += second.spent
            better = _parse(second, names)
            if _usable(better, names) >= max(1, _usable(parsed, names)):
                reply, parsed = second, better
    return _proposals(metadata, ask, reply, parsed, tuple(names), spent)


def _room(request: Request, reply: Reply, parsed: Parsed, names: list[str]) -> Request | None:
    return request.with_larger_limit() if finish_of(reply.answer.finish_reason) == LENGTH else None


def _repair(request: Request, reply: Reply, parsed: Parsed, names: list[str]) -> Request | None:
    if parsed.problem in (Reason.MODEL_REFUSAL, Reason.NO_DESIGN) or _usable(parsed, names):
        return None
    if not reply.answer.text.strip():
        return None  # its room ran out before it said anything: there is nothing to mend
    reason = parsed.detail or next((d.malformed for d in parsed.designs if d.malformed), "it names other fields")
    return request.with_repair(reply.answer.text, f"{reason}; the fields are {', '.join(names)}")


def _usable(parsed: Parsed, names: list[str]) -> int:
    """Designs of the asked form that name real fields."""
    known = set(names)
    return sum(not each.malformed and {*each.input_fields, *each.output_fields} <= known for each in parsed.designs)


def _parse(reply: Reply, names: list[str]) -> Parsed:
    answer = reply.answer
    refusal = answer.refusal
    if not (refusal or "").strip() and finish_of(answer.finish_reason) == FILTERED:
        refusal = "the endpoint's content filter stopped the answer"
    return parse_answer(answer.text, names, refusal=refusal)


def _proposals(
    metadata: DatasetMetadata, ask: Ask, reply: Reply, parsed: Parsed, shown: tuple[str, ...], spent: Usage
) -> Iterator[Proposal]:
    request = ask.request
    for subset in ask.subsets:
        for mode in request.modes:
            designs = parsed.of(_GROUPS[mode]) if len(request.modes) > 1 else parsed.designs
            if len(request.modes) > 1 and mode is request.modes[0]:
                designs += parsed.of("")  # of an answer that was cut off before its lists were closed
            problem = None
            if not designs:
                problem = Rejection(
                    repo_id=metadata.ref.repo_id,
                    config=subset.config,
                    level="task",
                    stage="instruction",
                    reason=parsed.problem or Reason.NO_DESIGN,
                    detail=parsed.detail,
                    mode=mode,
                )
            first = subset is ask.subsets[0] and mode is request.modes[0]
            yield Proposal(
                config=subset.config,
                mode=mode,
                request_digest=request.digest,
                model=request.model,
                designs=designs,
                shown_fields=shown,
                raw=reply.answer.text,
                finish_reason=reply.answer.finish_reason,
                problem=problem,
                usage=spent if first else Usage(),
            )
