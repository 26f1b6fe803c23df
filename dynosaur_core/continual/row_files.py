"""Rows as others read them: a parquet file, and exports of the same rows in the forms of trainers."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import pyarrow as pa
import pyarrow.parquet as pq

from dynosaur_core.export import FORMATS, Record
from dynosaur_core.publish.records import REFERENCES

_BATCH = 2_000


def reference(record: Record) -> Record:
    """The six columns of 2023."""
    return {name: record[name] for name in ("instruction", "input", "output", "license", "website", "taskname")}


EXPORTS: dict[str, Callable[[Record], Record]] = {**dict(FORMATS.items()), "reference": reference}


class RowFiles:
    """Writes `parquet`, and `<exports>/<form>.jsonl`; with a row alone there are files."""

    def __init__(self, parquet: Path, exports: Path, schema: pa.Schema) -> None:
        self._parquet, self._exports, self._schema = parquet, exports, schema
        self._stack = ExitStack()
        self._open = False
        self.rows = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *ended: object) -> None:
        self._stack.close()

    def write(self, table: pa.Table) -> None:
        """Appends the rows of `table`, which is in the schema."""
        if not table.num_rows:
            return
        if not self._open:
            self._begin()
        self.rows += table.num_rows
        self._writer.write_table(table)
        for batch in table.to_batches(_BATCH):
            for record in batch.to_pylist():
                for form, shape in EXPORTS.items():
                    self._files[form].write(json.dumps(shape(record), ensure_ascii=False).encode() + b"\n")

    def _begin(self) -> None:
        self._open = True
        for folder in (self._parquet.parent, self._exports):
            folder.mkdir(parents=True, exist_ok=True)
        self._writer = self._stack.enter_context(pq.ParquetWriter(self._parquet, self._schema, compression="zstd"))
        self._files = {
            form: self._stack.enter_context((self._exports / f"{form}.jsonl").open("wb")) for form in EXPORTS
        }


def in_schema(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """`table` with the columns of `schema`, of which it may lack the references."""
    if REFERENCES not in table.column_names:
        table = table.append_column(REFERENCES, pa.nulls(table.num_rows, schema.field(REFERENCES).type))
    return table.select(schema.names).cast(schema)
