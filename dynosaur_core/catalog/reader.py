"""How the rows of a config's files are read, by the format that `datasets` finds them to be of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pyarrow as pa

from dynosaur_core.catalog.formats import module_of
from dynosaur_core.catalog.parquet import sample_parquet
from dynosaur_core.catalog.sampling import sample_stream, stream_of
from dynosaur_core.catalog.text_files import csv_tables, csv_typed, json_tables, json_typed
from dynosaur_core.settings import Sampling

TEXT_FORMATS = {"csv", "json"}
"""Their values are texts, which other readers than ours rewrite."""


def sample_files(builder: Any, split: str, keep: list[str] | None, sampling: Sampling, name: str) -> pa.Table:
    """A sample of a split's files as they are here; `name` chooses the rows, `keep` the columns of parquet files."""
    if module_of(builder) == "parquet":
        files = [str(path) for path in builder.config.data_files[split]]
        return sample_parquet(files, keep, sampling, name)
    tables, typed = rows_of(builder, split, sampling)
    return typed(sample_stream(tables, sampling, name))


def rows_of(builder: Any, split: str, sampling: Sampling) -> tuple[Iterator[pa.Table], Callable[[pa.Table], pa.Table]]:
    """A split's rows in tables, one after the other, and what makes columns of those that are chosen."""
    module = module_of(builder)
    if module == "csv":
        return csv_tables(builder, split, sampling.max_columns), csv_typed
    if module == "json":
        names: dict[str, None] = {}
        tables = json_tables(builder, split, names, sampling.max_columns)
        return tables, partial(json_typed, names=names, declared=builder.config.features or builder.info.features)
    return stream_of(builder, split), lambda table: table
