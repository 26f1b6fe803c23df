"""How fast an endpoint is asked, against one on loopback in a process of its own.

    python benchmarks/throughput.py [--minutes 2]

1. 300 ms latency and no limits: requests a second beside (in flight / latency), through the whole stage.
2. 60 requests a minute, enforced over any 60 seconds: answers a minute and 429s; with the limit as a setting, learned
   from the endpoint's headers, and learned from nothing but its 429s.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
from dynosaur_core.instruction.stage import propose
from dynosaur_core.llm.client import LlmClient
from dynosaur_core.settings import Llm, Settings
from dynosaur_core.store import Store
from tests.instruction.data import dataset

ROOT = Path(__file__).parent.parent
LATENCY_S = 0.3


@contextmanager
def endpoint(*options: str) -> Iterator[tuple[str, dict[str, int]]]:
    """Gives the base URL, and after the block the count of statuses."""
    command = [sys.executable, "-m", "tests.support.llm", "--port", "0", *options]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    url = process.stdout.readline().split("OPENAI_BASE_URL=")[1].split()[0]
    statuses: dict[str, int] = {}
    try:
        yield url, statuses
    finally:
        process.send_signal(signal.SIGTERM)
        statuses.update(json.loads(process.stdout.readline()))
        process.wait()


def ask(url: str, settings: Settings, datasets: int, workers: int, until: float | None = None) -> list[float]:
    """When (seconds after the first) each dataset was done."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(folder)
        llm = LlmClient(settings, store, base_url=url)
        llm.check()
        start = time.monotonic()

        def one(number: int) -> float:
            if until is None or time.monotonic() - start < until:
                propose(dataset(f"owner/set-{number}", summary=None), settings, llm, store)
            return time.monotonic() - start

        with ThreadPoolExecutor(workers) as pool:
            return sorted(pool.map(one, range(datasets)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=2.0)
    minutes = parser.parse_args().minutes
    print(f"{os.cpu_count()} cores")
    for in_flight in (8, 16, 32):
        with endpoint("--latency", str(LATENCY_S)) as (url, _):
            count = in_flight * 20
            cpu = time.process_time()
            done = ask(url, Settings(llm=Llm(max_in_flight=in_flight)), count, in_flight)
            cpu = time.process_time() - cpu
        rate, ideal = count / done[-1], in_flight / LATENCY_S
        cpu_ms = cpu / count * 1e3
        print(f"{in_flight:3} in flight: {rate:5.1f}/s of {ideal:5.1f}/s ({rate / ideal:.1%}), {cpu_ms:.1f} ms CPU")
    cases = {
        "as a setting": (Llm(requests_per_minute=60), ["--no-rate-headers"]),
        "from headers": (Llm(), []),
        "from 429s": (Llm(retry_s=3_600), ["--no-rate-headers"]),
    }
    for name, (llm, options) in cases.items():
        with endpoint("--rpm", "60", *options) as (url, statuses):
            done = ask(url, Settings(llm=llm), int(60 * minutes) + 10, 16, until=60 * minutes)
            per_minute = sum(1 for when in done if when <= 60 * minutes) / minutes
        print(f"60 a minute, {name}: {per_minute:.1f} answers a minute, {statuses.get('429', 0)} times 429")


if __name__ == "__main__":
    main()
