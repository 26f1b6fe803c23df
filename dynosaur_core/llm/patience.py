"""When a request of the model is given up: after so much time, and after so many responses that may have been paid."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from dynosaur_core.errors import Code, DynosaurError, Retrier
from dynosaur_core.llm.failures import UnansweredError

_MOST = 1_000
"""Failures with one code, however short they are."""
_MOST_PAID = 5
"""Responses not of the API's form, and responses without an answer: each may have been billed."""
_FIRST_DELAY_S = 0.25
_MAX_DELAY_S = 30.0


class Patience:
    """Counts what one request meets; its attempts and waits take `allowed_s` seconds at most, and one attempt more."""

    def __init__(self, allowed_s: float) -> None:
        self._allowed_s = allowed_s
        self._failures = Counter[Code]()
        self._unanswered = 0
        self._spent_s = 0.0

    @property
    def failures(self) -> int:
        return self._failures.total()

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Counts the seconds inside."""
        began = time.monotonic()
        try:
            yield
        finally:
            self._spent_s += time.monotonic() - began

    def failed(self, error: DynosaurError) -> float:
        """Counts a failure; returns the seconds to wait before the next attempt where the endpoint names none."""
        self._failures[error.code] += 1
        self._unanswered += isinstance(error, UnansweredError)
        doubled = min(self.failures - 1, 10)
        return min(_MAX_DELAY_S, _FIRST_DELAY_S * 2.0**doubled) * random.uniform(0.5, 1.0)

    def waits(self, seconds: float) -> None:
        """Counts a wait, also one that is kept elsewhere."""
        self._spent_s += seconds

    def is_over(self, error: DynosaurError) -> bool:
        """Whether `error` is the last one."""
        most = _MOST_PAID if error.code is Code.MODEL_BAD_RESPONSE else _MOST
        many = self._failures[error.code] >= most or self._unanswered >= _MOST_PAID
        return many or self._spent_s > self._allowed_s or Retrier.REQUEST not in error.policy.retried_by
