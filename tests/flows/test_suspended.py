"""A growth that sleeps for longer than its lease wakes as one of two: it ends, and undoes nothing of the other's."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from dynosaur_core.ledger import Ledger, Outcome
from dynosaur_core.ledger.lease import leases
from tests.flows.conftest import Grown
from tests.flows.test_grow import records_of
from tests.support.datasets import REVIEW_FEATURES, reviews, write_dataset
from tests.support.killing import start_growth, wait_until
from tests.support.llm import LlmServer


def _suspend(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGSTOP)
    stat = Path(f"/proc/{process.pid}/stat")
    wait_until(lambda: stat.read_text().rpartition(")")[2].split()[0] == "T")


def test_a_suspended_growth_does_not_release_what_was_refused_meanwhile(
    run_growth: Callable[..., Grown], endpoint: LlmServer, tmp_path: Path
) -> None:
    """On SQLite; what the ledger does on both databases is in tests/ledger/test_lease.py."""
    catalog, release = tmp_path / "shops", tmp_path / "release"

    def write(repo_id: str, start: int, license: str) -> None:
        rows = {"train": reviews(40, start)}
        write_dataset(catalog, repo_id, rows, features=REVIEW_FEATURES, license=license)

    write("shop/a", 0, "mit")
    write("shop/b", 100, "mit")
    assert run_growth(catalog=str(catalog)).report.grown == 2
    write("shop/a", 50, "mit")
    endpoint.behaviour.gate = threading.Event()
    process = start_growth(catalog, tmp_path / "store", release)
    wait_until(lambda: endpoint.seen.in_flight > 0)
    _suspend(process)
    ledger = Ledger(f"sqlite:///{tmp_path}/store/ledger.db")
    with ledger.engine.begin() as connection:
        connection.execute(leases.update().values(expires=datetime.now(UTC)))
    write("shop/a", 50, "cc-by-nd-4.0")
    second = run_growth(catalog=str(catalog))
    assert [gone.repo_id for gone in second.report.plan.withdrawn] == ["shop/a"]
    left = {path.name: path.read_bytes() for path in release.iterdir() if path.is_file()}

    process.send_signal(signal.SIGCONT)
    endpoint.behaviour.gate.set()
    output, errors = process.communicate(timeout=250)
    assert (process.returncode, output) == (1, "")
    assert "dynosaur: GrowthRunning: this growth was suspended for longer than its lease" in errors
    assert "Traceback" not in errors
    entry = ledger.get("shop/a")
    assert entry is not None and (entry.outcome, entry.contribution) == (Outcome.REFUSED, None)
    assert {path.name: path.read_bytes() for path in release.iterdir() if path.is_file()} == left
    assert {row["repo_id"] for row in records_of(release)} == {"shop/b"}
    assert [json.loads(line)["repo_id"] for line in left["removals.jsonl"].splitlines()] == ["shop/a"]
