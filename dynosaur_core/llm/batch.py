"""Requests by the Batch API, at half price. What is queued in the store is sent as files; answers join the others.

    batches/queue/<digest>.json   a request that waits, and how often a batch has left it out
    batches/jobs/<name>.json      a batch: its requests, its ids at the endpoint, the money reserved for it

A job is written before its batch exists, and the batch carries the job's name: after a kill at any point this machine
or another finds the batch again instead of paying for a second one.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, TypeVar

import httpx2
import openai

from dynosaur_core import stopping
from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.ledger.budget import Reservation, Spending
from dynosaur_core.llm.answers import QUEUE, StoredAnswer, queue_name
from dynosaur_core.llm.batch_jobs import JOBS, Collected, Job
from dynosaur_core.llm.client import LlmClient, stored
from dynosaur_core.llm.exchange import within
from dynosaur_core.llm.failures import RefusedError, UnansweredError
from dynosaur_core.llm.prices import cost_usd, prompt_tokens
from dynosaur_core.llm.request import Request, body
from dynosaur_core.models import Mode, Usage
from dynosaur_core.text import storable

MAX_REQUESTS = 50_000
MAX_BYTES = 200_000_000
"""Of one batch file, as OpenAI limits them."""
_PATHS = {"chat": "/v1/chat/completions", "responses": "/v1/responses"}
_RUNNING = ("validating", "in_progress", "finalizing", "cancelling")
_TRIES = 4
_LOOKS = 4
"""Looks into the endpoint's list, ever longer apart, after the answer to sending a batch was lost."""
RESEND_AFTER = timedelta(minutes=2)
"""A batch that is not in the list so long after it was sent counts as never made."""
_EXCHANGE_S, _EXCHANGE_BYTES = 1_800.0, 4_000_000_000
"""The most that sending or fetching one file may take."""
_CLOCKS_APART = timedelta(days=1)
_NO_BATCHES = "the endpoint has no Batch API (404): grow without --batch and llm.batch"
_T = TypeVar("_T")


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
        self.resend_after = resend_after
        self.max_requests, self.max_bytes = max_requests, max_bytes

    def submit(self) -> int:
        """Sends queued requests in as few batches as may be; gives how many requests went out.

        Raises BudgetSpent when the cap leaves room for none of them; what did not fit stays queued.
        """
        for job in self._jobs(running=True):
            if job.batch_id is None:
                self._create(job)  # its process was killed on the way
        out = {digest for job in self._jobs(running=True) for digest in job.digests}
        queued = [request for request in self._queued() if request.digest not in out]
        if queued and not self.llm.capability.known:
            self._try_out(queued.pop(0))
        sent = 0
        for part in self._parts(queued):
            job = self._reserved(part)
            self._create(job)
            sent += len(job.digests)
        return sent

    def collect(self) -> Collected:
        """Looks once at every running batch and puts its answers into the store."""
        total, owners = Collected(), set[str]()
        for job in self._jobs(running=True):
            if job.batch_id is None:
                self._create(job)
            if job.batch_id is None:  # whether it was made is not known yet
                total.running += 1
                continue
            batch = self._call(partial(self.llm.adapter.openai.batches.retrieve, job.batch_id))
            if batch is not None and batch.status in _RUNNING:
                total.running += 1
                continue
            self._end(job, batch, total, owners)
        total.waiting = len(self.store.names(QUEUE))
        total.datasets = tuple(sorted(owners))
        return total

    def waiting_for(self) -> set[str]:
        """The datasets that have a request queued or in a running batch; all others can go on."""
        return {request.owner for request in self._queued()}

    def _end(self, job: Job, batch: Any, total: Collected, owners: set[str]) -> None:
        requests = {digest: request for digest in job.digests if (request := self._request(digest))}
        spent, seen = Usage(), set[str]()
        for line in self._lines(batch):
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
                if digest in requests:
                    owners.add(requests[digest].owner)
        for digest in set(requests) - seen:
            total.missing += 1
            self.llm.answers.left_out(digest)
        total.answered += len(seen)
        total.usage += spent
        job.ended = batch.status if batch is not None else "gone"
        job.detail = _errors(batch)
        self._write(job)
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
            answer = self.llm.adapter.read(json.dumps(response.get("body")).encode())
        except UnansweredError as error:
            return None, stored(self.llm.settings, request, error.told, job.batch_id).usage
        except (DynosaurError, RefusedError):  # without an answer's form it counts as left out
            return None, Usage()
        kept = stored(self.llm.settings, request, answer, job.batch_id)
        self.llm.answers.put(request, kept)
        self.llm.collected(digest, request.owner, kept.usage)
        self.llm.answers.unqueue(digest)
        return kept, kept.usage

    def _lines(self, batch: Any) -> Iterator[dict[str, Any]]:
        """The lines of a batch's results; one that is no JSON object has no custom_id, like an answer to nobody."""
        for file_id in (batch.output_file_id, batch.error_file_id) if batch is not None else ():
            if file_id:
                content = self._call(partial(self.llm.adapter.openai.files.content, file_id))
                lines = content.read().splitlines() if content is not None else []
                yield from (_object(line) for line in lines if line.strip())

    def _create(self, job: Job) -> None:
        """Sends a job's batch, unless the endpoint has it already.

        Where the answer to sending it is lost, the endpoint's list says whether it was made. A job whose batch is not
        there stays without an id; a later look begins with the list again, and sends again only after `resend_after`.
        """
        try:
            batch = self._call(lambda: self._find(job))
            if batch is None and (job.posted is None or datetime.now(UTC) - job.posted >= self.resend_after):
                batch = self._made(job)
        except DynosaurError as error:
            if not error.kind.transient or error.message == _NO_BATCHES or isinstance(error.__cause__, RefusedError):
                self._give_up(job, error)
            raise
        job.batch_id = batch.id if batch is not None else None
        self._write(job)

    def _made(self, job: Job) -> Any:
        """A new batch, or None where it is not known whether there is one."""
        client = self.llm.adapter.openai
        lines = [self._line(request) for digest in job.digests if (request := self._request(digest))]
        file = self._call(lambda: client.files.create(file=("requests.jsonl", b"\n".join(lines)), purpose="batch"))
        if file is None:
            raise DynosaurError(Code.MODEL_UNREACHABLE, _NO_BATCHES)
        job.posted = datetime.now(UTC)
        self._write(job)
        try:
            batch = self._call(lambda: self._post(job, file.id), tries=1)
        except DynosaurError as error:
            if not error.kind.transient or (error.kind.deferred and error.code is not Code.MODEL_UNREACHABLE):
                raise
            if isinstance(error.__cause__, RefusedError):
                raise
            return self._looked_for(job)
        if batch is None:
            raise DynosaurError(Code.MODEL_UNREACHABLE, _NO_BATCHES)
        return batch

    def _post(self, job: Job, file_id: str) -> Any:
        return self.llm.adapter.openai.batches.create(
            input_file_id=file_id,
            endpoint=_PATHS[self.llm.settings.llm.api],  # type: ignore[arg-type]
            completion_window="24h",
            metadata={"dynosaur": job.name},
        )

    def _looked_for(self, job: Job) -> Any:
        for look in range(_LOOKS):
            stopping.sleep(0.25 * 3**look)
            if (batch := self._call(lambda: self._find(job))) is not None:
                return batch
        return None

    def _find(self, job: Job) -> Any:
        """The batch that carries the job's name, in the endpoint's list, the newest first."""
        oldest = (job.created - _CLOCKS_APART).timestamp()
        for batch in self.llm.adapter.openai.batches.list(limit=100):
            if (batch.metadata or {}).get("dynosaur") == job.name:
                return batch
            if batch.created_at and batch.created_at < oldest:
                return None
        return None

    def _give_up(self, job: Job, error: DynosaurError) -> None:
        """Ends a job whose batch the endpoint refuses: its money is free again, its requests stay queued."""
        job.ended, job.detail = "refused", error.message
        self._write(job)
        if isinstance(error.__cause__, RefusedError):
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
        return cost_usd(self.llm.settings, tokens, 0, request.max_output_tokens, batch=True) or 0.0

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
        api = self.llm.settings.llm.api
        line = {
            "custom_id": request.digest,
            "method": "POST",
            "url": _PATHS[api],
            "body": body(request, self.llm.capability, api),
        }
        return json.dumps(line, ensure_ascii=False).encode()

    def _try_out(self, request: Request) -> None:
        """What the endpoint can do is found out by one request at full price, not by a batch of errors."""
        self.llm.ask(request, live=True)
        self.llm.answers.unqueue(request.digest)

    def _queued(self) -> Iterator[Request]:
        for name in self.store.names(QUEUE):
            digest = name.rsplit("/", 1)[-1].removesuffix(".json")
            if self.llm.answers.has(digest):
                self.store.remove(name)
            elif request := self._request(digest):
                yield request

    def _request(self, digest: str) -> Request | None:
        kept = self.store.read_json(queue_name(digest))
        if kept is None:
            return None
        asked = kept["request"]
        modes, messages = tuple(Mode(mode) for mode in asked["modes"]), tuple(asked["messages"])
        return Request(**{**asked, "modes": modes, "messages": messages})

    def _jobs(self, *, running: bool) -> list[Job]:
        jobs = [self.store.read_model(name, Job) for name in self.store.names(JOBS)]
        return [job for job in jobs if job and (job.ended is None) is running]

    def _write(self, job: Job) -> None:
        self.store.write_json(f"{JOBS}/{job.name}.json", job)

    def _call(self, call: Callable[[], _T], tries: int = _TRIES) -> _T | None:
        """Tries a few times; None where the endpoint answers 404. Raises DynosaurError."""
        for attempt in range(tries):
            try:
                with within(_EXCHANGE_S, _EXCHANGE_BYTES):
                    return call()
            except openai.NotFoundError:
                return None
            except (openai.OpenAIError, httpx2.HTTPError) as error:
                named = self.llm.adapter.named(error)
                if isinstance(named, RefusedError):
                    raise DynosaurError(Code.BATCH_FAILED, named.message) from named
                if attempt == tries - 1 or not named.kind.transient:
                    raise named from error
                stopping.sleep(min(30.0, named.retry_after or 0.25 * 2**attempt))
        return None


def _object(line: bytes) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _errors(batch: Any) -> str:
    data = batch.errors.data if batch is not None and batch.errors is not None else None
    return storable("; ".join(str(error.message) for error in data or []), 500)
