"""Records as parquet: the columns of InstructionRecord, written so that equal records give equal bytes."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq

from dynosaur_core.digest import digest_bytes
from dynosaur_core.models import InstructionRecord, ShardHandle
from dynosaur_core.store import Store, table_name

RECORDS = "records"
"""The store's kind of file."""
_FIELDS = InstructionRecord.model_fields.items()
SCHEMA = pa.schema([(name, pa.int64() if field.annotation is int else pa.string()) for name, field in _FIELDS])


def write_shard(store: Store, table: pa.Table) -> ShardHandle:
    """Writes `table` under its content digest; dictionary columns are stored as such and read back as plain strings."""
    sink = pa.BufferOutputStream()
    encoded = [field.name for field in table.schema if pa.types.is_dictionary(field.type)]
    # Between growth and release speed counts more than size. Without the Arrow schema readers see plain strings.
    pq.write_table(table, sink, compression="lz4", use_dictionary=encoded, write_statistics=False, store_schema=False)
    data = sink.getvalue().to_pybytes()
    handle = ShardHandle(digest=digest_bytes(data), records=table.num_rows, size_bytes=len(data))
    path = table_name(RECORDS, handle.digest)
    if not store.exists(path):
        store.write_bytes(path, data)
    return handle
