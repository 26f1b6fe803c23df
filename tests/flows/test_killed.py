"""A growth that is killed goes on where it was: nothing is asked twice, and the release is the same."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
from prefect.settings import PREFECT_API_URL

from dynosaur_core.ledger import Entry, Ledger
from dynosaur_core.models import Release
from tests.support.datasets import REVIEW_FEATURES, reviews, write_dataset
from tests.support.llm import LlmServer


def _many(root: Path, count: int) -> None:
    for number in range(count):
        write_dataset(
            root,
            f"shop/reviews{number}",
            {"train": reviews(40, number * 100)},
            features=REVIEW_FEATURES,
            summary=f"Reviews of shop {number}.",
        )


def _start(catalog: Path, work: Path) -> subprocess.Popen[str]:
    command = [
        sys.executable,
        "-m",
        "flows.command",
        "grow",
        "--catalog",
        str(catalog),
        "--store",
        str(work / "store"),
    ]
    environment = {**os.environ, "PREFECT_API_URL": PREFECT_API_URL.value() or ""}
    return subprocess.Popen(
        [*command, "--release", str(work / "release"), "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )


def _records(release: Path) -> list[bytes]:
    manifest = Release.model_validate_json((release / "manifest.json").read_text())
    return [repr(row).encode() for file in manifest.files for row in pq.read_table(release / file.path).to_pylist()]


def _entries(work: Path) -> list[Entry]:
    return list(Ledger(f"sqlite:///{work}/store/ledger.db").entries())


def test_kill_9_in_the_middle(prefect_server: None, endpoint: LlmServer, tmp_path: Path) -> None:
    catalog = tmp_path / "catalog"
    _many(catalog, 6)
    undisturbed = _start(catalog, tmp_path / "a")
    output, errors = undisturbed.communicate(timeout=200)
    assert undisturbed.returncode == 0, errors
    asked = set(endpoint.seen.answered)

    endpoint.seen.answered.clear()
    endpoint.behaviour.latency_s = 0.4
    killed = _start(catalog, tmp_path / "b")
    deadline = time.monotonic() + 120
    while sum(endpoint.seen.answered.values()) < 4 and time.monotonic() < deadline:
        time.sleep(0.05)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert not (tmp_path / "b" / "release" / "manifest.json").exists()
    while endpoint.seen.in_flight:
        time.sleep(0.05)
    interrupted = [entry for entry in _entries(tmp_path / "b") if entry.code == "Interrupted"]
    assert interrupted and all(entry.attempts == 1 and not entry.quarantined for entry in interrupted)
    # what was answered and the kill kept from being stored has to be asked again; nothing else
    stored = len(list((tmp_path / "b" / "store" / "answers").rglob("*.json")))
    lost = sum(endpoint.seen.answered.values()) - stored
    assert stored >= 2

    endpoint.behaviour.latency_s = 0.0
    resumed = _start(catalog, tmp_path / "b")
    output, errors = resumed.communicate(timeout=200)
    assert resumed.returncode == 0, errors
    assert output.startswith('{"growth_id"')
    assert set(endpoint.seen.answered) == asked
    assert sum(endpoint.seen.answered.values()) - len(asked) == lost
    assert {entry.outcome for entry in _entries(tmp_path / "b")} == {"grown"}
    assert _records(tmp_path / "b" / "release") == _records(tmp_path / "a" / "release")
