"""What Prefect costs a growth of many small datasets, beside four tasks a dataset that do nothing.

    python benchmarks/orchestration.py [--datasets 300] [--database postgresql+asyncpg://...]

CPU seconds of the client with its reading processes and of Prefect's server, and bytes of Prefect's database; a growth
and its floor run one after the other on the same machine, so that their ratio says more than either.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.small_datasets import make, processes

ROOT = Path(__file__).resolve().parents[1]
FLOOR = """
import sys
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from prefect import flow, task
from prefect.task_runners import ThreadPoolTaskRunner

@task(task_run_name="{name} {n}", persist_result=False)
def nothing(name, n):
    return None

def branch(n):
    for name in ("metadata", "instruction", "filter", "publish"):
        nothing(name, n)

@flow(persist_result=False)
def floor(count):
    with ThreadPoolExecutor(8) as pool:
        for each in [pool.submit(copy_context().run, branch, n) for n in range(count)]:
            each.result()

floor(int(sys.argv[1]))
"""


def measure(command: list[str], more: dict[str, str]) -> dict[str, float]:
    """CPU seconds by kind of process, and megabytes of the server's SQLite database."""
    with tempfile.TemporaryDirectory() as work:
        own = {"PREFECT_HOME": f"{work}/prefect", "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "600"}
        process = subprocess.Popen(
            command, cwd=work, env={**os.environ, **own, **more}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        seen: dict[int, tuple[str, float]] = {}
        start = time.monotonic()
        while process.poll() is None:
            seen |= {pid: (kind, cpu) for pid, (kind, cpu, _) in processes(process.pid).items() if kind}
            time.sleep(0.2)
        found: Counter[str] = Counter()
        for kind, seconds in seen.values():
            found[kind] += seconds
        size = sum(path.stat().st_size for path in Path(work, "prefect").glob("prefect.db*"))
        return {**found, "wall": time.monotonic() - start, "database_mb": size / 1e6, "status": process.returncode}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--datasets", type=int, default=300)
    parser.add_argument("--database", help="of Prefect's server, in place of SQLite")
    given = parser.parse_args()
    more = {"PREFECT_API_DATABASE_CONNECTION_URL": given.database} if given.database else {}
    with tempfile.TemporaryDirectory() as folder:
        make(Path(folder), given.datasets)
        growth = [str(ROOT / ".venv/bin/dynosaur"), "grow", "--catalog", folder, "--store", "store"]
        rules = {"DYNOSAUR_DESIGNING__DESIGNERS": "rules"}
        found = {
            "growth": measure(growth, more | rules),
            "floor": measure([sys.executable, "-c", FLOOR, str(given.datasets)], more),
        }
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    for name, values in found.items():
        print(name, {key: round(value, 1) for key, value in values.items()}, f"load {load}", flush=True)
    totals = [sum(values.get(kind, 0.0) for kind in ("client", "reader", "server")) for values in found.values()]
    print(f"ratio {totals[0] / totals[1]:.2f}")


if __name__ == "__main__":
    main()
