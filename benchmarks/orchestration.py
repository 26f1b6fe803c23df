"""What Prefect costs a growth of many small datasets, beside four tasks a dataset that do nothing.

    python -m benchmarks.orchestration [--datasets 300] [--postgres]

CPU seconds of the client with its reading processes and of Prefect's server (without PostgreSQL's own); bytes of
Prefect's database; how long after the client's end the last of its task runs was recorded. A growth and its floor run
one after the other on the same machine, each with a new server, so that their ratio says more than either.
"""

from __future__ import annotations

import argparse
import os
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import httpx
import sqlalchemy

from benchmarks.small_datasets import make, processes
from tests.support.postgres import postgres_server

ROOT = Path(__file__).resolve().parents[1]
_QUIET_S = 15.0
"""After so long without a further task run none is expected."""
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


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


@contextmanager
def prefect_server(work: Path, database: str | None) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Address and process of a new server; its database is SQLite in `work` where none is given."""
    port = free_port()
    environment = {**os.environ, "PREFECT_HOME": str(work), "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}
    if database:
        environment["PREFECT_API_DATABASE_CONNECTION_URL"] = database.replace("postgresql:", "postgresql+asyncpg:")
    command = [sys.executable, "-m", "prefect", "server", "start", "--port", str(port)]
    with (work / "server.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            url = f"http://127.0.0.1:{port}/api"
            while not _answers(f"{url}/health"):
                time.sleep(0.5)
            yield url, process
        finally:
            process.terminate()
            process.wait()


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=60).is_success
    except httpx.TransportError:
        return False


def recorded(api: str) -> int:
    """Task runs of which the server knows the end."""
    ended = {"task_runs": {"state": {"type": {"any_": ["COMPLETED", "FAILED", "CRASHED"]}}}}
    return int(httpx.post(f"{api}/task_runs/count", json=ended, timeout=60).raise_for_status().json())


def measure(command: list[str], more: dict[str, str], database: str | None) -> dict[str, float]:
    """CPU seconds by kind of process, megabytes of the server's database, and what was recorded when."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        with prefect_server(work, database) as (api, server):
            environment = {**os.environ, **more, "PREFECT_HOME": folder, "PREFECT_API_URL": api}
            start = time.monotonic()
            process = subprocess.Popen(
                command, cwd=work, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            seen: dict[int, tuple[str, float]] = {}
            while process.poll() is None:
                for root in (process.pid, server.pid):
                    seen |= {pid: (kind, cpu) for pid, (kind, cpu, _) in processes(root).items() if kind}
                time.sleep(0.5)
            ended = time.monotonic()
            at_end = runs = recorded(api)
            lag = 0.0
            while (since := time.monotonic() - ended) < lag + _QUIET_S:
                time.sleep(0.5)
                if (now := recorded(api)) > runs:
                    runs, lag = now, since
            seen |= {pid: (kind, cpu) for pid, (kind, cpu, _) in processes(server.pid).items() if kind}
            found: Counter[str] = Counter()
            for kind, seconds in seen.values():
                found[kind] += seconds
            return {
                **found,
                "wall": ended - start,
                "recorded_at_end": at_end,
                "recorded": runs,
                "lag": lag,
                "database_mb": size_of(work, database) / 1e6,
                "status": process.returncode,
            }


def size_of(work: Path, database: str | None) -> int:
    """Bytes of the server's database."""
    if database is None:
        with sqlite3.connect(f"file:{work}/prefect.db?mode=ro", uri=True) as opened:
            return int(
                opened.execute("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size").fetchone()[0]
            )
    engine = sqlalchemy.create_engine(database.replace("postgresql:", "postgresql+psycopg:"))
    with engine.connect() as connection:
        return int(connection.execute(sqlalchemy.text("SELECT pg_database_size(current_database())")).scalar_one())


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--datasets", type=int, default=300)
    parser.add_argument("--postgres", action="store_true", help="Prefect's server on PostgreSQL in place of SQLite")
    given = parser.parse_args()
    found: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        make(Path(folder), given.datasets)
        growth = [str(ROOT / ".venv/bin/dynosaur"), "grow", "--catalog", folder, "--store", "store"]
        floor = [sys.executable, "-c", FLOOR, str(given.datasets)]
        rules = {"DYNOSAUR_DESIGNING__DESIGNERS": "rules"}
        for name, command, more in (("growth", growth, rules), ("floor", floor, {})):
            with postgres_server() if given.postgres else nullcontext() as database:
                found[name] = measure(command, more, database)
            load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
            print(name, {key: round(value, 1) for key, value in found[name].items()}, f"load {load}", flush=True)
    totals = [sum(values.get(kind, 0.0) for kind in ("client", "reader", "server")) for values in found.values()]
    print(f"ratio {totals[0] / totals[1]:.2f}")


if __name__ == "__main__":
    main()
