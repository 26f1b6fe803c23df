"""Files and batches at the endpoint, by the `openai` package: each call is tried a few times, within bounds."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, TypeVar

import httpx2
import openai

from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.exchange import within
from dynosaur_core.llm.adapter import Adapter
from dynosaur_core.llm.batch_jobs import Job
from dynosaur_core.llm.failures import RefusedError
from dynosaur_core.logs import logger
from dynosaur_core.retry import retrying
from dynosaur_core.text import line

RUNNING = ("validating", "in_progress", "finalizing", "cancelling")
_CANCELLABLE = ("validating", "in_progress")
_PATHS = {"chat": "/v1/chat/completions", "responses": "/v1/responses"}
_LOG = logger("llm")
_ATTEMPTS, _LONGEST_S = 4, 30.0
"""Of one call, and the longest wait between two of them, see `retry`."""
_EXCHANGE_S, _EXCHANGE_BYTES = 1_800.0, 4_000_000_000
"""The most that sending or fetching one file may take."""
_CLOCKS_APART = timedelta(days=1)
_UNCERTAIN = (Code.MODEL_UNREACHABLE, Code.MODEL_TIMED_OUT, Code.MODEL_SERVER_ERROR, Code.MODEL_RATE_LIMITED)
"""Errors of sending a batch after which it may exist all the same."""
_T = TypeVar("_T")


class BatchRefusedError(DynosaurError):
    """The endpoint refuses what was sent, or has no Batch API: it has made no batch of it."""


class BatchEndpoint:
    """The batches of one endpoint. Every method raises DynosaurError MODEL_*, or BatchRefusedError."""

    def __init__(self, adapter: Adapter) -> None:
        self._adapter = adapter
        self.path = _PATHS[adapter.api]
        """What a batch asks: the path of a single request."""

    def upload(self, lines: bytes) -> str:
        """Sends a file of requests and returns its id."""
        files = self._adapter.openai.files
        return _there(self._call(lambda: files.create(file=("requests.jsonl", lines), purpose="batch"))).id

    def make(self, job: Job, file_id: str) -> str | None:
        """Makes the batch of `job` and returns its id; None where the answer was lost, so that it may exist or not."""
        batches, path = self._adapter.openai.batches, self.path

        def post() -> Any:
            return batches.create(
                input_file_id=file_id,
                endpoint=path,  # type: ignore[arg-type]
                completion_window="24h",
                metadata={"dynosaur": job.name},
            )

        try:
            return str(_there(self._call(post, attempts=1)).id)
        except BatchRefusedError:
            raise
        except DynosaurError as error:
            if error.code not in _UNCERTAIN:
                raise
            return None

    def get(self, batch_id: str) -> Any:
        """The batch; None where the endpoint does not know it."""
        return self._call(lambda: self._adapter.openai.batches.retrieve(batch_id))

    def of_job(self, job: Job) -> list[Any]:
        """The batches that carry the job's name, the newest first."""
        return self._call(lambda: list(self._listed(job))) or []

    def cancel(self, batch: Any) -> None:
        """Cancels a batch, unless it has come so far that the endpoint finishes it."""
        if batch.status in _CANCELLABLE:
            self._call(lambda: self._adapter.openai.batches.cancel(batch.id))

    def results(self, batch: Any) -> Iterator[dict[str, Any]]:
        """The lines of a batch's results; one that is no JSON object has no custom_id, like an answer to nobody."""
        for file_id in filter(None, (batch.output_file_id, batch.error_file_id)):
            content = self._call(lambda name=file_id: self._adapter.openai.files.content(name))  # type: ignore[misc]
            lines = content.read().splitlines() if content is not None else []
            yield from (_object(text) for text in lines if text.strip())

    def _listed(self, job: Job) -> Iterator[Any]:
        oldest = (job.created - _CLOCKS_APART).timestamp()
        for batch in self._adapter.openai.batches.list(limit=100):
            if batch.created_at and batch.created_at < oldest:
                return
            if (batch.metadata or {}).get("dynosaur") == job.name:
                yield batch

    def _call(self, call: Callable[[], _T], attempts: int = _ATTEMPTS) -> _T | None:
        """Returns what `call` returns, which is called a few times where it may help; None where the endpoint answers
        404."""

        def attempt() -> _T | None:
            try:
                with within(time.monotonic() + _EXCHANGE_S, _EXCHANGE_BYTES):
                    return call()
            except openai.NotFoundError:
                return None
            except (openai.OpenAIError, httpx2.HTTPError) as error:
                named = self._adapter.named(error)
                if isinstance(named, RefusedError):
                    raise BatchRefusedError(Code.BATCH_FAILED, named.message) from error
                if not named.policy.transient:
                    raise BatchRefusedError(named.code, named.message) from error
                raise named from error

        what = f"batches of {self._adapter.host}"
        return retrying(attempt, what=what, log=_LOG, attempts=attempts, backoff_s=0.25, longest_s=_LONGEST_S)


def words_of(batch: Any) -> str:
    """What a batch says of why it failed; "" for None."""
    data = batch.errors.data if batch is not None and batch.errors is not None else None
    return line("; ".join(str(error.message) for error in data or []), 500)


def _there(found: _T | None) -> _T:
    if found is None:
        message = "the endpoint has no Batch API (404): grow without --batch and llm.batch"
        raise BatchRefusedError(Code.MODEL_UNREACHABLE, message)
    return found


def _object(text: bytes) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
