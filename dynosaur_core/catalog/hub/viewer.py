"""The dataset viewer (datasets-server): rows and parquet conversions that it has ready, of the wanted revision only.

It helps and is never needed: what it cannot give is None, and is read from the files instead.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from datetime import date, datetime
from datetime import time as day_time
from decimal import Decimal
from typing import Any

import pyarrow as pa
from datasets import Features, Value

from dynosaur_core.catalog.hub.files import RemoteRepo
from dynosaur_core.catalog.hub.http import VIEWER, Response
from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.logs import logger
from dynosaur_core.models import ROW_COLUMN
from dynosaur_core.reading.features import is_media

_LOG = logger("hub")
PAGE_ROWS = 100
"""The most rows that one request returns."""
_MAX_BYTES = 20_000_000
_PATIENCE_S = 30.0
"""Seconds for one answer: it also computes answers when asked."""
_REST_S = 600.0
"""Seconds without asking, after the viewer could not be reached."""


@dataclass(frozen=True)
class Window:
    """Consecutive rows of a split."""

    features: Features
    rows: tuple[tuple[int, dict[str, Any]], ...]
    """(position in the split, values as JSON)"""
    total: int
    cut: bool
    """Some cells were shortened: the rows are not the data."""


@dataclass(frozen=True)
class ConvertedFile:
    config: str
    split: str
    url: str
    size: int


class Viewer:
    """The viewer beside one Hub. Safe to share between threads."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")

    def window(
        self, repo: RemoteRepo, revision: str, config: str, split: str, offset: int, length: int
    ) -> Window | None:
        """Rows from `offset` on, or None where the viewer does not have them at this revision."""
        params = {"config": config, "split": split, "offset": offset, "length": length}
        answer = self._ask(repo, "rows", params, revision)
        try:
            return None if answer is None else _window(answer)
        except (KeyError, TypeError, ValueError, AttributeError):
            return None  # another form than ours, such as a feature type that is newer than this library

    def converted(self, repo: RemoteRepo, revision: str, config: str | None = None) -> tuple[ConvertedFile, ...]:
        """The files in the converted branch, in order; empty where the conversion is not of this revision."""
        answer = self._ask(repo, "parquet", {"config": config} if config else {}, revision)
        if answer is None or answer.get("partial") is not False:
            return ()
        try:
            files = [ConvertedFile(f["config"], f["split"], f["url"], int(f["size"])) for f in answer["parquet_files"]]
        except (KeyError, TypeError, ValueError):
            return ()
        ours = f"{repo.http.endpoint}/datasets/{repo.repo_id}/resolve/"
        return tuple(file for file in files if file.url.startswith(ours) and not {".", ".."} & set(file.url.split("/")))

    def _ask(self, repo: RemoteRepo, endpoint: str, params: dict[str, Any], revision: str) -> dict[str, Any] | None:
        now = time.monotonic()
        if now < repo.http.unreachable.get(self.url, 0.0):
            return None
        try:
            answer: dict[str, Any] | None = repo.get(
                f"{self.url}/{endpoint}",
                VIEWER,
                lambda response: _if_revision(response, revision),
                params={"dataset": repo.repo_id, **params},
                deadline=min(repo.deadline, now + _PATIENCE_S),
                max_bytes=_MAX_BYTES,
            )
            return answer
        except DynosaurError as error:
            repo.requests += 1
            unknown_here = error.code is Code.NOT_FOUND and "External" not in error.message
            if error.code in (Code.CONNECTION_FAILED, Code.TIMED_OUT) or unknown_here:
                repo.http.unreachable[self.url] = time.monotonic() + _REST_S
                _LOG.info("the dataset viewer is not asked for %.0f s: %s", _REST_S, error)
            return None


def _if_revision(response: Response, revision: str) -> dict[str, Any] | None:
    if response.headers.get("x-revision") != revision:
        return None
    value = response.json()
    if not isinstance(value, dict):
        raise ValueError("the viewer's answer is no object")
    return value


def _window(answer: dict[str, Any]) -> Window:
    features = Features.from_dict({feature["name"]: feature["type"] for feature in answer["features"]})
    rows = tuple((int(row["row_idx"]), dict(row["row"])) for row in answer["rows"])
    cut = any(row.get("truncated_cells") for row in answer["rows"]) or answer.get("partial") is True
    return Window(features, rows, int(answer["num_rows_total"]), cut)


_UNCHANGED = {"csv": {"string", "large_string"}, "json": {"string", "large_string", "int64", "bool", "null"}}
"""Types in which the viewer's values are those of a text file."""


def as_written(window: Window, text_format: str) -> bool:
    """Whether the rows are what stands in a file of this format.

    The viewer infers numbers, times and missing values: it rewrites `00012`, `1.10`, `3` beside an empty cell, `NA`.
    """
    types = {feature.dtype if isinstance(feature, Value) else "" for feature in window.features.values()}
    missing = any(value is None for _, row in window.rows for value in row.values())
    return types <= _UNCHANGED[text_format] and not (missing and text_format == "csv")


def window_table(windows: list[Window]) -> pa.Table:
    """The windows' rows by position, without media columns; ValueError where a value does not fit its column."""
    features = Features({name: f for name, f in windows[0].features.items() if not is_media(f)})
    rows = dict(sorted((position, row) for window in windows for position, row in window.rows))
    schema = features.arrow_schema
    columns = []
    for field in schema:
        values = [row.get(field.name) for row in rows.values()]
        try:
            columns.append(pa.array(_typed(values, field.type), type=field.type))
        except (pa.ArrowException, TypeError) as error:
            raise ValueError(f"column {field.name!r}: {error}") from error
    table = pa.Table.from_arrays(columns, schema=schema)
    return table.append_column(ROW_COLUMN, pa.array(list(rows), type=pa.int64()))


def _typed(values: list[Any], kind: pa.DataType) -> list[Any]:
    """JSON has no times and no decimals: the viewer writes them as text."""
    for is_kind, read in _READERS:
        if is_kind(kind):
            return [read(value) if isinstance(value, str) else value for value in values]
    return values


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text))


_READERS: tuple[tuple[Any, Any], ...] = (
    (pa.types.is_timestamp, _moment),
    (pa.types.is_date, date.fromisoformat),
    (pa.types.is_time, day_time.fromisoformat),
    (pa.types.is_decimal, Decimal),
)
