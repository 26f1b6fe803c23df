"""Growths as processes of their own, killed at chosen moments: for the tests and for `benchmarks.kills`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from prefect.settings import PREFECT_API_URL

from dynosaur_core.digest import digest
from tests.flows.hub_case import RELEASE, Released, add_reviews, release_commits, released
from tests.support.hub import LoopbackHub
from tests.support.llm import LlmServer

_DEADLINE_S = 240.0


def shops(hub: LoopbackHub, count: int) -> None:
    for n in range(count):
        add_reviews(hub, f"shop/r{n}", start=n * 100)


def start_growth(
    catalog: str | Path, store: Path, release: str | Path, *arguments: str, **environment: str
) -> subprocess.Popen[str]:
    """`dynosaur grow --json` as a process of its own, on the Prefect server of this one."""
    where = ["--catalog", str(catalog), "--store", str(store), "--release", str(release)]
    return subprocess.Popen(
        [sys.executable, "-m", "flows.command", "grow", *where, "--json", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PREFECT_API_URL": PREFECT_API_URL.value() or "", **environment},
    )


def wait_until(holds: Callable[[], object]) -> None:
    """Returns as soon as something holds; the test fails where it does not for minutes."""
    deadline = time.monotonic() + _DEADLINE_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@dataclass
class Growths:
    """Runs `dynosaur grow` on a Hub and a store, and keeps what each kill left."""

    hub: LoopbackHub
    endpoint: LlmServer
    store: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    """What a test wants set."""
    stored: list[tuple[float, set[str]]] = field(default_factory=list)
    """After each kill: the moment (monotonic), and what the store held the answers to."""

    def events(self) -> int:
        """Requests that the Hub and the model have had: what a moment is measured by."""
        return len(self.hub.log) + sum(self.endpoint.seen.attempts.values())

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        own = {"HF_ENDPOINT": self.hub.url, "HF_TOKEN": self.hub.token, "OPENAI_BASE_URL": self.endpoint.url}
        environment = {"OPENAI_API_KEY": "sk-test-secret", **own, **self.environment}
        return start_growth("hub", self.store, RELEASE, *arguments, **environment)

    def finish(self) -> None:
        """A growth that nobody disturbs."""
        process = self.start()
        _, errors = process.communicate(timeout=_DEADLINE_S)
        assert process.returncode == 0, errors[-3_000:]

    def kill_after(self, events: int) -> bool:
        """Kills a growth when that many requests were made; gives False where it had ended before."""
        until, process = self.events() + events, self.start()
        deadline = time.monotonic() + _DEADLINE_S
        while process.poll() is None and self.events() < until and time.monotonic() < deadline:
            time.sleep(0.001)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        wait_until(lambda: not self.endpoint.seen.in_flight)
        self.stored.append((time.monotonic(), self._answered()))
        return process.returncode == -signal.SIGKILL

    def asked_again(self) -> list[str]:
        """Datasets about which the model was asked something to which the store held the answer."""
        arrivals = self.endpoint.seen.arrivals
        return [
            each.dataset
            for killed, held in self.stored
            for each in arrivals
            if each.when > killed and each.asked in held
        ]

    def whole_commits(self) -> int:
        """How many releases were made; fails where one is not whole."""
        return len(release_commits(self.hub))

    def release(self) -> Released:
        return released(self.hub)

    def _answered(self) -> set[str]:
        texts = [path.read_text() for path in self.store.glob("answers/*/*.json")]
        return {digest(json.loads(text)["messages"]) for text in texts}
