"""Requests by the Batch API, at half price. What is queued in the store is sent as files; answers join the others.

    batches/queue/<digest>.json   a request that waits, and how often a batch has left it out
    batches/jobs/<name>.json      a batch: its requests, its ids at the endpoint, the money reserved for it

A job is written before its batch exists, and the batch carries the job's name: after a kill at any point this machine
or another finds the batch again instead of paying for a second one.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.ledger.budget import Reservation, Spending
from dynosaur_core.llm.answers import QUEUE, StoredAnswer
from dynosaur_core.llm.batch_endpoint import RUNNING, BatchEndpoint, BatchRefusedError, words_of
from dynosaur_core.llm.batch_jobs import JOBS, Collected, Job
from dynosaur_core.llm.client import LlmClient
from dynosaur_core.llm.failures import RefusedError, UnansweredError
from dynosaur_core.llm.prices import billed, cost_usd, prompt_tokens
from dynosaur_core.llm.request import Request, body
from dynosaur_core.llm.responses import read_completion
from dynosaur_core.logs import logger
from dynosaur_core.models import Usage

_LOG = logger("llm")
MAX_REQUESTS = 50_000
MAX_BYTES = 200_000_000
"""Of one batch file, as OpenAI limits them."""
RESEND_AFTER = timedelta(minutes=2)
"""A batch that is not in the list so long after it was sent counts as never made."""


class Batches:
    """Sends what `LlmClient.ask` has queued, and collects what has been answered. One process at a time."""

    def __init__(
        self,
        llm: LlmClient,
        *,
        max_requests: int = MAX_REQUESTS,
        max_bytes: int = MAX_BYTES,
        resend_after: timedelta = RESEND_AFTER,
    ) -> None:
        self.llm, self.store = llm, llm.answers.store
        self.endpoint = BatchEndpoint(llm.adapter)
        self.resend_after = resend_after
        self.max_requests, self.max_bytes = max_requests, max_bytes

    def submit(self) -> int:
        """Sends queued requests in as few batches as may be; returns how many requests went out.

        Raises BudgetSpent when the cap leaves room for none of them; what did not fit stays queued.
        """
        for job in self._jobs(running=True):
            if job.batch_id is None:
                self._create(job)  # its process was killed on the way
        out = {digest for job in self._jobs(running=True) for digest in job.digests}
        queued = [request for request in self.llm.answers.waiting() if request.digest not in out]
        queued = [request for request in queued if not self._try_out(request)]
        sent = 0
        for part in self._parts(queued):
            job = self._reserved(part)
            self._create(job)
            sent += len(job.digests)
            _LOG.info("batch %s: %d requests sent as %s", job.name, len(job.digests), job.batch_id or "an unknown id")
        return sent

    def collect(self) -> Collected:
        """Looks once at every running batch and puts its answers into the store."""
        total, owners = Collected(), set[str]()
        for job in self._jobs(running=True):
            if job.batch_id is None:
                self._create(job)
            elif self._was_sent_again(job):
                self._keep_one(job)
            batch = None if job.batch_id is None else self.endpoint.get(job.batch_id)
            status = "gone" if batch is None else batch.status
            _LOG.info(
                "batch %s of %d requests: %s", job.name, len(job.digests), status if job.batch_id else "not found"
            )
            if job.batch_id is None or status in RUNNING:  # whether it was made may not be known yet
                total.running += 1
            else:
                self._end(job, batch, total, owners)
        total.waiting = len(self.store.names(QUEUE))
        total.datasets = tuple(sorted(owners))
        return total

    def waiting_for(self) -> set[str]:
        """The datasets that have a request queued or in a running batch; all others can go on."""
        return {request.owner for request in self.llm.answers.waiting()}

    def _end(self, job: Job, batch: Any, total: Collected, owners: set[str]) -> None:
        requests = {digest: request for digest in job.digests if (request := self.llm.answers.queued(digest))}
        spent, seen = Usage(), set[str]()
        for line in self.endpoint.results(batch) if batch is not None else ():
            digest = str(line.get("custom_id"))
            if digest not in job.digests:
                total.unknown += 1
                continue
            if digest in seen:
                continue
            answer, usage = self._answer(digest, line, requests.get(digest), job)
            spent += usage
            if answer:
                seen.add(digest)
                owners |= {requests[digest].owner} if digest in requests else set()
        missing = set(requests) - seen
        total.missing += len(missing)
        for digest in missing:
            self.llm.answers.left_out(digest)
        total.answered += len(seen)
        total.usage += spent
        job.ended = batch.status if batch is not None else "gone"
        job.detail = words_of(batch)
        self._write(job)
        _LOG.info("batch %s has ended: %d answered, %d left out %s", job.name, len(seen), len(missing), job.detail)
        if self.llm.budget is not None:
            self.llm.budget.settle(Reservation(job.reserved_nano, job.scopes), spent)

    def _answer(
        self, digest: str, line: dict[str, Any], request: Request | None, job: Job
    ) -> tuple[StoredAnswer | None, Usage]:
        """The answer in a result line, put where answers are, and what the line cost; None where it holds no answer."""
        if request is None:  # an earlier look at the batch was killed after this line
            kept = self.llm.answers.get(digest)
            return kept, kept.usage if kept else Usage()
        response = line.get("response")
        if not isinstance(response, dict) or response.get("status_code") != 200:
            return None, Usage()
        try:
            answer = read_completion(json.dumps(response.get("body")).encode(), self.llm.settings.llm.api)
        except UnansweredError as error:
            return None, billed(self.llm.settings, request, error.told, batch=True)
        except (DynosaurError, RefusedError):  # without an answer's form it counts as left out
            return None, Usage()
        usage = billed(self.llm.settings, request, answer, batch=True)
        kept = StoredAnswer.of(request, answer, usage, job.batch_id)
        self.llm.answers.put(request, kept)
        self.llm.collected(digest, request.owner, usage)
        self.llm.answers.unqueue(digest)
        return kept, usage

    def _create(self, job: Job) -> None:
        """Sends a job's batch, unless the endpoint has it already.

        Where the answer to sending it is lost, the endpoint's list says whether it was made. A job whose batch is not
        there stays without an id; a later look begins with the list again, and sends again only after `resend_after`.
        """
        try:
            self._keep_one(job)
            if job.batch_id is None and (job.posted is None or datetime.now(UTC) - job.posted >= self.resend_after):
                lines = [self._line(request) for digest in job.digests if (request := self.llm.answers.queued(digest))]
                file_id = self.endpoint.upload(b"\n".join(lines))
                job.posted = datetime.now(UTC)
                self._write(job)
                job.batch_id = self.endpoint.make(job, file_id)
        except BatchRefusedError as error:
            self._give_up(job, error)
            raise
        self._write(job)

    def _keep_one(self, job: Job) -> None:
        """Takes the job's batch from the endpoint's list. Where there are several, since one was taken for lost and
        appeared later, the furthest stays, and the others are cancelled."""
        batches = self.endpoint.of_job(job)
        batches.sort(key=lambda batch: (batch.status != "completed", batch.status not in RUNNING, batch.created_at))
        if batches:
            job.batch_id = batches[0].id
        for batch in batches[1:]:
            with suppress(BatchRefusedError):  # it has ended meanwhile
                self.endpoint.cancel(batch)

    def _was_sent_again(self, job: Job) -> bool:
        """Whether the job may have two batches. One whose upload took long may not, but another look does no harm."""
        return job.posted is not None and job.posted - job.created >= self.resend_after

    def _give_up(self, job: Job, error: BatchRefusedError) -> None:
        """Ends a job whose batch the endpoint refuses: its money is free again, its requests stay queued."""
        job.ended, job.detail = "refused", error.message
        self._write(job)
        if error.code is Code.BATCH_FAILED:
            for digest in job.digests:
                self.llm.answers.left_out(digest)
        if self.llm.budget is not None:
            self.llm.budget.settle(Reservation(job.reserved_nano, job.scopes), Usage())

    def _reserved(self, part: list[Request]) -> Job:
        """A job for as much of `part` as the budget allows."""
        reservation = None
        while self.llm.budget is not None and reservation is None:
            try:
                reservation = self.llm.budget.reserve(sum(self._most(request) for request in part))
            except (Spending, DynosaurError) as error:
                if len(part) == 1:
                    if isinstance(error, DynosaurError):
                        raise
                    raise DynosaurError(Code.BUDGET_SPENT, "what is left of the cap is reserved") from error
                part = part[: len(part) // 2]
        job = Job(
            name=uuid.uuid4().hex,
            digests=tuple(request.digest for request in part),
            reserved_nano=reservation.nano if reservation else 0,
            scopes=reservation.scopes if reservation else (),
            created=datetime.now(UTC),
        )
        self._write(job)
        return job

    def _most(self, request: Request) -> float:
        tokens = int(prompt_tokens(request.messages, request.schema) * 1.3)
        return cost_usd(self.llm.settings, tokens, 0, request.max_output_tokens, batch=True, model=request.model) or 0.0

    def _parts(self, requests: list[Request]) -> Iterator[list[Request]]:
        part: list[Request] = []
        size, model = 0, None
        for request in sorted(requests, key=lambda each: each.model):
            length = len(self._line(request)) + 1
            if part and (len(part) == self.max_requests or size + length > self.max_bytes or request.model != model):
                yield part
                part, size = [], 0
            part.append(request)
            size, model = size + length, request.model
        if part:
            yield part

    def _line(self, request: Request) -> bytes:
        asked = body(request, self.llm.capabilities.of(request.model), self.llm.settings.llm.api)
        line = {"custom_id": request.digest, "method": "POST", "url": self.endpoint.path, "body": asked}
        return json.dumps(line, ensure_ascii=False).encode()

    def _try_out(self, request: Request) -> bool:
        """What the endpoint can do for a model is found out by one request at full price, not by a batch of errors.
        Returns whether it was this one."""
        if self.llm.capabilities.of(request.model).known:
            return False
        self.llm.ask(request, live=True)
        self.llm.answers.unqueue(request.digest)
        return True

    def _jobs(self, *, running: bool) -> list[Job]:
        jobs = [self.store.read_model(name, Job) for name in self.store.names(JOBS)]
        return [job for job in jobs if job and (job.ended is None) is running]

    def _write(self, job: Job) -> None:
        self.store.write_model(f"{JOBS}/{job.name}.json", job)
