"""Coverage: the earlier tasks that stand for most of what the new stage does not teach again.

Facility location given the new stage. With w_i the weight of earlier task i (its age), s(i, j) the cosine of two tasks,
or 0 where it is negative, and C the new stage, the tasks R are replayed that maximise

    f(R) = sum over i of w_i * max over j in C and R of s(i, j)

f is monotone and submodular: taking the task with the largest gain each time is within 1 - 1/e of the best choice
(Nemhauser, Wolsey and Fisher, Mathematical Programming 14, 1978), and gains only shrink, so that those of before are
bounds (lazy evaluation: Minoux, 1978). A task near one that is in gains little, so near-duplicates do not crowd the
choice; equal tasks are one, and their copies come last.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import numpy.typing as npt

from dynosaur_core.continual.encoders import Vectors
from dynosaur_core.continual.pool import Pool, Room
from dynosaur_core.continual.similarity import Floats, blocks, nearest

_FRONT = 64
"""Candidates that are compared at every step; their cosines to all tasks are kept."""
_BLOCK = 2_048
_SLACK = 2e-5
"""Gains of two products of the same rows differ by less."""
Row = npt.NDArray[np.float32]


def by_coverage(pool: Pool, room: Room) -> Iterable[tuple[int, float]]:
    """The tasks in greedy order; the score is the gain, divided by the sum of all weights.

    Of equal tasks the first by id that fits is taken; when all distinct ones are in or do not fit, the copies follow.
    """
    groups = _equal(pool)
    copies: list[int] = []
    for group, gain in _greedy(pool, [members[0] for members in groups], groups, room):
        fitting = [at for at in groups[group] if room.fits(pool.earlier[at])]
        yield fitting[0], gain
        copies += fitting[1:]
    yield from ((at, 0.0) for at in sorted(copies))


def _equal(pool: Pool) -> list[list[int]]:
    """Places of tasks that are equal to each other: the same vector, or the same words in the same order."""
    by_vector: dict[bytes, int] = {}
    by_text: dict[str, int] = {}
    groups: list[list[int]] = []
    for at, task in enumerate(pool.earlier):
        vector, text = pool.vectors[at].tobytes(), " ".join(task.instruction.casefold().split())
        group = by_vector.get(vector, by_text.get(text, len(groups)))
        if group == len(groups):
            groups.append([])
        groups[group].append(at)
        by_vector.setdefault(vector, group)
        by_text.setdefault(text, group)
    return groups


def _greedy(pool: Pool, first: list[int], groups: list[list[int]], room: Room) -> Iterator[tuple[int, float]]:
    """Groups with their gains, the largest each time; those of which nothing fits are left out."""
    vectors, each = pool.vectors[first], pool.weights()
    weights = np.array([each[members].sum() for members in groups], dtype=np.float32)
    covered = nearest(vectors, pool.new_vectors)
    bounds = [(-gain, group) for group, gain in enumerate(_all_gains(vectors, weights, covered))]
    heapq.heapify(bounds)

    def fits(group: int) -> bool:
        return any(room.fits(pool.earlier[at]) for at in groups[group])

    front, cosines = _front(vectors, bounds, fits)
    while front:
        gains = _gains(cosines, weights, covered)
        best = int(gains.argmax())
        if bounds and -bounds[0][0] > gains[best] + _SLACK:
            for group, gain in zip(front, gains, strict=True):
                heapq.heappush(bounds, (-gain, group))
            front, cosines = _front(vectors, bounds, fits)
            continue
        yield front[best], float(gains[best] / weights.sum(dtype=np.float64))
        np.maximum(covered, cosines[best], out=covered)
        # what does not fit now never will
        stay = [at for at, group in enumerate(front) if at != best and fits(group)]
        front, cosines = [front[at] for at in stay], cosines[stay]
        if not front:
            front, cosines = _front(vectors, bounds, fits)


def _front(vectors: Vectors, bounds: list[tuple[float, int]], fits: Callable[[int], bool]) -> tuple[list[int], Vectors]:
    """Takes the most promising groups that fit out of the heap; their cosines to all tasks are [front, n]."""
    front: list[int] = []
    while bounds and len(front) < _FRONT:
        group = heapq.heappop(bounds)[1]
        front += [group] if fits(group) else []
    front.sort()
    return front, vectors[front] @ vectors.T


def _gains(cosines: Vectors, weights: Row, covered: Row) -> Floats:
    """[front]: how much f grows by each of the candidates; what is below float32's resolution is nothing."""
    found = np.zeros(len(cosines))
    for columns in blocks(cosines.shape[1], _BLOCK):
        found += np.maximum(cosines[:, columns] - covered[columns], 0.0) @ weights[columns]
    return np.round(found, 5)


def _all_gains(vectors: Vectors, weights: Row, covered: Row) -> Floats:
    """[n]: the gain of every task. Each product of two blocks serves both of them."""
    found = np.zeros(len(vectors))
    for rows in blocks(len(vectors), _BLOCK):
        for columns in blocks(rows.stop, _BLOCK):
            cosines = vectors[rows] @ vectors[columns].T
            if columns != rows:
                found[columns] += weights[rows] @ np.maximum(cosines - covered[rows, None], 0.0)
            np.maximum(np.subtract(cosines, covered[columns], out=cosines), 0.0, out=cosines)
            found[rows] += cosines @ weights[columns]
    return np.round(found, 5)
