"""A growth that is killed goes on where it was: nothing is asked twice, and the release is the same."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq

from dynosaur_core.ledger import Ledger, LedgerEntry
from dynosaur_core.models import Release
from tests.flows.conftest import Grown
from tests.support.datasets import REVIEW_FEATURES, reviews, write_dataset
from tests.support.killing import start_growth, wait_until
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


def _records(release: Path) -> list[bytes]:
    manifest = Release.model_validate_json((release / "manifest.json").read_text())
    return [repr(row).encode() for file in manifest.files for row in pq.read_table(release / file.path).to_pylist()]


def _entries(work: Path) -> list[LedgerEntry]:
    return list(Ledger(f"sqlite:///{work}/store/ledger.db").entries())


def _answers(work: Path) -> list[Path]:
    return list((work / "store" / "answers").rglob("*.json"))


def _start(catalog: Path, work: Path) -> subprocess.Popen[str]:
    return start_growth(catalog, work / "store", work / "release")


def test_kill_9_in_the_middle(run_growth: Callable[..., Grown], endpoint: LlmServer, tmp_path: Path) -> None:
    catalog, undisturbed = tmp_path / "six", tmp_path / "a"
    _many(catalog, 6)
    run_growth(catalog=str(catalog), store=str(undisturbed / "store"), release=[str(undisturbed / "release")])
    asked = set(endpoint.seen.answered)

    endpoint.seen.answered.clear()
    endpoint.behaviour.latency_s = 0.4
    killed = _start(catalog, tmp_path / "b")
    wait_until(lambda: len(_answers(tmp_path / "b")) >= 2)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert not (tmp_path / "b" / "release" / "manifest.json").exists()
    wait_until(lambda: not endpoint.seen.in_flight)
    interrupted = [entry for entry in _entries(tmp_path / "b") if entry.code == "Interrupted"]
    assert interrupted and all(entry.attempts == 1 and not entry.quarantined for entry in interrupted)
    # what was answered and the kill kept from being stored has to be asked again; nothing else
    lost = sum(endpoint.seen.answered.values()) - len(_answers(tmp_path / "b"))

    endpoint.behaviour.latency_s = 0.0
    work = tmp_path / "b"
    resumed = run_growth(catalog=str(catalog), store=str(work / "store"), release=[str(work / "release")])
    assert resumed.state.is_completed(), resumed.state.message
    assert set(endpoint.seen.answered) == asked
    assert sum(endpoint.seen.answered.values()) - len(asked) == lost
    assert {entry.outcome for entry in _entries(tmp_path / "b")} == {"grown"}
    assert _records(tmp_path / "b" / "release") == _records(undisturbed / "release")
