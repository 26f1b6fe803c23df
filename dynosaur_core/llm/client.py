"""The LLM client: asks once, keeps the answer, never asks again what it knows. Shared by all threads of a process."""

from __future__ import annotations

import json
import random
import threading
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from datetime import datetime

from dynosaur_core import stopping
from dynosaur_core.digest import digest
from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.ledger.budget import Budget, Reservation, Spending
from dynosaur_core.llm.adapter import Adapter
from dynosaur_core.llm.answers import Answers, StoredAnswer
from dynosaur_core.llm.circuit import Circuit
from dynosaur_core.llm.failures import LostError, RefusedError, UnansweredError
from dynosaur_core.llm.limits import Pace
from dynosaur_core.llm.prices import billed, cost_usd, prompt_tokens, require_price
from dynosaur_core.llm.request import Capability, Request, body, make_request
from dynosaur_core.llm.responses import STOP, Answer
from dynosaur_core.llm.thoughts import after_thoughts
from dynosaur_core.models import Usage
from dynosaur_core.settings import Settings
from dynosaur_core.store import Store

_RETRIED: dict[Code, int] = {
    Code.MODEL_RATE_LIMITED: 1_000,
    Code.MODEL_SERVER_ERROR: 1_000,
    Code.MODEL_TIMED_OUT: 1_000,
    Code.MODEL_UNREACHABLE: 1_000,
    Code.MODEL_BAD_RESPONSE: 5,
}
"""How often a transient error is met, within `llm.retry_s`, before it is the dataset's: a bad response may be paid."""
_MOST_PAID = 5
"""How many responses without an answer, each of which may have been billed, one request may bring."""
MAX_LEFT_OUT = 3
"""So many batches may end without an answer to a request before its dataset fails."""
_FIRST_DELAY_S = 0.25
_MAX_DELAY_S = 30.0
_SPENDING_POLL_S = 0.05
_LIKELY_OUTPUT_TOKENS = 150
_PROMPT_MARGIN = 1.3
"""The budget reserves this much over the estimated prompt: other tokenizers count more."""


@dataclass(frozen=True)
class Reply:
    """An answer, and what it cost in this run: nothing when the store had it."""

    answer: StoredAnswer
    spent: Usage


class LlmClient:
    """One endpoint and model, with its limits, budget and memory."""

    def __init__(
        self, settings: Settings, store: Store, *, budget: Budget | None = None, base_url: str | None = None
    ) -> None:
        """`base_url` goes before OPENAI_BASE_URL. Raises PriceUnknown, ModelKeyRefused, BadSetting before any call."""
        require_price(settings)
        if budget is None and (settings.max_cost_usd is not None or settings.max_cost_usd_month is not None):
            raise DynosaurError(Code.BAD_SETTING, "a cost cap needs a ledger that keeps the budget")
        self.settings = settings
        self.adapter = Adapter(settings.llm.api, settings.llm.timeout_s, base_url)
        self.answers = Answers(store)
        self.budget = budget
        self.pace = Pace(settings.llm)
        self.circuit = Circuit(settings.llm.timeout_s)
        self._endpoint = digest(self.adapter.base_url, settings.model, settings.llm.api)
        self._capability = self.answers.capability(self._endpoint) or Capability(
            max_tokens_name="max_completion_tokens" if self.adapter.official else "max_tokens"
        )
        self.anew_since: datetime | None = None
        """Stored answers from before this moment are asked for once more, and replaced."""
        self._first, self._tried = threading.Lock(), False
        self._lock = threading.Lock()
        self._usage: defaultdict[str, Usage] = defaultdict(Usage)
        self._collected: dict[str, Usage] = {}

    @property
    def capability(self) -> Capability:
        """What is known of the endpoint so far."""
        return self._capability

    def usage(self, owner: str | None = None) -> Usage:
        """What this process has spent, for one dataset or in all; exact also where the dataset failed afterwards."""
        with self._lock:
            return self._usage[owner] if owner else sum(self._usage.values(), Usage())

    def check(self) -> Capability:
        """Asks one tiny question, past the store, and gives what is known then. Raises MODEL_* where it fails."""
        schema = {"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]}
        question = ({"role": "user", "content": 'Answer with this JSON: {"ok": true}'},)
        self._perform(make_request("", (), question, {**schema, "additionalProperties": False}, self.settings))
        return self._capability

    def ask(self, request: Request, *, live: bool = False) -> Reply:
        """The answer to `request`: from the store, else from the endpoint, and then kept before anyone reads it.

        With `llm.batch` a first request is queued for `Batches` instead, unless `live`. Raises DynosaurError: MODEL_*,
        BudgetSpent, BatchPending, or BatchFailed for a request that several batches have left out.
        """
        with self.answers.alone(request.digest):
            if kept := self.answers.get(request.digest, self.anew_since):
                with self._lock:
                    return Reply(kept, self._collected.pop(request.digest, Usage()))
            if self.settings.llm.batch and request.follow_up is None and not live:
                if (left_out := self.answers.queue(request)) >= MAX_LEFT_OUT:
                    self.answers.unqueue(request.digest)
                    message = f"{left_out} batches ended without an answer to request {request.digest}"
                    raise DynosaurError(Code.BATCH_FAILED, message)
                raise DynosaurError(Code.BATCH_PENDING, f"request {request.digest} waits for its batch")
            answer = self._first_of_all(request) or self._perform(request)
            return Reply(answer, answer.usage)

    def collected(self, request_digest: str, owner: str, usage: Usage) -> None:
        """Books an answer that a batch has brought: the next `ask` for it reports what it cost."""
        with self._lock:
            self._collected[request_digest] = usage
            self._usage[owner] += usage

    def _first_of_all(self, request: Request) -> StoredAnswer | None:
        """What the endpoint can do is found out by one request while the others wait; None for those."""
        if self._tried or self._capability.known:
            return None
        with self._first:
            if self._tried:
                return None
            try:
                return self._perform(request)
            finally:  # where it fails the others do not queue up to fail one by one
                self._tried = True

    def _perform(self, request: Request) -> StoredAnswer:
        terms = self._capability
        tokens = prompt_tokens(request.messages, request.schema if terms.structured == "schema" else None)
        failures, paid, tried_s = Counter[Code](), 0, 0.0
        while True:
            self.circuit.check()
            with self.pace.turn(request.owner, tokens + _LIKELY_OUTPUT_TOKENS):
                self.circuit.check()
                reservation = self._reserve(tokens, request.max_output_tokens)
                started = time.monotonic()
                try:
                    return self._attempt(request, terms, tokens, reservation)
                except RefusedError as refused:
                    self.circuit.responded()
                    terms = self._other_terms(request, terms, refused.message)
                    continue
                except DynosaurError as error:
                    failures[error.code] += 1
                    paid += isinstance(error, UnansweredError)
                    delay_s = self._after(error, failures.total())
                    tried_s += time.monotonic() - started + max(delay_s, error.retry_after or 0.0)
                    if failures[error.code] >= _RETRIED.get(error.code, 1) or paid >= _MOST_PAID:
                        raise
                    if tried_s > self.settings.llm.retry_s:
                        raise
            self.circuit.sleep(delay_s)

    def _attempt(
        self, request: Request, terms: Capability, tokens: int, reservation: Reservation | None
    ) -> StoredAnswer:
        usage = Usage()
        try:
            answer, headers = self.adapter.send(body(request, terms, self.settings.llm.api))
            usage = billed(self.settings, request, answer)
            kept = StoredAnswer.of(request, answer, usage)
            if request.modes:
                self.answers.put(request, kept)
            self.circuit.responded()
            over = usage.prompt_tokens + usage.completion_tokens - tokens - _LIKELY_OUTPUT_TOKENS
            self.pace.answered(over, headers)
            if not self._capability.known:
                self._learn(request, terms, answer)
            return kept
        except UnansweredError as error:
            usage = billed(self.settings, request, error.told)
            raise
        except LostError:
            usage = Usage(cost_usd=reservation.nano / 1e9 if reservation else 0.0)
            raise
        finally:
            if self.budget is not None and reservation is not None:
                self.budget.settle(reservation, usage)
            if usage.requests:
                with self._lock:
                    self._usage[request.owner] += usage

    def _reserve(self, tokens: int, max_output_tokens: int) -> Reservation | None:
        """Sets the most aside that the request can cost; waits where others may yet leave room."""
        if self.budget is None:
            return None
        usd = cost_usd(self.settings, int(tokens * _PROMPT_MARGIN), 0, max_output_tokens) or 0.0
        while True:
            try:
                return self.budget.reserve(usd)
            except Spending:
                stopping.sleep(_SPENDING_POLL_S * random.uniform(0.5, 1.5))

    def _after(self, error: DynosaurError, failures: int) -> float:
        """Tells circuit and pace of an error; gives the seconds to wait before the next attempt."""
        backoff_s = min(_MAX_DELAY_S, _FIRST_DELAY_S * 2.0 ** min(failures - 1, 10)) * random.uniform(0.5, 1.0)
        self.circuit.failed(error)
        if error.code is Code.MODEL_RATE_LIMITED:
            self.pace.push_back(error.retry_after or backoff_s)
            return 0.0 if error.retry_after else backoff_s
        if error.code is Code.MODEL_TIMED_OUT:
            self.pace.push_back(0.0)
        elif error.retry_after:
            self.pace.pause(error.retry_after)
        return backoff_s

    def _other_terms(self, request: Request, terms: Capability, message: str) -> Capability:
        """Terms that give another body; raises ModelRequestRefused where there are none."""
        api, new = self.settings.llm.api, terms.after_refusal(message)
        while new is not None and body(request, new, api) == body(request, terms, api):
            new = new.after_refusal(message)
        if new is None:
            raise DynosaurError(Code.MODEL_REQUEST_REFUSED, message)
        return new

    def _learn(self, request: Request, terms: Capability, answer: Answer) -> None:
        """The first answer under these terms: were they kept? An endpoint that ignores a schema gets text from us."""
        structured = terms.structured
        if structured != "text" and answer.finish_reason == STOP and answer.refusal is None:
            try:
                value = json.loads(after_thoughts(answer.text))
            except (ValueError, RecursionError):
                value = None
            if not (isinstance(value, dict) and set(request.schema["required"]) <= set(value)):
                structured = "text"
        self._capability = replace(terms, structured=structured, known=True)
        self.answers.remember(self._endpoint, self._capability)
