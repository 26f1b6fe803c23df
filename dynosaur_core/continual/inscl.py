"""InsCL: Wang et al., "InsCL: A Data-efficient Continual Learning Paradigm for Fine-tuning Large Language Models with
Instructions", NAACL 2024.

Of the replayed instructions each earlier stage i gets the share W_i / sum W, where W_i is the Wasserstein distance
(p = 1, cost 1 - cosine) between its distribution of instructions and the new stage's; an instruction weighs as much as
it has records. Within a stage those come first whose InsInfo = sum over their tags t of log(N / f_t) is largest, with N
the instructions of all stages and f_t those that bear t.

What is ours: the paper asks GPT-4 for an instruction's tags and merges them by clustering, here they are its words, so
that no model is asked; stages are releases where the paper has categories of tasks; shares are rounded by
Sainte-Laguë's method, which the paper leaves open; and a distance is that of `POINTS` instructions of each stage, drawn
evenly by weight.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from dynosaur_core.continual.encoders import Vectors, needed
from dynosaur_core.continual.pool import Candidate, Pool, Room
from dynosaur_core.continual.similarity import Floats

POINTS = 420
"""Divisible by all numbers to 7: exact for stages of so few instructions of equal weight."""


def by_inscl(pool: Pool, room: Room) -> Iterable[tuple[int, float]]:
    """The tasks in an order whose every beginning has the stages' shares; the score is InsInfo."""
    info = insinfo([task.instruction for task in (*pool.earlier, *pool.new)])
    stages: dict[int, list[int]] = {}
    for at, task in enumerate(pool.earlier):
        stages.setdefault(task.stage, []).append(at)
    turns: list[tuple[float, int]] = []
    for members in stages.values():
        vectors, records = pool.vectors[members], _records([pool.earlier[at] for at in members])
        share = wasserstein(vectors, records, pool.new_vectors, _records(pool.new))
        ranked = sorted(members, key=lambda at: (-info[at], at))
        # stages at no distance have no share: their tasks come when the others are in
        turns += [((rank + 0.5) / share if share else math.inf, at) for rank, at in enumerate(ranked)]
    return ((at, info[at]) for _, at in sorted(turns))


def insinfo(instructions: Sequence[str]) -> list[float]:
    """InsInfo of each, in nats; its tags are its distinct words."""
    tags = [set(re.findall(r"\w+", text.lower())) for text in instructions]
    known = Counter(tag for found in tags for tag in found)
    return [round(sum(math.log(len(tags) / known[tag]) for tag in sorted(found)), 6) for found in tags]


def wasserstein(a: Vectors, a_weights: Floats, b: Vectors, b_weights: Floats) -> float:
    """The 1-Wasserstein distance of two weighted sets of vectors of length one, [n, d] and [m, d], by 1 - cosine.

    Both are drawn to `POINTS` points of equal weight, for which the best transport is an assignment.
    """
    optimize = needed("scipy.optimize", "replay")
    cost = 1.0 - a[_drawn(a_weights)].astype(np.float64) @ b[_drawn(b_weights)].T
    rows, columns = optimize.linear_sum_assignment(cost)
    return round(float(np.maximum(cost[rows, columns], 0.0).mean()), 6)


def _drawn(weights: Floats) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """`POINTS` places, each as often as its weight says, but for rounding: systematic sampling."""
    ends = np.cumsum(weights) / weights.sum()
    return np.searchsorted(ends, (np.arange(POINTS) + 0.5) / POINTS)


def _records(tasks: Sequence[Candidate]) -> Floats:
    return np.array([max(task.records, 1) for task in tasks], dtype=np.float64)
