"""Growths of the Hub that are killed, or meet another one: they go on where they were, and never mix."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.flows.conftest import Grown
from tests.support.hub import LoopbackHub
from tests.support.killing import Growths, shops, wait_until
from tests.support.llm import LlmServer

COUNT = 6
_AT_ONCE = {"DYNOSAUR_WAIT_FOR_GROWTH_S": "0"}


@pytest.fixture
def growths(prefect_server: None, hub: LoopbackHub, endpoint: LlmServer, tmp_path: Path) -> Growths:
    shops(hub, COUNT)
    return Growths(hub, endpoint, tmp_path / "store", {"HF_HOME": str(tmp_path / "home"), **_AT_ONCE})


def test_killed_at_any_moment_it_ends_with_the_same_release(
    growths: Growths, night: Callable[..., Grown], tmp_path: Path
) -> None:
    assert night(store=str(tmp_path / "undisturbed")).report.grown == COUNT
    expected, requests = growths.release().content, growths.events()
    growths.hub.delete("me/grown")
    growths.store = tmp_path / "killed"
    draw = random.Random(7)
    shares = [draw.uniform(0.05, 0.3), draw.uniform(0.3, 0.6), draw.uniform(0.3, 0.6)]
    kills = [growths.kill_after(int(share * requests)) for share in shares]
    assert sum(kills) >= 2
    assert night(store=str(growths.store)).state.is_completed()
    assert growths.release().content == expected
    assert growths.whole_commits() == 1
    assert growths.asked_again() == []
    kept = {asked for _, held in growths.stored for asked in held}
    assert kept and kept <= {each.asked for each in growths.endpoint.seen.arrivals}
    assert growths.hub["me/grown"].tags == {"v1": growths.hub["me/grown"].head.sha}


def test_two_growths_at_once_never_mix(growths: Growths) -> None:
    gate = growths.endpoint.behaviour.gate = threading.Event()
    first = growths.start()
    wait_until(lambda: growths.endpoint.seen.in_flight)
    second = growths.start()
    _, said = second.communicate(timeout=120)
    gate.set()
    assert second.returncode == 1 and "GrowthRunning" in said and f"process {first.pid}" in said
    output, errors = first.communicate(timeout=120)
    assert first.returncode == 0, errors
    assert json.loads(output)["grown"] == COUNT
    assert growths.whole_commits() == 1
    assert set(growths.endpoint.seen.answered.values()) == {1}


def test_a_killed_holder_is_followed_at_once(growths: Growths, night: Callable[..., Grown]) -> None:
    growths.endpoint.behaviour.latency_s = 30.0
    first = growths.start()
    wait_until(lambda: growths.endpoint.seen.in_flight)
    first.kill()  # not waited for: a zombie holds no lease
    growths.endpoint.behaviour.latency_s = 0.0
    assert night(store=str(growths.store)).state.is_completed()
    first.communicate()
    assert growths.whole_commits() == 1
