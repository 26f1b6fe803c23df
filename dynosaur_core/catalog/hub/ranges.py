"""Large parquet files of the Hub, read by byte ranges: their footers, and a few of their row groups."""

from __future__ import annotations

import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from dynosaur_core.catalog.hub.files import RemoteRepo, check_group
from dynosaur_core.catalog.hub.http import FILES, STORAGE, Response
from dynosaur_core.catalog.parquet import of_one_split, readable
from dynosaur_core.catalog.sampling import spread
from dynosaur_core.digest import digest
from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.models import ROW_COLUMN
from dynosaur_core.reading.features import check_columns
from dynosaur_core.reading.plain import taken
from dynosaur_core.settings import Sampling

MAX_FOOTERS = 3
"""Files of one split whose footers are read."""
ROW_GROUPS = 2
"""Row groups that are read of one split."""


class RangeFile(io.RawIOBase):
    """A remote file that is read by byte ranges. The storage's address is kept after the first, and asked directly."""

    def __init__(self, repo: RemoteRepo, url: str, size: int) -> None:
        self._repo, self._url, self._size = repo, url, size
        self._storage: str | None = None
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + (0, self._at, self._size)[whence]
        return self._at

    def read(self, size: int | None = -1) -> bytes:
        end = self._size if size is None or size < 0 else min(self._at + size, self._size)
        if end <= self._at:
            return b""
        data = self._fetch(self._at, end)
        self._at = end
        return data

    def _fetch(self, start: int, end: int) -> bytes:
        def checked(response: Response) -> bytes:
            if len(response.body) != end - start:
                raise ValueError(f"{len(response.body)} bytes came instead of {end - start}")
            self._storage = response.url if response.hops > 1 else self._storage
            return response.body

        headers = {"Range": f"bytes={start}-{end - 1}", "Accept-Encoding": "identity"}
        if self._storage is not None:
            try:
                data: bytes = self._repo.get(self._storage, STORAGE, checked, headers=headers)
                return data
            except DynosaurError as error:
                if error.code is not Code.NOT_ALLOWED:
                    raise
                self._storage = None  # its signature is no longer valid
        return bytes(self._repo.get(self._url, FILES, checked, headers=headers))


def sample_ranges(repo: RemoteRepo, files: list[tuple[str, int]], sampling: Sampling, name: str) -> pa.Table:
    """A sample of parquet files `(url, size)` by their footers and a few row groups, spread over the split; of a split
    of many files the first ones count. Without media columns. Raises DynosaurError."""
    opened = [pq.ParquetFile(RangeFile(repo, url, size), pre_buffer=True) for url, size in files[:MAX_FOOTERS]]
    schema = opened[0].schema_arrow
    check_columns(len(schema), sampling.max_columns)
    groups, start = [], 0
    for file in opened:
        for n in range(file.num_row_groups):
            rows = file.metadata.row_group(n).num_rows
            groups.append((file, n, start, rows))
            start += rows
    seed = digest(name, sampling.seed)
    chosen = [groups[n] for n in spread(len(groups), ROW_GROUPS, seed, sampling.first_rows)]
    positions = np.concatenate([np.arange(first, first + rows) for _, _, first, rows in chosen] or [np.array([], int)])
    picked = np.array(spread(len(positions), sampling.rows_per_split, seed, sampling.first_rows), dtype=np.int64)
    parts, before = [], 0
    for file, n, first, rows in chosen:
        group = file.metadata.row_group(n)
        check_group(group, sampling)
        if sum(group.column(c).total_compressed_size for c in range(group.num_columns)) > sampling.max_bytes:
            raise DynosaurError(Code.UNREADABLE_FILES, "its row groups are too large to be read one by one")
        wanted = picked[(picked >= before) & (picked < before + rows)] - before
        part = taken(file.read_row_group(n, columns=readable(file.schema_arrow)), pa.array(wanted))
        parts.append(part.append_column(ROW_COLUMN, pa.array(wanted + first, type=pa.int64())))
        before += rows
    if not parts:
        empty = schema.empty_table().select(readable(schema))
        return empty.append_column(ROW_COLUMN, pa.array([], type=pa.int64()))
    return of_one_split(parts)
