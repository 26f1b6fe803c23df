"""CPU seconds of a growth of many small datasets, by process: the client, its reading processes, Prefect's server.

    python benchmarks/small_datasets.py [--datasets 300] [--checkout FOLDER ...]

Makes the datasets (30 rows of a text and a label, jsonl and parquet in turn) and grows them with the rules as designer,
once for each checkout, whose `.venv/bin/dynosaur` is run. What a dataset costs is the difference to a growth of ten.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
import time
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

_TICKS = os.sysconf("SC_CLK_TCK")
_POLL_S = 0.1
_FEW = 10


def make(folder: Path, count: int) -> None:
    for n in range(count):
        dataset = folder / "small" / f"n{n:04}"
        dataset.mkdir(parents=True)
        (dataset / "README.md").write_text("---\nlicense: mit\nlanguage: en\n---\n# Reviews\n")
        rows = [
            {"text": f"Visit {k} to shop {n} was {('good', 'bad')[k % 2]}.", "label": ("positive", "negative")[k % 2]}
            for k in range(30)
        ]
        if n % 2:
            pq.write_table(pa.Table.from_pylist(rows), dataset / "train.parquet")
        else:
            (dataset / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def kind_of(command: str) -> str:
    """Empty for a process that has ended and was not waited for yet."""
    if not command:
        return ""
    if "reader.zygote" in command:
        return "reader"
    return "server" if "uvicorn" in command or "prefect server" in command or "prefect.server" in command else "client"


def processes(root: int) -> dict[int, tuple[str, float, int]]:
    """Of `root` and all that came of it: kind, CPU seconds with those of children that have ended, resident bytes."""
    found, parents = {}, {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                values = (entry / "stat").read_text().rpartition(")")[2].split()
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
            parents[int(entry.name)] = int(values[1])
            ended = sum(map(int, values[13:15])) if "reader.zygote" in command else 0
            cpu = (sum(map(int, values[11:13])) + ended) / _TICKS
            found[int(entry.name)] = (kind_of(command), cpu, int(values[21]) * 4096)
    family, new = {root}, {root}
    while new:
        new = {pid for pid, parent in parents.items() if parent in new} - family
        family |= new
    return {pid: found[pid] for pid in family if pid in found}


def grow(checkout: Path, catalog: Path) -> dict[str, float]:
    """CPU seconds by kind, wall seconds, and the most memory that the reading processes held together."""
    with tempfile.TemporaryDirectory() as work:
        command = [str(checkout / ".venv/bin/dynosaur"), "grow", "--catalog", str(catalog), "--store", f"{work}/store"]
        environment = {**os.environ, "DYNOSAUR_DESIGNING__DESIGNERS": "rules", "PREFECT_HOME": f"{work}/prefect"}
        environment["PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS"] = "600"
        start = time.time()
        process = subprocess.Popen(
            command, cwd=work, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        seen: dict[int, tuple[str, float]] = {}
        memory = 0
        while process.poll() is None:
            now = processes(process.pid)
            seen |= {pid: (kind, cpu) for pid, (kind, cpu, _) in now.items() if kind}
            memory = max(memory, sum(size for kind, _, size in now.values() if kind == "reader"))
            time.sleep(_POLL_S)
        cpu: Counter[str] = Counter()
        for kind, seconds in seen.values():
            cpu[kind] += seconds
        return {**cpu, "wall": time.time() - start, "status": process.returncode, "reader_mb": memory / 1e6}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--datasets", type=int, default=300)
    parser.add_argument("--checkout", type=Path, nargs="*", default=[Path(__file__).resolve().parents[1]])
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for count in (_FEW, given.datasets):
            make(Path(folder) / str(count), count)
        for checkout in given.checkout:
            few, many = (grow(checkout, Path(folder) / str(count)) for count in (_FEW, given.datasets))
            print(checkout, f"{_FEW}:", {name: round(value, 1) for name, value in few.items()})
            print(checkout, f"{given.datasets}:", {name: round(value, 1) for name, value in many.items()})
            own = [sum(run.get(kind, 0.0) for kind in ("client", "reader")) for run in (few, many)]
            each = (own[1] - own[0]) / (given.datasets - _FEW)
            print(f"  {own[1]:.1f} CPU s, {each * 1000:.1f} ms a dataset, 1,000 of them: {own[0] + 990 * each:.1f} s")


if __name__ == "__main__":
    main()
