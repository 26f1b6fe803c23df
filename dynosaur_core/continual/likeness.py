"""Which tasks are most like those of an evaluation suite, so that each of its tasks has its share.

The test tasks take turns: each takes the task that is nearest to its definition, by the cosine of their embeddings, of
those that are not taken yet. Taking the nearest ones over all instead would fill the choice with the few kinds of test
task that sources have most of. Tasks with the same words as a taken one come when all others are in.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from itertools import count, islice

import numpy as np

from dynosaur_core.continual.encoders import Vectors
from dynosaur_core.continual.overlap import plain
from dynosaur_core.continual.similarity import blocks


@dataclass(frozen=True)
class Taken:
    """A task that is taken."""

    at: int
    """Its place among the tasks."""
    test: int
    """The test task whose turn it was."""
    cosine: float
    turn: int
    """1 for the first task that this test task took."""


def most_alike(instructions: Sequence[str], vectors: Vectors, tests: Vectors, most: int) -> list[Taken]:
    """At most `most` of K tasks, in the order in which they are taken; `vectors` [K, d], `tests` [T, d].

    Ties are broken by place.
    """
    first: dict[str, int] = {}
    copies = [at for at, text in enumerate(instructions) if first.setdefault(plain(text), at) != at]
    copied = set(copies)
    taken: list[Taken] = []
    for among in ([at for at in range(len(instructions)) if at not in copied], copies):
        room = most - len(taken)
        taken += [
            Taken(among[each.at], each.test, each.cosine, each.turn) for each in _in_turns(vectors[among], tests, room)
        ]
    return taken


def _in_turns(vectors: Vectors, tests: Vectors, most: int) -> Iterator[Taken]:
    wanted = min(most, len(vectors))
    if not wanted or not len(tests):
        return
    queues = [queue for rows in blocks(len(tests), 256) for queue in _nearest(vectors, tests[rows], wanted)]
    used: set[int] = set()
    for turn in count(1):
        heads = [(-cosine, test, at) for test, queue in enumerate(queues) for at, cosine in islice(queue, 1)]
        heapify(heads)
        while heads:
            cosine, test, at = heappop(heads)
            if at not in used:
                used.add(at)
                yield Taken(at, test, -cosine, turn)
                if len(used) == wanted:
                    return
            else:
                for next_at, next_cosine in islice(queues[test], 1):
                    heappush(heads, (-next_cosine, test, next_at))


def _nearest(vectors: Vectors, tests: Vectors, most: int) -> Iterator[Iterator[tuple[int, float]]]:
    """For each test its `most` nearest rows of `vectors`, the nearest first: more are never looked at, since no more
    are taken in all."""
    cosines = np.concatenate([vectors[rows] @ tests.T for rows in blocks(len(vectors))])
    for column in np.round(cosines.T, 6):
        near = np.argpartition(-column, most - 1)[:most] if most < len(column) else np.arange(len(column))
        order = near[np.lexsort((near, -column[near]))]
        yield iter([(int(at), float(column[at])) for at in order])
