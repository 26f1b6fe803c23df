"""`failed-OWNER-NAME-DIGEST`: of one failed dataset what was sent, what came back, and what to do."""

from __future__ import annotations

import shlex
from itertools import islice
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import ArtifactCreate
from prefect.context import FlowRunContext

from dynosaur_core.asked import asked_of_designers, asked_of_judge
from dynosaur_core.clients import Clients
from dynosaur_core.errors import DynosaurError
from dynosaur_core.failing import page_of
from dynosaur_core.identity import HUB
from dynosaur_core.models import DatasetMetadata, DatasetRef, FilterResult, Proposal, Stage
from dynosaur_core.results import Asked
from dynosaur_core.text import markdown_text
from dynosaur_core.traces import Trace
from tasks.artifacts.pages import fenced, key_of, linked

_REQUESTS = 4
_SENT_CHARS = 3_000
_CAME_BACK_CHARS = 3_000


def publish_evidence(markdown: str, repo_id: str, error: DynosaurError, task_run_id: UUID | None) -> None:
    """Creates the artifact, on the page of the task run that failed."""
    context = FlowRunContext.get()
    flow_run = context.flow_run if context else None
    made = ArtifactCreate(
        key=key_of(repo_id),
        type="markdown",
        description=markdown_text(str(error)),
        data=markdown,
        # the flow run's own artifacts would not be found among hundreds of these
        flow_run_id=flow_run.id if flow_run and task_run_id is None else None,
        task_run_id=task_run_id,
    )
    with get_client(sync_client=True) as client:
        client.create_artifact(made)


def evidence_markdown(
    clients: Clients,
    ref: DatasetRef,
    stage: Stage,
    error: DynosaurError,
    metadata: DatasetMetadata | None,
    proposals: list[Proposal],
    filtered: FilterResult | None,
) -> str:
    """The page. `metadata`, `proposals` and `filtered` are what the stages before it gave."""
    page = page_of(ref.repo_id) if clients.catalog.name == HUB else None
    return "\n\n".join(
        (
            f"# {linked(ref.repo_id, page)}",
            f"**{error.code}** in the stage {stage}, at revision `{ref.revision}`",
            fenced(error.message, _CAME_BACK_CHARS),
            f"**What to do:** {error.policy.advice}",
            "All that is known of it:",
            fenced(shlex.join(["dynosaur", "explain", ref.repo_id, "--store", clients.store.url]), 1_000, "sh"),
            *_asked(clients, stage, error, metadata, proposals, filtered),
        )
    )


def _asked(
    clients: Clients,
    stage: Stage,
    error: DynosaurError,
    metadata: DatasetMetadata | None,
    proposals: list[Proposal],
    filtered: FilterResult | None,
) -> list[str]:
    if metadata is None:
        return ["Its files were being read: no model has been asked about it."]
    try:
        found = list(islice(asked_of_designers(clients, metadata, proposals), _REQUESTS))
        if stage == "judge":
            broken = Trace(filter=filtered, judge=str(error))
            found = list(islice(asked_of_judge(clients, metadata, broken), _REQUESTS))
    except DynosaurError as unreadable:
        return [f"What was asked cannot be read any more: {markdown_text(str(unreadable))}"]
    return [part for number, each in enumerate(found, start=1) for part in _request(number, each)]


def _request(number: int, each: Asked) -> list[str]:
    # the last message is about this dataset; those before it are the same for all
    last = each.sent[-1].get("content", "") if each.sent else ""
    others = f" (after {len(each.sent) - 1} that are the same for all)" if len(each.sent) > 1 else ""
    came_back = each.came_back if each.came_back is not None else each.refusal
    parts = [f"## Request {number}", f"Sent{others}:", fenced(last, _SENT_CHARS)]
    if came_back is None:
        return [*parts, "No answer is kept: what came back instead is in the message above."]
    model = f" from {markdown_text(each.model)}" if each.model else ""
    return [*parts, f"Came back{model}:", fenced(came_back, _CAME_BACK_CHARS)]
