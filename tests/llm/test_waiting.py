"""How long a dataset has waited for the model."""

from __future__ import annotations

import threading
import time

from dynosaur_core.llm.waiting import Waiting


def test_waiting_counts_requests_at_the_same_time_once_and_each_owner_apart() -> None:
    waiting, both = Waiting(), threading.Barrier(2)

    def ask() -> None:
        with waiting.of("a/x"):
            both.wait()
            time.sleep(0.05)
            both.wait()

    started = time.monotonic()
    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 0.05 <= waiting.seconds("a/x") <= time.monotonic() - started
    assert waiting.seconds("b/y") == 0.0


def test_waiting_counts_a_request_that_failed_too() -> None:
    waiting = Waiting()
    try:
        with waiting.of("a/x"):
            time.sleep(0.01)
            raise ValueError
    except ValueError:
        pass
    assert waiting.seconds("a/x") >= 0.01
