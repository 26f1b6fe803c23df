"""A sample of parquet files that lie here: just the chosen rows, row group by row group."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from dynosaur_core.catalog.sampling import BATCH, row_numbers, spread
from dynosaur_core.digest import digest
from dynosaur_core.models import ROW_COLUMN
from dynosaur_core.settings import Sampling


def sample_parquet(files: list[str], keep: list[str] | None, sampling: Sampling, name: str) -> pa.Table:
    """Reads just the chosen rows, row group by row group; memory is bounded by one batch."""
    counts = [pq.read_metadata(path).num_rows for path in files]
    total = sum(counts)
    chosen = np.array(
        spread(total, sampling.rows_per_split, digest(name, sampling.seed), sampling.first_rows), dtype=np.int64
    )
    parts: list[pa.Table] = []
    start = 0
    for path, count in zip(files, counts, strict=True):
        wanted = chosen[(chosen >= start) & (chosen < start + count)]
        if len(wanted) or (path is files[-1] and not parts):
            with pq.ParquetFile(path) as file:
                parts.append(_take_groups(file, keep, wanted, start))
        start += count
    return pa.concat_tables(parts, promote_options="permissive")


def _take_groups(file: pq.ParquetFile, keep: list[str] | None, wanted: np.ndarray, start: int) -> pa.Table:
    columns = keep if keep is not None else file.schema_arrow.names
    parts: list[pa.Table] = []
    for group in range(file.num_row_groups):
        stop = start + file.metadata.row_group(group).num_rows
        here = wanted[(wanted >= start) & (wanted < stop)]
        if len(here):
            parts.append(_take(file.iter_batches(BATCH, [group], columns), here, start))
        start = stop
    if not parts:
        return file.schema_arrow.empty_table().select(columns).append_column(ROW_COLUMN, row_numbers([]))
    return pa.concat_tables(parts, promote_options="permissive")


def _take(batches: Iterator[pa.RecordBatch], wanted: np.ndarray, start: int) -> pa.Table:
    parts = []
    for batch in batches:
        here = wanted[(wanted >= start) & (wanted < start + len(batch))]
        if len(here):
            table = pa.Table.from_batches([batch]).take(pa.array(here - start))
            parts.append(table.append_column(ROW_COLUMN, row_numbers(here)))
        start += len(batch)
    return pa.concat_tables(parts)
