"""The ledger with a million datasets: what a night's questions cost.

python benchmarks/ledger.py [URL]     # default: an SQLite file in a temporary folder
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from dynosaur_core.ledger import Ledger, LedgerEntry, Outcome, new_entry
from dynosaur_core.models import DatasetRef

ROWS = 1_000_000
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def entries(count: int) -> Iterator[LedgerEntry]:
    """One in a hundred grown, one in a thousand failed and due, the rest refused."""
    for number in range(count):
        ref = DatasetRef(repo_id=f"owner{number % 50_000}/data{number}", revision=f"{number:040x}", licenses=("mit",))
        outcome = Outcome.GROWN if number % 100 == 0 else Outcome.FAILED if number % 1_000 == 1 else Outcome.REFUSED
        entry = new_entry(ref, "hub", "p", "g", NOW, outcome)
        update: dict[str, Any] = {"contribution": f"{number:032x}"} if outcome is Outcome.GROWN else {}
        if outcome is Outcome.FAILED:
            update = {"code": "TimedOut", "next_try": NOW}
        yield entry.model_copy(update=update)


def timed(what: str, run: Callable[[], object]) -> None:
    start = time.perf_counter()
    result = run()
    sys.stdout.write(f"| {what} | {result} | {time.perf_counter() - start:.2f} |\n")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        ledger = Ledger(sys.argv[1] if len(sys.argv) > 1 else f"sqlite:///{folder}/ledger.db")
        sys.stdout.write("| what | result | s |\n|---|--:|--:|\n")

        def fill() -> int:
            batch: list[LedgerEntry] = []
            for entry in entries(ROWS):
                batch.append(entry)
                if len(batch) == 5_000:
                    ledger.record(batch)
                    batch = []
            return ROWS

        timed("datasets written", fill)
        ids = [f"owner{number % 50_000}/data{number}" for number in range(0, ROWS, 1_000)]
        timed("1,000 looked up by id", lambda: len(ledger.get_many(ids)))
        timed("1,000 written again", lambda: ledger.record(ledger.get_many(ids).values()))
        timed("1,000 noted as seen", lambda: ledger.touch(ids, NOW + timedelta(days=1)))
        timed("due for another try", lambda: sum(1 for _ in ledger.entries(due=NOW)))
        timed("500 of the released not seen for longest", lambda: sum(
            1 for _ in ledger.entries(catalog="hub", released=True, oldest_first=True, limit=500)
        ))  # fmt: skip
        timed("all that belongs into the release", lambda: sum(1 for _ in ledger.contributions()))
        timed("counted by outcome and code", lambda: len(ledger.counts()))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    sys.stdout.write(f"\npeak memory {peak} MB\n")


if __name__ == "__main__":
    main()
