"""What a model that is trained in stages keeps of earlier ones, from its scores after each stage.

`scores[i][j]` is the score after stage i on the held-out data of stage j, for K stages [K, K]; what was not measured is
None or NaN, such as stages that come later. Differences are in the unit of the scores.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from dynosaur_core.continual.encoders import needed

Scores = Sequence[Sequence[float | None]]
LEVEL = 0.95


def since_learnt(scores: Scores) -> tuple[float, ...]:
    """[K - 1]: for each stage but the last, its score after the last stage minus that right after it was learnt.

    The forgetting of the Dynosaur paper (Yin et al., EMNLP 2023): below zero where something was forgotten.
    """
    found = _matrix(scores)
    return tuple(float(value) for value in (found[-1] - np.diag(found))[:-1])


def backward_transfer(scores: Scores) -> float:
    """BWT of Lopez-Paz and Ranzato (NeurIPS 2017): the mean of `since_learnt` over the K - 1 earlier stages."""
    return float(np.mean(since_learnt(scores)))


def forgetting(scores: Scores) -> float:
    """F_K of Chaudhry et al. (ECCV 2018): the mean over the earlier stages of the best score that any stage before the
    last left, minus the score after the last. Above zero where something was forgotten."""
    found = _matrix(scores)
    best = np.nanmax(found[:-1, :-1], axis=0)
    return float(np.mean(best - found[-1, :-1]))


def average(scores: Scores) -> float:
    """ACC of Lopez-Paz and Ranzato: the mean over all stages of the score after the last one."""
    return float(np.mean(_matrix(scores)[-1]))


def _matrix(scores: Scores) -> npt.NDArray[np.float64]:
    """Raises ValueError where there are fewer than two stages, or where a score is missing that every measure needs."""
    found = np.array([[np.nan if value is None else value for value in row] for row in scores], dtype=np.float64)
    if found.ndim != 2 or found.shape[0] != found.shape[1] or len(found) < 2:
        raise ValueError(f"scores of two stages at least are needed, as many rows as columns, not {found.shape}")
    if np.isnan(found[-1]).any() or np.isnan(np.diag(found)).any():
        raise ValueError("a stage has no score right after it was learnt, or none after the last stage")
    return found


class Interval(NamedTuple):
    """A mean over seeds with its confidence interval."""

    mean: float
    low: float | None
    """None for a single seed, of which there is no interval."""
    high: float | None
    seeds: int

    def __str__(self) -> str:
        return f"{self.mean:.2f}" if self.low is None else f"{self.mean:.2f} [{self.low:.2f}, {self.high:.2f}]"


def interval(values: Sequence[float], level: float = LEVEL) -> Interval:
    """Student's t interval of the mean of independent values, one for each seed; raises ValueError for none."""
    found = np.asarray(values, dtype=np.float64)
    if not len(found):
        raise ValueError("an interval of no values")
    middle = float(found.mean())
    if len(found) == 1:
        return Interval(middle, None, None, 1)
    stats: Any = needed("scipy.stats", "eval")
    half = float(stats.t.ppf((1 + level) / 2, len(found) - 1) * found.std(ddof=1) / np.sqrt(len(found)))
    return Interval(middle, middle - half, middle + half, len(found))


def difference(values: Mapping[int, float], others: Mapping[int, float], level: float = LEVEL) -> Interval:
    """The interval of values minus others, paired by seed: what both share of a seed's luck falls out.

    Raises ValueError where they have no seed in common.
    """
    return interval([values[seed] - others[seed] for seed in sorted(values.keys() & others.keys())], level)
