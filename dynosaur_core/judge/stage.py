"""The judge stage: a model reads what the filter let pass, with records, and says what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from dynosaur_core.digest import digest
from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.judge.parse import Fields, Said, read_verdicts
from dynosaur_core.judge.prompts import messages
from dynosaur_core.judge.records import ShownRows, show
from dynosaur_core.judge.schema import verdict_schema
from dynosaur_core.llm.answers import Reply
from dynosaur_core.llm.request import Request, make_request
from dynosaur_core.llm.responses import LENGTH, finish_of
from dynosaur_core.models import DatasetMetadata, InstructionTask, Subset, TaskDesign, Verdict
from dynosaur_core.setting_sections import SHARED
from dynosaur_core.settings import Publishing, Settings
from dynosaur_core.store import Store

if TYPE_CHECKING:  # it brings `openai`: a second that only those wait for who ask
    from dynosaur_core.llm.client import LlmClient

JUDGE_VERSION = 1
"""Raised when the same answers are read otherwise, or when what is released is to be judged by other prompts."""
MAX_TASKS = 12
"""Designs of one request."""

Places = tuple[int, ...]
"""Positions of the tasks of one design. Subsets with the same features share designs, and so they do their verdicts."""


@dataclass(frozen=True)
class Ask:
    """One request, and the tasks that its numbers stand for."""

    request: Request
    places: tuple[Places, ...]
    """For each number from 1 on."""


@dataclass(frozen=True)
class _Part:
    """What is shown of one subset, and the tasks that it stands for."""

    shown: ShownRows
    places: tuple[Places, ...]


def plan(
    metadata: DatasetMetadata, tasks: Sequence[InstructionTask], settings: Settings, store: Store
) -> tuple[Ask, ...]:
    """Every first request about the tasks of a dataset: one, unless there are more than MAX_TASKS designs.

    Raises StoreFailed where the rows are missing.
    """
    packs: list[list[_Part]] = []
    for part in _parts(metadata, tasks, settings, store):
        if not packs or sum(len(each.places) for each in [*packs[-1], part]) > MAX_TASKS:
            packs.append([])
        packs[-1].append(part)
    return tuple(_ask(metadata, pack, settings) for pack in packs)


def judge_key(asks: Sequence[Ask], *more: object) -> str:
    """Digest of the exact requests, and of whatever else a result depends on."""
    return digest("judge", JUDGE_VERSION, [(ask.request.digest, ask.places) for ask in asks], *more)


def judge(asks: Sequence[Ask], tasks: Sequence[InstructionTask], llm: LlmClient) -> tuple[Verdict, ...]:
    """The verdict of each task, in their order.

    Every answer is in the store before it is read. Raises DynosaurError: MODEL_*, BudgetSpent, BatchPending, and
    NoVerdict where two answers leave a task unjudged; those are set aside, so that another night asks anew.
    """
    verdicts: dict[int, Verdict] = {}
    with ThreadPoolExecutor(max(1, min(len(asks), llm.settings.llm.max_in_flight)), "judge") as pool:
        # with the context of this thread: by it a log line finds the run that it belongs to
        futures = [pool.submit(copy_context().run, _answer, ask, llm) for ask in asks]
    for ask, future in zip(asks, futures, strict=True):
        for number, said in future.result().items():
            verdicts |= {place: _verdict(said, tasks[place], ask.request.model) for place in ask.places[number - 1]}
    return tuple(verdicts[place] for place in range(len(tasks)))


def _parts(
    metadata: DatasetMetadata, tasks: Sequence[InstructionTask], settings: Settings, store: Store
) -> Iterator[_Part]:
    """A design of several subsets is shown with the rows of the first of them that has it."""
    features = {subset.config: _features(subset, settings) for subset in metadata.subsets}
    designs: dict[str, list[int]] = {}
    for place, task in enumerate(tasks):
        words = (task.instruction, task.input_fields, task.output_field, task.list_output)
        designs.setdefault(digest(features.get(task.config), words), []).append(place)
    for subset in metadata.subsets:
        own = [tuple(places) for places in designs.values() if tasks[places[0]].config == subset.config]
        for start in range(0, len(own), MAX_TASKS):
            places = tuple(own[start : start + MAX_TASKS])
            table = _rows(metadata, subset, store)
            shown = show(subset, [tasks[each[0]] for each in places], table, _rendered(settings.publishing))
            yield _Part(shown, places)


def _rendered(publishing: Publishing) -> Publishing:
    """The defaults, whatever is set: a verdict does not depend on how records are written, and other ones must not be
    paid for. What filter and publish share decides what a task means."""
    return Publishing(**{name: getattr(publishing, name) for name in SHARED})


def _features(subset: Subset, settings: Settings) -> str:
    """Equal for subsets that share their designs."""
    return digest(subset.fields, subset.about) if settings.designing.share_configs else digest(subset.config)


def _rows(metadata: DatasetMetadata, subset: Subset, store: Store) -> pa.Table:
    if subset.rows is None:
        message = f"{metadata.ref.repo_id} has tasks for {subset.config!r}, of which no rows were sampled"
        raise DynosaurError(Code.STORE_FAILED, message)
    return store.read_table("rows", subset.rows.digest)


def _ask(metadata: DatasetMetadata, pack: Sequence[_Part], settings: Settings) -> Ask:
    asked = messages(metadata, [part.shown for part in pack])
    model, owner = settings.judging.model, metadata.ref.repo_id
    request = make_request(owner, (), asked, verdict_schema(), settings, model=model, answer="verdicts")
    return Ask(request, tuple(places for part in pack for places in part.places))


def _answer(ask: Ask, llm: LlmClient) -> dict[int, Said]:
    """The verdict of every number. Asks once more where the answer was cut off, and where it leaves out a task."""
    count, request, asked = len(ask.places), ask.request, [ask.request]
    reply = llm.ask(request)
    found = _read(reply, count)
    if len(found) < count and finish_of(reply.answer.finish_reason) == LENGTH:
        request = request.with_larger_limit()
        asked.append(request)
        reply = llm.ask(request)
        found = _read(reply, count) | found
    if len(found) < count and reply.answer.text.strip():
        asked.append(request.with_repair(reply.answer.text, f"it holds no verdict for {_unjudged(found, count)}"))
        reply = llm.ask(asked[-1])
        found = _read(reply, count) | found
    if len(found) < count:
        for each in asked:
            llm.answers.set_aside(each.digest)
        begins = reply.answer.refusal or reply.answer.text
        message = f"the answers hold no verdict for {_unjudged(found, count)}; the last one begins {begins[:200]!r}"
        raise DynosaurError(Code.NO_VERDICT, message)
    return found


def _read(reply: Reply, count: int) -> dict[int, Said]:
    return read_verdicts(reply.answer.text, count)


def _unjudged(found: dict[int, Said], count: int) -> str:
    return "task " + ", ".join(str(number) for number in range(1, count + 1) if number not in found)


def _verdict(said: Said, task: InstructionTask, model: str) -> Verdict:
    verdict = Verdict(reason=said.reason, said=said.thought, model=model)
    design = said.reason and _mended(said, task)
    return verdict.model_copy(update={"mended": design}) if design else verdict


def _mended(said: Said, task: InstructionTask) -> TaskDesign | None:
    """The design with the one change that was proposed; None where that changes nothing."""
    changed: dict[str, object] = {}
    if isinstance(said.mended, str):
        changed = {"instruction": said.mended}
    elif isinstance(said.mended, Fields):
        changed = {"input_fields": said.mended.inputs, "output_fields": (said.mended.output,)}
        if said.mended.output != task.output_field:
            changed |= {"list_output": None, "label_words": ()}
    design = task.design.model_copy(update=changed)
    return None if design == task.design else design
