"""What a replay strategy chooses from, and how much room there is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from dynosaur_core.continual.encoders import Vectors


@dataclass(frozen=True)
class Candidate:
    """A task of a stage, as far as a strategy needs to know it."""

    task_id: str
    instruction: str
    repo_id: str
    license: str
    stage: int
    """The version of the release that added it, or the number of the part of a split."""
    records: int
    """Its records in all."""
    tokens: int = 0
    """Of the records of it that would be replayed, estimated."""


@dataclass(frozen=True)
class Pool:
    """The earlier tasks, of which some are replayed, and the new stage. Made by `make_pool`."""

    earlier: tuple[Candidate, ...]
    """By task id, so that no strategy's result depends on the order in which they were given."""
    vectors: Vectors
    """[K, d] of `earlier`."""
    new: tuple[Candidate, ...]
    new_vectors: Vectors
    """[L, d] of `new`."""
    seed: int = 0
    age_weight: float = 1.0

    def weights(self) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        """[K]: `age_weight` to the power of the age, in stages: 1 for the last of the earlier stages."""
        stages = sorted({task.stage for task in self.earlier})
        age = {stage: len(stages) - 1 - at for at, stage in enumerate(stages)}
        return np.array([self.age_weight ** age[task.stage] for task in self.earlier], dtype=np.float64)


def make_pool(
    earlier: Sequence[Candidate],
    vectors: Vectors,
    new: Sequence[Candidate],
    new_vectors: Vectors,
    seed: int = 0,
    age_weight: float = 1.0,
) -> Pool:
    """`earlier` [K] with `vectors` [K, d], and `new` [L] with `new_vectors` [L, d], in any order; ids are unique."""
    mine, theirs = _by_id(earlier), _by_id(new)
    return Pool(
        tuple(earlier[at] for at in mine),
        vectors[mine],
        tuple(new[at] for at in theirs),
        new_vectors[theirs],
        seed,
        age_weight,
    )


def _by_id(tasks: Sequence[Candidate]) -> list[int]:
    return sorted(range(len(tasks)), key=lambda at: tasks[at].task_id)


@dataclass
class Room:
    """How much may be replayed; a bound that is None does not bind."""

    tasks: int | None = None
    tokens: int | None = None
    per_source: int | None = None
    """Tasks of one dataset."""
    per_license: int | None = None
    """Tasks under one licence."""
    taken: int = 0
    used_tokens: int = 0
    _sources: Counter[str] = field(default_factory=Counter)
    _licenses: Counter[str] = field(default_factory=Counter)

    @property
    def full(self) -> bool:
        return self.tasks is not None and self.taken >= self.tasks

    def fits(self, task: Candidate) -> bool:
        """Whether `task` may be taken too. Once it does not fit it never will again."""
        return not self.full and all(
            bound is None or used <= bound
            for used, bound in (
                (self.used_tokens + task.tokens, self.tokens),
                (self._sources[task.repo_id] + 1, self.per_source),
                (self._licenses[task.license] + 1, self.per_license),
            )
        )

    def take(self, task: Candidate) -> None:
        self.taken += 1
        self.used_tokens += task.tokens
        self._sources[task.repo_id] += 1
        self._licenses[task.license] += 1
