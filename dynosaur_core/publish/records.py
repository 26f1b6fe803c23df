"""Records as parquet: the columns of InstructionRecord, written so that equal records give equal bytes."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq

from dynosaur_core.digest import digest_bytes
from dynosaur_core.models import InstructionRecord, ShardHandle
from dynosaur_core.store import Store

RECORDS = "records"
"""The store's kind of file."""
REFERENCES = "references"
"""The one column that may be missing in a shard, and null in a record."""
SCHEMA = pa.schema(
    [
        pa.field(name, pa.list_(pa.string()), nullable=True)
        if name == REFERENCES
        else pa.field(name, pa.int64() if field.annotation is int else pa.string(), nullable=False)
        for name, field in InstructionRecord.model_fields.items()
    ]
)


def read_batches(file: pq.ParquetFile, rows: int) -> Iterator[pa.RecordBatch]:
    """A shard's records in batches of at most `rows`, all of them in SCHEMA."""
    for batch in file.iter_batches(batch_size=rows):
        columns = dict(zip(batch.schema.names, batch.columns, strict=True))
        columns.setdefault(REFERENCES, pa.nulls(batch.num_rows, SCHEMA.field(REFERENCES).type))
        yield pa.RecordBatch.from_arrays([columns[name] for name in SCHEMA.names], schema=SCHEMA)


def write_shard(store: Store, table: pa.Table) -> ShardHandle:
    """Writes `table` under its content digest; dictionary columns are stored as such and read back as plain strings."""
    sink = pa.BufferOutputStream()
    full = pa.schema([field.with_nullable(field.name == REFERENCES) for field in table.schema])
    pq.write_table(
        pa.Table.from_arrays(table.columns, schema=full),
        sink,
        compression="lz4",  # between growth and release speed counts more than size
        use_dictionary=[field.name for field in full if pa.types.is_dictionary(field.type)],
        write_statistics=False,
        store_schema=False,  # readers see plain strings
        data_page_version="2.0",
    )
    data = sink.getvalue().to_pybytes()
    handle = ShardHandle(digest=digest_bytes(data), records=table.num_rows, size_bytes=len(data))
    store.write_named(RECORDS, handle.digest, data)
    return handle
