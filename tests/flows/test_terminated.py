"""SIGTERM and Ctrl-C during a wait for the model: the growth ends within seconds, and the next one goes on."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from flows.command.ending import GRACE_S
from tests.flows.conftest import Grown
from tests.support.killing import start_growth
from tests.support.llm import Faults, LlmServer

LONG_S = 60.0


def start(catalog: Path, work: Path, **settings: str) -> subprocess.Popen[str]:
    return start_growth(catalog, work / "store", work / "release", **settings)


def wait_until(done: object, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 240
    while not done() and process.poll() is None and time.monotonic() < deadline:  # type: ignore[operator]
        time.sleep(0.05)


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("waits", "sent", "status"),
    [
        ("pause", signal.SIGINT, 130),
        ("hang", signal.SIGTERM, 143),
        ("batch", signal.SIGTERM, 143),
    ],
)
def test_terminated_growth_ends_soon_and_goes_on(
    waits: str,
    sent: int,
    status: int,
    run_growth: Callable[..., Grown],
    catalog: Path,
    endpoint: LlmServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = {}
    if waits == "pause":
        endpoint.behaviour.faults = Faults(["429"], share=1.0)
        endpoint.behaviour.retry_after = "200"
    elif waits == "hang":
        endpoint.behaviour.faults, endpoint.behaviour.hang_s = Faults(["hang"], share=1.0), LONG_S
    else:
        endpoint.batches.immediate = False
        settings = {"DYNOSAUR_LLM__BATCH": "true", "DYNOSAUR_LLM__BATCH_POLL_S": "600"}
    process = start(catalog, tmp_path, **settings)
    ready = (lambda: endpoint.batches.batches) if waits == "batch" else (lambda: endpoint.seen.arrivals)
    wait_until(ready, process)
    time.sleep(1.0)
    began = time.monotonic()
    process.send_signal(sent)
    _, errors = process.communicate(timeout=LONG_S)
    assert time.monotonic() - began < GRACE_S + 15, "long before what it waited for"
    assert process.returncode == status, errors
    assert "the same command goes on from here" in errors

    endpoint.behaviour.faults = Faults()
    endpoint.batches.immediate = True
    for name in endpoint.batches.batches:
        endpoint.batches.finish(name)
    for name, value in settings.items():
        monkeypatch.setenv(name, "0.1" if name.endswith("POLL_S") else value)
    resumed = run_growth()
    assert resumed.state.is_completed(), resumed.state.message
    assert resumed.report.grown == 2
    assert max([*endpoint.seen.answered.values(), *endpoint.seen.batched.values()]) == 1
