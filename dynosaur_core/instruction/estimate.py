"""What the requests of a dataset will cost, before any is sent."""

from __future__ import annotations

from dynosaur_core.instruction.stage import Ask, plan
from dynosaur_core.llm.answers import Answers
from dynosaur_core.llm.prices import count_tokens, priced, prompt_tokens
from dynosaur_core.models import DatasetMetadata, Usage
from dynosaur_core.settings import Settings
from dynosaur_core.store import Store

TASKS_PER_ANSWER = 2.3
"""Tasks that GPT-3.5 gave of the three asked for; measured on 142 designs for 62 configs."""
_TASK_TOKENS = 36
"""A task's instruction and the words of its form, without field names; on the same designs."""
_FIELDS_PER_TASK = 2.6


def estimate(metadata: DatasetMetadata, settings: Settings, store: Store | None = None) -> Usage:
    """Requests, tokens and dollars of a dataset's requests, without those whose answers `store` holds.

    Reads nothing but the metadata. Prompts are counted exactly; answers are taken to be as long as answers are, which
    leaves out what a model thinks before it answers.
    """
    answers = Answers(store) if store else None
    asks = [
        ask for ask in plan(metadata, settings) if not (answers and answers.has(ask.request.digest, ask.request.owner))
    ]
    usage = Usage(
        requests=len(asks),
        prompt_tokens=sum(_prompt(ask, settings) for ask in asks),
        completion_tokens=sum(_completion(ask, settings) for ask in asks),
    )
    return priced(settings, usage, batch=settings.llm.batch)


def _prompt(ask: Ask, settings: Settings) -> int:
    schema = ask.request.schema if settings.llm.structured in ("auto", "schema") else None
    return prompt_tokens(ask.request.messages, schema)


def _completion(ask: Ask, settings: Settings) -> int:
    names = ask.subsets[0].field_names
    name_tokens = sum(count_tokens(name) + 2 for name in names) / max(1, len(names))
    tasks = min(TASKS_PER_ANSWER, settings.designing.max_tasks) * len(ask.request.modes)
    return round(tasks * (_TASK_TOKENS + _FIELDS_PER_TASK * name_tokens)) + 6
