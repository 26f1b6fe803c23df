"""What a dataset costs in each stage: milliseconds, when one dataset is worked on at a time.

    python -m benchmarks.stages [--datasets 100]

Small datasets that are all grown, in two ways: with the rules as designer, and with a model and its judge behind a
loopback endpoint, which answers at once; `model` is the wait for it, and part of the others. What ten datasets take is
left out, since starting is in it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.small_datasets import make
from tests.support.llm import LlmServer

_ROOT = Path(__file__).resolve().parents[1]
_FEW = 10


def grow(catalog: Path, more: dict[str, str]) -> dict[str, float]:
    """Seconds of each stage, all datasets together."""
    with tempfile.TemporaryDirectory() as work:
        command = [sys.executable, "-m", "flows.command", "grow", "--catalog", str(catalog), "--store", f"{work}/store"]
        own = {"PREFECT_HOME": f"{work}/prefect", "DYNOSAUR_CONCURRENCY": "1", "PYTHONPATH": str(_ROOT)}
        done = subprocess.run(
            [*command, "--release", f"{work}/release", "--json"],
            cwd=work,
            env={**os.environ, **own, **more},
            stdout=subprocess.PIPE,
            check=True,
        )
        report: dict[str, Any] = json.loads(done.stdout)
        assert report["grown"] == sum(report["planned"].values()), report
        return {name: value for name, value in report["seconds"]["stages"].items() if value}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--datasets", type=int, default=100)
    count = parser.parse_args().datasets
    with tempfile.TemporaryDirectory() as folder, LlmServer() as server:
        for number in (_FEW, count):
            make(Path(folder) / str(number), number)
        model = {"OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": "sk-none"}
        for name, more in (("rules", {"DYNOSAUR_DESIGNING__DESIGNERS": "rules"}), ("model and judge", model)):
            few, many = (grow(Path(folder) / str(number), more) for number in (_FEW, count))
            each = {stage: 1000 * (many[stage] - few[stage]) / (count - _FEW) for stage in many}
            print(name, {stage: round(ms, 1) for stage, ms in each.items()})


if __name__ == "__main__":
    main()
