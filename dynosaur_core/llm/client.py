"""The LLM client: asks once, keeps the answer, never asks again what it knows. Shared by all threads of a process."""

from __future__ import annotations

import random
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from dynosaur_core import stopping
from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.ledger.budget import Budget, Reservation, Spending
from dynosaur_core.llm.adapter import Adapter
from dynosaur_core.llm.answers import Answers, Reply, StoredAnswer
from dynosaur_core.llm.capabilities import Capabilities
from dynosaur_core.llm.circuit import CircuitBreaker
from dynosaur_core.llm.failures import LostError, RefusedError, UnansweredError
from dynosaur_core.llm.limits import RateLimiter
from dynosaur_core.llm.patience import Patience
from dynosaur_core.llm.prices import billed, cost_usd, prompt_tokens, require_price, told
from dynosaur_core.llm.request import Capability, Request, body, make_request
from dynosaur_core.llm.waiting import Waiting
from dynosaur_core.logs import logger
from dynosaur_core.models import Usage
from dynosaur_core.settings import Settings
from dynosaur_core.store import Store

_LOG = logger("llm")
MAX_LEFT_OUT = 3
"""So many batches may end without an answer to a request before its dataset fails."""
_SPENDING_POLL_S = 0.05
_LIKELY_OUTPUT_TOKENS = 150
_PROMPT_MARGIN = 1.3
"""The budget reserves this much over the estimated prompt: other tokenizers count more."""


class LlmClient:
    """One endpoint, with its limits, budget and memory."""

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
        self.limiter = RateLimiter(settings.llm)
        self.breaker = CircuitBreaker(settings.llm.timeout_s)
        self.capabilities = Capabilities(self.adapter, self.answers, settings.llm.api)
        self.anew_since: datetime | None = None
        """Stored answers from before this moment are asked for once more, and replaced."""
        self._first, self._tried = threading.Lock(), set[str]()
        self._lock = threading.Lock()
        self._usage: defaultdict[str, Usage] = defaultdict(Usage)
        self._collected: dict[str, Usage] = {}
        self.waiting = Waiting()

    @property
    def capability(self) -> Capability:
        """What is known of the endpoint and the designers' model so far."""
        return self.capabilities.of(self.settings.model)

    def usage(self, owner: str | None = None) -> Usage:
        """What this process has spent, for one dataset or in all; exact also where the dataset failed afterwards."""
        with self._lock:
            return self._usage[owner] if owner else sum(self._usage.values(), Usage())

    def check(self) -> Capability:
        """Asks one tiny question without the store, and returns what is known of the endpoint then. Raises MODEL_*."""
        schema = {"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]}
        question = ({"role": "user", "content": 'Answer with this JSON: {"ok": true}'},)
        self._perform(make_request("", (), question, {**schema, "additionalProperties": False}, self.settings))
        return self.capability

    def ask(self, request: Request, *, live: bool = False) -> Reply:
        """The answer to `request`: from the store, else from the endpoint, and then kept before anyone reads it.

        With `llm.batch` a first request is queued for `Batches` instead, unless `live`. Raises DynosaurError: MODEL_*,
        BudgetSpent, BatchPending, or BatchFailed for a request that several batches have left out.
        """
        with self.waiting.of(request.owner), self.answers.alone(request.digest):
            if kept := self.answers.get(request.digest, self.anew_since, request.owner):
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
        """What the endpoint can do for a model is found out by one request while the others wait; None for those."""
        if request.model in self._tried or self.capabilities.of(request.model).known:
            return None
        with self._first:
            if request.model in self._tried:
                return None
            try:
                return self._perform(request)
            finally:  # where it fails the others do not queue up to fail one by one
                self._tried.add(request.model)

    def _perform(self, request: Request) -> StoredAnswer:
        """Sends the request until it is answered. An attempt ends in one of three ways:

        an answer    is kept, then returned;
        a refusal    of the request's form: the next attempt asks less of the endpoint, until nothing less is left;
        a failure    the next attempt comes after a wait, until `Patience` has an end.

        Before an attempt the breaker may refuse it, the rate limiter delays it, and the budget has to cover it.
        """
        capability, patience = self.capabilities.of(request.model), Patience(self.settings.llm.retry_s)
        tokens = prompt_tokens(request.messages, request.schema if capability.structured == "schema" else None)
        while True:
            wait_s = 0.0
            with self._turn(request, tokens) as reservation:
                try:
                    with patience.attempt():
                        return self._send(request, capability, tokens, reservation)
                except RefusedError as refused:
                    self.breaker.responded()
                    capability = self.capabilities.less(request, capability, refused.message)
                except DynosaurError as error:
                    wait_s = self._after(error, request, patience)
            self.breaker.sleep(wait_s)

    @contextmanager
    def _turn(self, request: Request, tokens: int) -> Iterator[Reservation | None]:
        """Holds a turn, and the money for one attempt. Raises what stopped all requests, or BudgetSpent."""
        self.breaker.check()
        with self.limiter.turn(request.owner, tokens + _LIKELY_OUTPUT_TOKENS):
            self.breaker.check(sending=True)
            yield self._reserve(request, tokens)

    def _send(
        self, request: Request, capability: Capability, tokens: int, reservation: Reservation | None
    ) -> StoredAnswer:
        """One attempt; what it cost is booked whatever it ends in. An answer is in the store before anything else is
        done with it, since a stop would lose it, paid as it is."""
        usage = Usage()
        try:
            answer, headers = self.adapter.send(body(request, capability, self.settings.llm.api))
            kept = StoredAnswer.of(request, answer, told(self.settings, request, answer))
            try:
                self._put(request, kept)
            finally:
                usage = billed(self.settings, request, answer)
            if usage != kept.usage:
                kept = kept.model_copy(update={"usage": usage})
                self._put(request, kept)
            self.breaker.responded()
            over = usage.prompt_tokens + usage.completion_tokens - tokens - _LIKELY_OUTPUT_TOKENS
            self.limiter.answered(over, headers)
            if not self.capabilities.of(request.model).known:
                self.capabilities.learn(request, capability, answer)
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

    def _put(self, request: Request, answer: StoredAnswer) -> None:
        if request.owner:  # not the question of `check`
            self.answers.put(request, answer)

    def _reserve(self, request: Request, tokens: int) -> Reservation | None:
        """Sets the most aside that the request can cost; waits where others may yet leave room."""
        if self.budget is None:
            return None
        most = (int(tokens * _PROMPT_MARGIN), 0, request.max_output_tokens)
        usd = cost_usd(self.settings, *most, model=request.model) or 0.0
        while True:
            try:
                return self.budget.reserve(usd)
            except Spending:
                stopping.sleep(_SPENDING_POLL_S * random.uniform(0.5, 1.5))

    def _after(self, error: DynosaurError, request: Request, patience: Patience) -> float:
        """Breaker, rate limiter and patience learn of a failure. Returns the seconds to wait before the next attempt;
        raises the error where it is the last one."""
        backoff_s = patience.failed(error)
        self.breaker.failed(error)
        wait_s = self.limiter.failed(error, backoff_s)
        patience.waits(max(wait_s, error.retry_after or 0.0))
        if patience.is_over(error):
            raise error
        _LOG.info("%s: attempt %d failed, the next in %.1f s: %s", request.owner, patience.failures, wait_s, error)
        return wait_s
