"""The one loop that calls again what failed and may not fail the next time, with the wait that the server or we choose.

Retries nest. What stands inside is done for each attempt of what stands outside:

    a stage (tasks/policy.py)        3 runs, 5 s and 30 s apart, each within sampling.deadline_s where files are read
      a request of the Hub           5 attempts of at most 120 s, waits of 0.5 s to 6 s
    a page of the Hub's listing      3 page sizes, after faults that a smaller page may not meet
      a request of the Hub           as above
    a release (publish/release.py)   6 attempts, waits of 1 s to 24 s
      a request of the Hub's sink    5 attempts of at most 30 min, waits of 1 s to 12 s
      a request of S3                5 attempts of s3fs times 5 of botocore
    a look at the batches            4 attempts of at most 30 min, waits of at most 30 s

So an address of a dataset or a page of the listing is asked 15 times at most, an address of a release 30 times (150 on
S3). The waits of our own add up to 12 s for a request, 36 s for a page, and 3 min for a release. A server may ask for
others by Retry-After, each up to LONGEST_WAIT_S (15 min): then the 4 waits of a request make an hour, and those of a
release 7 hours at most; within a stage the dataset's deadline ends them.

The client of the model has a loop of its own (`llm/client.py`): it also feeds the rate limiter and the circuit breaker.
"""

from __future__ import annotations

import itertools
import logging
import math
import random
import time
from collections.abc import Callable
from typing import TypeVar

from dynosaur_core import stopping
from dynosaur_core.errors import DynosaurError, Retrier
from dynosaur_core.exchange import LONGEST_WAIT_S

T = TypeVar("T")


def retrying(
    call: Callable[[], T],
    *,
    what: str,
    log: logging.Logger,
    attempts: int,
    backoff_s: float,
    retrier: Retrier = Retrier.REQUEST,
    deadline: float = math.inf,
    longest_s: float = LONGEST_WAIT_S,
    held: Callable[[DynosaurError, float], bool] = lambda _error, _wait_s: False,
) -> T:
    """Returns what `call` returns, which is called up to `attempts` times while `retrier` retries the error it raises.

    Between two attempts it waits `backoff_s` seconds, doubled each time and scattered by half, or as long as the server
    asked, at most `longest_s`; not where `held`, which is called with every error and wait, returns that somebody else
    keeps that wait. A wait beyond `deadline` (`time.monotonic()` seconds) is not begun. Raises the last error, or
    StoppedError.
    """
    for attempt in itertools.count(1):
        try:
            return call()
        except DynosaurError as error:
            own_s = backoff_s * 2 ** (attempt - 1) * random.uniform(0.5, 1.5)
            wait_s = min(longest_s, own_s if error.retry_after is None else error.retry_after)
            kept = held(error, wait_s)
            late = time.monotonic() + wait_s > deadline
            if attempt >= attempts or late or retrier not in error.policy.retried_by:
                raise
            log.info("%s: attempt %d of %d failed, the next in %.1f s: %s", what, attempt, attempts, wait_s, error)
            if not kept:
                stopping.sleep(wait_s)
    raise AssertionError("the last attempt returns or raises")
