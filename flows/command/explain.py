"""`dynosaur explain`: all that is known of one dataset, from the ledger, its contribution and its last branch."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from pydantic import BaseModel

from dynosaur_core.clients import Clients
from dynosaur_core.contributions import read_contribution
from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.export import records
from dynosaur_core.failing import advice
from dynosaur_core.ledger import LedgerEntry
from dynosaur_core.models import (
    Contribution,
    DatasetMetadata,
    FilterResult,
    InstructionTask,
    JudgeResult,
    Proposal,
    TaskCount,
    TaskDesign,
)
from dynosaur_core.prompting import described
from dynosaur_core.reasons import REASONS, Reason
from dynosaur_core.results import Result
from dynosaur_core.setting_names import did_you_mean
from dynosaur_core.store import Store
from dynosaur_core.traces import read_trace
from flows.command.explanation import (
    ConfigFacts,
    Design,
    Example,
    Explanation,
    LeftOut,
    ReleasedTask,
    RowsRejected,
    Source,
)

EXAMPLES = 2
"""Records that are shown."""
_LOOKED_THROUGH = 5_000
"""Records in which those of different tasks are looked for."""
_LISTED = 20
"""Configs that an error names."""


def explain(clients: Clients, name: str, *, requests: bool = True) -> Explanation:
    """One dataset, or one config of it (`ID:CONFIG`); raises NotFound where no growth has met it.

    `requests`: also what was asked of the model.
    """
    repo_id, _, config = name.partition(":")
    entry = clients.ledger.get(repo_id)
    if entry is None:
        meant = did_you_mean(repo_id, clients.ledger.similar(repo_id))
        raise DynosaurError(Code.NOT_FOUND, f"no growth into {clients.settings.store} has met {repo_id}{meant}")
    found = _outcome(entry)
    contribution = read_contribution(clients.store, repo_id, entry.contribution) if entry.contribution else None
    if contribution:
        found["released_tasks"] = [
            ReleasedTask(config=c.task.config, instruction=c.task.instruction, records=c.recorded)
            for c in contribution.tasks
            if not config or c.task.config == config
        ]
        found["examples"] = _examples(clients.store, contribution, config)
    trace = read_trace(clients.store, repo_id)
    if trace.seconds:
        found["seconds"] = trace.seconds
    if trace.usage:
        found["usage"] = trace.usage
    if not isinstance(trace.metadata, DatasetMetadata):
        return Explanation(**found)
    metadata = trace.metadata
    proposals = () if isinstance(trace.instruction, str) else trace.instruction
    filtered = trace.filter if isinstance(trace.filter, FilterResult) else None
    judged = trace.judge if isinstance(trace.judge, JudgeResult) else None
    if config:
        subsets = tuple(subset for subset in metadata.subsets if subset.config == config)
        refused = tuple(item for item in metadata.rejections if item.config == config)
        if not subsets and not refused:
            raise _no_config(metadata, config)
        metadata = metadata.model_copy(update={"subsets": subsets, "rejections": refused})
    designs = [
        item for item in _designs(proposals, judged or filtered, contribution) if not config or item.config == config
    ]
    rows = [item for item in contribution.rejections if not config or item.config == config] if contribution else []
    asked = [p for p in proposals if not config or p.config == config]
    if requests:
        from dynosaur_core.asked import asked_of_designers, asked_of_judge

        found["requests"] = [
            *asked_of_designers(clients, metadata, asked),
            *asked_of_judge(clients, trace.metadata, trace),
        ]
    return Explanation(
        **found,
        source=_source(metadata),
        designs=designs,
        rows_rejected=[RowsRejected(**_facts(item, RowsRejected)) for item in rows],
    )


def _no_config(metadata: DatasetMetadata, config: str) -> DynosaurError:
    known = [subset.config for subset in metadata.subsets]
    more = f", and {len(known) - _LISTED:,} more" if len(known) > _LISTED else ""
    has = f"it has {', '.join(known[:_LISTED]) or 'none'}{more}{did_you_mean(config, known)}"
    return DynosaurError(Code.NOT_FOUND, f"{metadata.ref.repo_id} has no config {config!r}; {has}")


def _examples(store: Store, contribution: Contribution, config: str) -> list[Example]:
    """Two records, of two tasks where there are two among the first records."""
    found = [
        record
        for record in islice(records([contribution], store), _LOOKED_THROUGH)
        if not config or record["config"] == config
    ]
    first = {record["task_id"]: record for record in reversed(found)}
    chosen = list(first.values())[::-1][:EXAMPLES] if len(first) > 1 else found[:EXAMPLES]
    return [Example(**{name: record[name] for name in Example.model_fields}) for record in chosen]


def _facts(noun: BaseModel, result: type[Result]) -> dict[str, Any]:
    """Those values of a noun that a result shows under the same names."""
    return noun.model_dump(include=set(result.model_fields))


def _outcome(entry: LedgerEntry) -> dict[str, Any]:
    code = entry.code or ""
    found: dict[str, Any] = {
        "dataset": entry.repo_id,
        "revision": entry.revision,
        "outcome": entry.outcome,
        "growth_id": entry.growth_id,
        "license": entry.license,
        "records": entry.records,
    }
    if code:
        found |= {
            "stage": entry.stage,
            "code": code,
            "meaning": REASONS[Reason(code)] if code in set(Reason) else "",
            "message": entry.detail,
            "what_to_do": advice(entry),
            "attempts": entry.attempts,
            "next_try": entry.next_try,
            "quarantined": entry.quarantined,
        }
    return found


def _source(metadata: DatasetMetadata) -> Source:
    configs = {
        subset.config: ConfigFacts(
            splits=[split.name for split in subset.splits],
            fields={name: described(field, subset.fact(name)) for name, field in subset.every_field.items()},
            rows_sampled=subset.rows.rows if subset.rows else 0,
        )
        for subset in metadata.subsets
    }
    refused = [LeftOut(**_facts(item, LeftOut)) for item in metadata.rejections]
    return Source(**_facts(metadata, Source), configs=configs, refused=refused)


def _designs(
    proposals: Sequence[Proposal], filtered: FilterResult | None, contribution: Contribution | None
) -> Iterator[Design]:
    """Every problem and proposed task with its verdict, by their order, which the filter keeps."""
    tasks, rejections = (deque(filtered.tasks), deque(filtered.rejections)) if filtered else (deque(), deque())
    accepted = deque(filtered.accepted) if filtered else deque()
    counts = {count.task.task_id: count for count in contribution.tasks} if contribution else {}
    for proposal in proposals:
        about = {"config": proposal.config, "mode": proposal.mode, "request": proposal.request_digest}
        if proposal.problem:
            yield Design(**about, verdict=proposal.problem.reason, detail=proposal.problem.detail)
            if rejections:
                rejections.popleft()
            if accepted:
                accepted.popleft()
        for design in proposal.designs:
            shown = {**about, **design.model_dump(mode="json", exclude={"malformed"})}
            good = accepted.popleft() if accepted else bool(tasks) and _is_design_of(tasks[0], proposal, design)
            if good and tasks:
                yield Design(**shown, **_acceptance(tasks.popleft(), proposal, design, counts))
            elif rejections:
                rejection = rejections.popleft()
                why = rejection.detail or REASONS[Reason(rejection.reason)]
                why = f"the judge: {why}" if rejection.stage == "judge" else why
                yield Design(**shown, verdict=rejection.reason, detail=why)
            else:
                yield Design(**shown, verdict="not judged")


def _is_design_of(task: InstructionTask, proposal: Proposal, design: TaskDesign) -> bool:
    """Whether a task was made of this design, for results that do not tell the order of their verdicts."""
    made = (task.config, task.mode, task.instruction, task.input_fields, (task.output_field,))
    given = (proposal.config, proposal.mode, design.instruction.strip(), design.input_fields, design.output_fields)
    return made == given


def _acceptance(
    task: InstructionTask, proposal: Proposal, design: TaskDesign, counts: Mapping[str, TaskCount]
) -> dict[str, Any]:
    count = counts.get(task.task_id)
    rows = {"rows_sampled": count.sampled, "rows_recorded": count.recorded} if count else {}
    told = {"judged_by": task.judged_by, "detail": task.judge_said or ""} if task.judged_by else {}
    if not _is_design_of(task, proposal, design):
        told["mended"] = f"{task.instruction} ({', '.join(task.input_fields)} -> {task.output_field})"
    return {"labels": list(task.labels), "verdict": "accepted", **told, **rows}
