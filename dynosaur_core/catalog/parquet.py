"""A sample of parquet files that lie here: just the chosen rows, row group by row group."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from dynosaur_core.catalog.formats import parsing
from dynosaur_core.catalog.sampling import BATCH, row_numbers, spread
from dynosaur_core.digest import digest
from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.models import ROW_COLUMN
from dynosaur_core.reading.features import check_columns, is_media
from dynosaur_core.reading.plain import taken
from dynosaur_core.reading.together import known_features, together, with_features
from dynosaur_core.settings import Sampling


def sample_parquet(files: list[str], keep: list[str] | None, sampling: Sampling, name: str) -> pa.Table:
    """Reads just the chosen rows, row group by row group; memory is bounded by one batch. Without media columns, and
    of the others those in `keep`; the files' rows have the features that they have in common."""
    with parsing():
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
                parts.append(_take_groups(file, keep, wanted, start, sampling.max_columns))
        start += count
    return of_one_split(parts)


def of_one_split(parts: list[pa.Table]) -> pa.Table:
    """The parts' rows under one schema, which carries their features."""
    if all(part.schema.equals(parts[0].schema, check_metadata=True) for part in parts):
        return pa.concat_tables(parts)
    found = together(parts, None)
    return with_features(found.table, found.features)


def readable(schema: pa.Schema, keep: list[str] | None = None) -> list[str]:
    """The columns that hold no media, and of those the ones in `keep`."""
    known = known_features(schema)
    wanted = [name for name in schema.names if keep is None or name in keep]
    return [name for name in wanted if name not in known or not is_media(known[name])]


def _take_groups(
    file: pq.ParquetFile, keep: list[str] | None, wanted: np.ndarray, start: int, most_columns: int
) -> pa.Table:
    columns = readable(file.schema_arrow, keep)
    if not columns:  # its batches would not know how many rows they have
        raise DynosaurError(Code.UNREADABLE_FILES, _none_left(file.schema_arrow.names))
    check_columns(len(columns), most_columns)
    parts: list[pa.Table] = []
    for group in range(file.num_row_groups):
        stop = start + file.metadata.row_group(group).num_rows
        here = wanted[(wanted >= start) & (wanted < stop)]
        if len(here):
            parts.append(_take(file.iter_batches(BATCH, [group], columns), here, start))
        start = stop
    if not parts:
        return file.schema_arrow.empty_table().select(columns).append_column(ROW_COLUMN, row_numbers([]))
    return pa.concat_tables(parts)


def _none_left(names: list[str]) -> str:
    twice = next((name for name in names if names.count(name) > 1), None)
    return "it has no column that is read" if twice is None else f"two of its columns are named {twice!r}"


def _take(batches: Iterator[pa.RecordBatch], wanted: np.ndarray, start: int) -> pa.Table:
    parts = []
    for batch in batches:
        here = wanted[(wanted >= start) & (wanted < start + len(batch))]
        if len(here):
            table = taken(pa.Table.from_batches([batch]), pa.array(here - start))
            parts.append(table.append_column(ROW_COLUMN, row_numbers(here)))
        start += len(batch)
    return pa.concat_tables(parts)
