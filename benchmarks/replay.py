"""How long choosing what to replay takes, and how much memory, beside one product of BLAS of the same size.

    python benchmarks/replay.py [--earlier 100000] [--new 5000] [--tasks 1000] [STRATEGY ...]

Vectors are drawn around 2,000 centres, as instructions lie in families. Each strategy runs in a process of its own,
whose peak memory (the vectors included) is told; the product is all cosines of earlier to new tasks, in blocks.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from dynosaur_core.continual.encoders import Vectors, normalised
from dynosaur_core.continual.pool import Candidate, Pool, Room, make_pool
from dynosaur_core.continual.similarity import blocks
from dynosaur_core.continual.strategies import STRATEGIES, select

DIMENSIONS = 384
CENTRES = 2_000


def drawn(count: int, centres: Vectors, draw: np.random.Generator) -> Vectors:
    vectors = np.empty((count, DIMENSIONS), dtype=np.float32)
    for rows in blocks(count):
        size = rows.stop - rows.start
        noise = draw.normal(size=(size, DIMENSIONS)).astype(np.float32)
        vectors[rows] = normalised(centres[draw.integers(0, CENTRES, size)] + 0.8 * noise)
    return vectors


def candidates(letter: str, count: int) -> list[Candidate]:
    return [
        Candidate(f"{letter}{at:06d}", f"handle case {at % 977} by rule {at}", f"r{at % 300}", "mit", at % 3, 10, 50)
        for at in range(count)
    ]


def pool_of(earlier: int, new: int) -> Pool:
    draw = np.random.default_rng(0)
    centres = draw.normal(size=(CENTRES, DIMENSIONS)).astype(np.float32)
    vectors = [drawn(count, centres, draw) for count in (earlier, new)]
    return make_pool(candidates("a", earlier), vectors[0], candidates("b", new), vectors[1])


def product(pool: Pool) -> None:
    for rows in blocks(len(pool.vectors)):
        pool.vectors[rows] @ pool.new_vectors.T


def measured(earlier: int, new: int, run: Callable[[Pool], object]) -> tuple[float, float]:
    """Seconds, and MB at the peak."""
    pool = pool_of(earlier, new)
    begun = time.perf_counter()
    run(pool)
    return time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _job(name: str, given: argparse.Namespace, answers: Any) -> None:
    run = product if name == "product" else lambda pool: select(pool, name, Room(tasks=given.tasks))
    answers.put(measured(given.earlier, given.new, run))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--earlier", type=int, default=100_000)
    parser.add_argument("--new", type=int, default=5_000)
    parser.add_argument("--tasks", type=int, default=1_000)
    parser.add_argument("strategies", nargs="*", default=[name for name in STRATEGIES if name not in ("none", "full")])
    given = parser.parse_args()
    print(f"{given.earlier:,} earlier, {given.new:,} new, {given.tasks:,} chosen")
    print("| | seconds | products | peak MB |\n|---|---|---|---|")
    unit = 0.0
    for name in ("product", *given.strategies, "product"):
        spawning = multiprocessing.get_context("spawn")
        answers: Any = spawning.Queue()
        job = spawning.Process(target=_job, args=(name, given, answers))
        job.start()
        seconds, peak_mb = answers.get()
        job.join()
        unit = unit or seconds
        print(f"| {name} | {seconds:.1f} | {seconds / unit:.2f} | {peak_mb:,.0f} |", flush=True)


if __name__ == "__main__":
    main()
