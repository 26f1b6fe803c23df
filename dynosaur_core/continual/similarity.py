"""Sums and maxima of cosines, block by block: no matrix of all pairs is ever in memory."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from dynosaur_core.continual.encoders import Vectors

Floats = npt.NDArray[np.float64]
BLOCK = 4_096
"""Rows of one block; two blocks' product takes 64 MiB."""
_DIGITS = 6
"""Digits of a mean cosine that are meant: those of float32. Scores that agree in them are ties, broken by task id."""


def mean_cosine(of: Vectors, to: Vectors) -> Floats:
    """[K]: the mean cosine of each row of `of` [K, d] to all rows of `to` [L, d]; zeros where there are none.

    The sum over a column of the matrix of cosines is the product with the sum of the rows: exact, without the matrix.
    """
    if not len(to):
        return np.zeros(len(of))
    mean = to.mean(axis=0, dtype=np.float64)
    # a sum along each row, unlike a product of BLAS, does not depend on where in the block the row stands
    parts = [(of[rows].astype(np.float64) * mean).sum(axis=1) for rows in blocks(len(of))]
    return np.round(np.concatenate([np.zeros(0), *parts]), _DIGITS)


def nearest(of: Vectors, to: Vectors) -> npt.NDArray[np.float32]:
    """[K]: the largest cosine of each row of `of` to any row of `to`, 0 at least."""
    found = np.zeros(len(of), dtype=np.float32)
    for rows in blocks(len(of)):
        for columns in blocks(len(to)):
            np.maximum(found[rows], (of[rows] @ to[columns].T).max(axis=1), out=found[rows])
    return found


def blocks(count: int, size: int = BLOCK) -> Iterator[slice]:
    return (slice(at, min(at + size, count)) for at in range(0, count, size))


def nearest_of(of: Vectors, to: Vectors) -> list[tuple[int, float]]:
    """[K]: the place in `to` of the row that is nearest to each row of `of`, and their cosine."""
    best = np.full(len(of), -np.inf, dtype=np.float32)
    place = np.zeros(len(of), dtype=np.int64)
    for rows in blocks(len(of)):
        for columns in blocks(len(to)):
            cosines = of[rows] @ to[columns].T
            found = cosines.argmax(axis=1)
            value = cosines[np.arange(len(found)), found]
            better = value > best[rows]
            place[rows] = np.where(better, found + columns.start, place[rows])
            best[rows] = np.maximum(best[rows], value)
    return list(zip(place.tolist(), best.tolist(), strict=True))
