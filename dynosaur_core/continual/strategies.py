"""Which earlier tasks are replayed. `STRATEGIES` lists the ways by name.

With I_c [L, d] the instruction embeddings of the current stage, I_p [K, d] those of the earlier ones,
S_cp = cos(I_c, I_p) and S_pp = cos(I_p, I_p), Yin et al. (Dynosaur, EMNLP 2023, section 4) replay the M tasks with

    instr-diverse    the least column sum of S_cp
    instr-similar    the largest column sum of S_cp
    instr-support    the largest row sum of S_pp
    data-diverse     the least column sum of S_cp on embeddings of the examples

beside the controls none, random and full. Here a task's vector on its examples is the mean of the examples' vectors, so
that a sum over tasks is the mean over all pairs of examples. `inscl` is Wang et al.'s (see `inscl.py`), and `coverage`
(see `coverage.py`) our own.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from dynosaur_core.continual.coverage import by_coverage
from dynosaur_core.continual.inscl import by_inscl
from dynosaur_core.continual.pool import Pool, Room
from dynosaur_core.continual.similarity import Floats, mean_cosine
from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.setting_names import did_you_mean

Pick = tuple[int, float]
"""A task by its place in `Pool.earlier`, and the score by which it was its turn."""


@dataclass(frozen=True)
class Strategy:
    """One way of choosing."""

    order: Callable[[Pool, Room], Iterable[Pick]]
    """The tasks in the order in which they are taken, as long as there is room; it may look at what still fits."""
    why: str
    """What a task's score says, with `{0}` for it."""
    embeds: Literal["nothing", "instructions", "examples"] = "instructions"
    """What the vectors of the pool are of."""
    bounded: bool = True
    """Whether it needs a number of tasks or tokens."""
    weighs_age: bool = False
    """Whether `age_weight` changes anything; the published ones do not know ages."""


def _none(pool: Pool, room: Room) -> Iterable[Pick]:
    return ()


def _full(pool: Pool, room: Room) -> Iterable[Pick]:
    return ((at, 1.0) for at in range(len(pool.earlier)))


def _random(pool: Pool, room: Room) -> Iterable[Pick]:
    """Weighted sampling without replacement: Efraimidis and Spirakis, Information Processing Letters 97 (2006)."""
    drawn = [_uniform(pool.seed, task.task_id) for task in pool.earlier]
    return _ascending([-math.log(u) / weight for u, weight in zip(drawn, pool.weights(), strict=True)])


def _uniform(seed: int, task_id: str) -> float:
    """In (0, 1), by the seed and the task alone."""
    number = int.from_bytes(hashlib.sha256(f"{seed} {task_id}".encode()).digest()[:8], "big")
    return (number + 1) / (2**64 + 2)


def _diverse(pool: Pool, room: Room) -> Iterable[Pick]:
    return _ascending(mean_cosine(pool.vectors, pool.new_vectors))


def _similar(pool: Pool, room: Room) -> Iterable[Pick]:
    return _descending(mean_cosine(pool.vectors, pool.new_vectors))


def _support(pool: Pool, room: Room) -> Iterable[Pick]:
    return _descending(mean_cosine(pool.vectors, pool.vectors))


def _ascending(scores: Floats | list[float]) -> Iterator[Pick]:
    return ((at, float(scores[at])) for at in sorted(range(len(scores)), key=lambda at: scores[at]))


def _descending(scores: Floats) -> Iterator[Pick]:
    return ((at, -score) for at, score in _ascending(-scores))


_TO_NEW = "its mean cosine to the new tasks is {0:.3f}"
STRATEGIES: dict[str, Strategy] = {
    "none": Strategy(_none, "", "nothing", bounded=False),
    "random": Strategy(_random, "it was drawn", "nothing", weighs_age=True),
    "full": Strategy(_full, "everything is replayed", "nothing", bounded=False),
    "instr-diverse": Strategy(_diverse, _TO_NEW),
    "instr-similar": Strategy(_similar, _TO_NEW),
    "instr-support": Strategy(_support, "its mean cosine to the earlier tasks is {0:.3f}"),
    "data-diverse": Strategy(_diverse, "the mean cosine of its examples to the new tasks' is {0:.3f}", "examples"),
    "inscl": Strategy(by_inscl, "its words bear {0:.1f} nats (InsInfo), in its stage's share"),
    "coverage": Strategy(by_coverage, "it brings the earlier tasks {0:.6f} nearer, on average", weighs_age=True),
}


def strategy(name: str) -> Strategy:
    """Raises BadSetting for a name that is none."""
    if name not in STRATEGIES:
        message = f"there is no strategy {name!r}{did_you_mean(name, STRATEGIES)}; there are {', '.join(STRATEGIES)}"
        raise DynosaurError(Code.BAD_SETTING, message)
    return STRATEGIES[name]


def select(pool: Pool, name: str, room: Room) -> list[Pick]:
    """The tasks to replay, in the order in which they were taken; the same ones for the same pool, seed and room.

    Raises BadSetting for a name that is none, and where the strategy needs a bound that `room` lacks.
    """
    chosen = check(name, room, pool.age_weight)
    if not chosen.bounded:  # a number of tasks is for those that choose
        room.tasks = None
    picks: list[Pick] = []
    for at, score in chosen.order(pool, room):
        if room.full:
            break
        if room.fits(pool.earlier[at]):
            room.take(pool.earlier[at])
            picks.append((at, score))
    return picks


def check(name: str, room: Room, age_weight: float) -> Strategy:
    """The strategy; raises BadSetting as `select` does, before anything is read."""
    chosen = strategy(name)
    if chosen.bounded and room.tasks is None and room.tokens is None:
        message = f"the strategy {name} needs to know how much it may take: give --tasks or --tokens"
        raise DynosaurError(Code.BAD_SETTING, message)
    if age_weight != 1 and not chosen.weighs_age:
        knows = ", ".join(each for each, found in STRATEGIES.items() if found.weighs_age)
        raise DynosaurError(Code.BAD_SETTING, f"the strategy {name} knows no ages: --age-weight is for {knows}")
    return chosen
