"""Which rows of a split are sampled, and one pass over a split of unknown length."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from dynosaur_core.catalog.formats import parsing
from dynosaur_core.digest import digest
from dynosaur_core.models import ROW_COLUMN
from dynosaur_core.reading.features import is_media
from dynosaur_core.settings import Sampling

BATCH = 1_000
"""Rows read at once."""


def spread(n_rows: int, n: int, seed: str, first: bool = False) -> list[int]:
    """At most `n` row numbers of `n_rows`: one drawn from each of `n` equal stretches, so that sorted data keep all
    their classes; or the first `n`. Ascending; the same seed gives the same rows."""
    if first or n_rows <= n:
        return list(range(min(n, n_rows)))
    bounds = np.linspace(0, n_rows, n + 1).astype(np.int64)
    draws = np.random.default_rng(int(seed[:16], 16)).random(n)
    return [int(low + draw * (high - low)) for low, high, draw in zip(bounds, bounds[1:], draws, strict=False)]


def stream_of(builder: Any, split: str) -> Iterator[pa.Table]:
    """A split's rows as `datasets` streams them, without media columns."""
    with parsing():
        stream = builder.as_streaming_dataset(split)
    features = stream.features or {}
    keep = [name for name, feature in features.items() if not is_media(feature)]
    with parsing():
        if len(keep) < len(features):
            stream = stream.select_columns(keep)
        for batch in stream.with_format("arrow").iter(batch_size=BATCH):
            yield batch if isinstance(batch, pa.Table) else pa.table(batch)


def sample_stream(tables: Iterable[pa.Table], sampling: Sampling, name: str) -> pa.Table:
    """One pass over a split of unknown length: every row draws a number by its position, the smallest stay."""
    kept: pa.Table | None = None
    priorities = np.array([], dtype=np.float64)
    start, seed = 0, int(digest(name, sampling.seed)[:15], 16)
    for table in tables:
        rows = np.arange(start, start + len(table))
        start += len(table)
        drawn = rows.astype(np.float64) if sampling.first_rows else _draw(rows, seed)
        merged = np.concatenate([priorities, drawn])
        table = table.append_column(ROW_COLUMN, row_numbers(rows))
        both = table if kept is None else pa.concat_tables([kept, table], promote_options="permissive")
        stay = np.sort(np.argsort(merged, kind="stable")[: sampling.rows_per_split])
        kept, priorities = both.take(pa.array(stay)), merged[stay]
        if sampling.first_rows and start >= sampling.rows_per_split:
            break
    if kept is None:
        return pa.table({ROW_COLUMN: row_numbers([])})
    return kept.combine_chunks()


def _draw(rows: np.ndarray, seed: int) -> np.ndarray:
    """A pseudo-random number per row position (SplitMix64's mixing), the same in every run."""
    with np.errstate(over="ignore"):
        x = rows.astype(np.uint64) + np.uint64(seed)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return (x ^ (x >> np.uint64(31))).astype(np.float64)


def row_numbers(values: Any) -> pa.Array:
    return pa.array(values, type=pa.int64())
