"""The map of the embeddings: their first two principal components, with what was chosen."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dynosaur_core.continual.choosing import Chosen
from dynosaur_core.continual.encoders import Vectors, needed

MAP = "map.png"
_SHOWN = 20_000
"""Points of one kind; of more so many are shown, evenly."""

_STYLES: tuple[dict[str, Any], ...] = (
    {"s": 10, "color": "#b8b8b8"},
    {"s": 14, "color": "#2a6fbb", "marker": "x", "linewidths": 0.9},
    {"s": 26, "color": "#e07b00", "edgecolors": "black", "linewidths": 0.5},
)


def principal(vectors: Vectors) -> npt.NDArray[np.float64]:
    """[n, 2]: the coordinates of each row on the two axes along which the rows differ most (PCA).

    Of an axis' two directions the one is taken in which its largest part is positive.
    """
    mean = vectors.mean(axis=0, dtype=np.float64)
    spread = vectors.T.astype(np.float64) @ vectors / max(len(vectors), 1) - np.outer(mean, mean)
    axes = np.linalg.eigh(spread)[1][:, ::-1][:, :2]
    axes *= np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])])
    return np.asarray(vectors @ axes - mean @ axes, dtype=np.float64)


def draw_map(chosen: Chosen, title: str, folder: Path) -> None:
    """Writes MAP into `folder`: the earlier tasks, the new stage, and what is replayed."""
    pool = chosen.pool
    groups = {
        "earlier tasks": np.arange(len(pool.earlier)),
        "new tasks": np.arange(len(pool.new)) + len(pool.earlier),
        "replayed": np.array([at for at, _ in chosen.picks], dtype=np.int64),
    }
    draw_points(np.concatenate([pool.vectors, pool.new_vectors]), groups, title, folder)


def draw_points(vectors: Vectors, groups: Mapping[str, npt.NDArray[np.int64]], title: str, folder: Path) -> None:
    """Writes MAP into `folder`. `groups` are places in `vectors` by the name of three kinds: what was chosen from is
    grey, what that is compared with blue, and what was chosen orange and on top."""
    places = principal(vectors)
    figure = needed("matplotlib.figure", "replay").Figure(figsize=(9, 7), dpi=120, layout="constrained")
    axes = figure.subplots()
    for (label, members), style in zip(groups.items(), _STYLES, strict=True):
        shown = places[members[:: -(-len(members) // _SHOWN) or 1]]
        axes.scatter(shown[:, 0], shown[:, 1], label=f"{label} ({len(members):,})", **style)
    axes.set(title=title, xlabel="first principal component", ylabel="second principal component")
    axes.legend(loc="best", framealpha=0.9)
    figure.savefig(folder / MAP, metadata={"Software": None})  # equal maps are equal files
