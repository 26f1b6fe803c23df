"""What the models were sent about a dataset, and what came back: read again from the answers of the store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from dynosaur_core.clients import Clients
from dynosaur_core.instruction.stage import plan
from dynosaur_core.judge.stage import plan as plan_judge
from dynosaur_core.llm.answers import Answers
from dynosaur_core.models import DatasetMetadata, FilterResult, JudgeResult, Proposal
from dynosaur_core.results import Asked
from dynosaur_core.traces import Trace


def asked_of_designers(clients: Clients, metadata: DatasetMetadata, proposals: Sequence[Proposal]) -> Iterator[Asked]:
    """What was sent and what came back, from the store's answers; what is still to be answered, as it would be sent."""
    planned = {ask.request.digest: ask.request.messages for ask in plan(metadata, clients.settings)}
    names = list(dict.fromkeys(p.request_digest for p in proposals)) or list(planned)
    yield from _asked(clients, metadata, names, planned)


def asked_of_judge(clients: Clients, metadata: DatasetMetadata, trace: Trace) -> Iterator[Asked]:
    """What the judge was sent and said, who is asked about all configs of a dataset at once."""
    if isinstance(trace.judge, JudgeResult):
        yield from _asked(clients, metadata, trace.judge.requests, {})
    elif trace.judge is not None and isinstance(trace.filter, FilterResult):
        asks = plan_judge(metadata, trace.filter.tasks, clients.settings, clients.store)
        planned = {ask.request.digest: ask.request.messages for ask in asks}
        yield from _asked(clients, metadata, list(planned), planned)


def _asked(
    clients: Clients, metadata: DatasetMetadata, names: Sequence[str], planned: Mapping[str, tuple[dict[str, str], ...]]
) -> Iterator[Asked]:
    answers = Answers(clients.store)
    for name in names:
        answer = answers.last(name, metadata.ref.repo_id)
        if answer:
            told = answer.model_dump(include=set(Asked.model_fields))
            yield Asked(request=name, **told, sent=list(answer.messages), came_back=answer.text)
        elif name in planned:
            yield Asked(request=name, sent=list(planned[name]), came_back=None)
