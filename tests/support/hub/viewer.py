"""The dataset viewer's endpoints (datasets-server), on tables that `datasets` itself reads from the repository."""

from __future__ import annotations

import base64
import json
import tempfile
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq

from tests.support.hub.repos import CONVERTED, Blob, Commit, Repo, make_commit
from tests.support.hub.web import HubError, Request, Response

if TYPE_CHECKING:
    from tests.support.hub.hub import LoopbackHub

MEDIA = (datasets.Image, datasets.Audio, datasets.Video)
PAGE = 100
CELL_BYTES = 100
"""A cut cell keeps this many bytes."""


@dataclass(frozen=True)
class Table:
    features: datasets.Features
    rows: pa.Table


class Viewer:
    """Answers for one commit per dataset: its head, or the parent while the repository's `viewer` is "stale"."""

    def __init__(self, hub: LoopbackHub) -> None:
        self.hub = hub
        self.max_bytes = 10_000_000
        """Bytes of rows in one response; beyond it the longest cells are cut."""
        self._tables: dict[str, dict[str, dict[str, Table]]] = {}
        self._converted: dict[str, Commit] = {}
        self._lock = threading.RLock()

    def answer(self, request: Request, endpoint: str) -> Response:
        repo, commit = self._seen(request)
        tables = self._read(repo, commit)
        value = ENDPOINTS[endpoint](self, request, repo, tables)
        return Response.json(value, X_Revision=commit.sha)

    def is_valid(self, request: Request) -> Response:
        try:
            repo, commit = self._seen(request)
            ready = bool(self._read(repo, commit))
        except HubError as error:
            if error.status in (401, 404):
                raise
            return Response.json(dict.fromkeys(FUNCTIONS, False))
        return Response.json(dict.fromkeys(FUNCTIONS, ready), X_Revision=commit.sha)

    def _seen(self, request: Request) -> tuple[Repo, Commit]:
        name = request.first("dataset")
        if not name:
            raise HubError(422, "MissingRequiredParameter", "Parameter 'dataset' is required")
        repo = self.hub.find(self.hub.moved.get(name, name))
        missing = "The dataset does not exist, or is not accessible with the current credentials (private or gated)."
        if repo is None or repo.viewer == "absent" or repo.disabled or not self.hub.may_read(repo, request.user):
            raise HubError(404, "ExternalAuthenticatedError", missing)
        if repo.private or (repo.gated and request.user not in repo.granted):
            raise HubError(401, "ExternalUnauthenticatedError", missing)
        commit = repo.head
        if repo.viewer == "stale" and commit.parent is not None:
            commit = repo.commits[commit.parent]
        if repo.viewer == "pending":
            raise HubError(
                500, "ResponseNotReady", "The server is busier than usual and the response is not ready yet."
            )
        return repo, commit

    def _read(self, repo: Repo, commit: Commit) -> dict[str, dict[str, Table]]:
        """config -> split -> table."""
        with self._lock:
            if commit.sha not in self._tables:
                given = repo.converted
                self._tables[commit.sha] = read_tables(commit) if given is None else read_converted(given)
            return self._tables[commit.sha]

    def converted(self, repo: Repo) -> Commit | None:
        """The head of refs/convert/parquet; None where the conversion failed."""
        with self._lock:
            if repo.viewer in ("pending", "absent") and repo.converted is None:
                return None
            source = repo.commits[repo.head.parent] if repo.viewer == "stale" and repo.head.parent else repo.head
            if source.sha not in self._converted:
                files = repo.converted
                if files is None:
                    try:
                        files = convert(self._read(repo, source))
                    except HubError:
                        return None
                message = f"Converted from {source.sha}"
                self._converted[source.sha] = make_commit(files, source.date, "Parquet", message, None)
            return self._converted[source.sha]


def read_tables(commit: Commit) -> dict[str, dict[str, Table]]:
    """All configs and splits of a commit as `datasets` reads them from its files."""
    with tempfile.TemporaryDirectory() as folder:
        for path, blob in commit.files.items():
            target = Path(folder, path)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(blob.data) if isinstance(blob.data, Path) else target.write_bytes(blob.data)
        try:
            names = datasets.get_dataset_config_names(folder)
            return {name: _read_config(folder, name) for name in names}
        except Exception as error:
            # Whatever `datasets` says of broken data, the viewer says that it could not read them.
            script = "script" in str(error).lower()
            code = "DatasetWithScriptNotSupportedError" if script else "ConfigNamesError"
            raise HubError(
                501 if script else 500, code, str(error)[:200], cause_exception=type(error).__name__
            ) from error


def read_converted(files: Mapping[str, Blob]) -> dict[str, dict[str, Table]]:
    """The tables of `<config>/<split>/0000.parquet`."""
    tables: dict[str, dict[str, Table]] = {}
    for path, blob in files.items():
        config, split, _ = path.split("/")
        rows = pq.read_table(pa.BufferReader(blob.read()))
        features = datasets.Features.from_arrow_schema(rows.schema)
        tables.setdefault(config, {})[split] = Table(features, rows)
    return tables


def _read_config(folder: str, config: str) -> dict[str, Table]:
    splits = datasets.load_dataset(folder, config, streaming=True)
    tables = {}
    for name, split in splits.items():
        split = split._resolve_features()
        for column, feature in split.features.items():
            if isinstance(feature, MEDIA):
                split = split.cast_column(column, type(feature)(decode=False))
        batches = list(split.with_format("arrow").iter(1000))
        features = split.features
        table = pa.concat_tables(batches) if batches else features.arrow_schema.empty_table()
        tables[str(name)] = Table(features, table.cast(features.arrow_schema))
    return tables


def convert(tables: dict[str, dict[str, Table]]) -> dict[str, Blob]:
    files = {}
    for config, splits in tables.items():
        for split, table in splits.items():
            sink = pa.BufferOutputStream()
            pq.write_table(table.rows.cast(table.features.arrow_schema), sink, row_group_size=1000)
            files[f"{config}/{split}/0000.parquet"] = Blob(sink.getvalue().to_pybytes())
    return files


def _plain(value: Any) -> Any:
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, timedelta | Decimal):
        return str(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    raise TypeError(type(value).__name__)


def _cell(viewer: Viewer, feature: Any, value: Any) -> Any:
    if isinstance(feature, MEDIA) and value is not None:
        return {"src": f"{viewer.hub.url}/assets/--/image.jpg", "height": 1, "width": 1}
    return json.loads(json.dumps(value, default=_plain))


def _rows(viewer: Viewer, table: Table, start: int, length: int) -> tuple[list[dict[str, Any]], bool]:
    """Rows as the viewer gives them; the longest cells are cut until the response fits."""
    rows = [
        {"row_idx": start + n, "row": {name: _cell(viewer, table.features[name], row[name]) for name in row},
         "truncated_cells": []}
        for n, row in enumerate(table.rows.slice(start, length).to_pylist())
    ]  # fmt: skip
    cells = [(n, name, value) for n, row in enumerate(rows) for name, value in row["row"].items()]
    sizes = sorted(((len(json.dumps(value)), n, name) for n, name, value in cells), reverse=True)
    total, cut = sum(size for size, _, _ in sizes), False
    for size, n, name in sizes:
        if total <= viewer.max_bytes or size <= CELL_BYTES:
            break
        value = rows[n]["row"][name]
        rows[n]["row"][name] = (value if isinstance(value, str) else json.dumps(value))[:CELL_BYTES]
        rows[n]["truncated_cells"].append(name)
        total, cut = total - size + CELL_BYTES, True
    return rows, cut


def _features(table: Table) -> list[dict[str, Any]]:
    types = table.features.to_dict()
    return [{"feature_idx": n, "name": name, "type": types[name]} for n, name in enumerate(types)]


def _chosen(request: Request, tables: dict[str, dict[str, Table]]) -> Table:
    for name in ("config", "split"):
        if name not in request.query:
            raise HubError(422, "MissingRequiredParameter", f"Parameter '{name}' is required")
    config, split = request.first("config"), request.first("split")
    if config not in tables:
        raise HubError(404, "ConfigNotFound", f"The config {config!r} does not exist.")
    if split not in tables[config]:
        raise HubError(404, "SplitNotFoundError", f"The split {split!r} does not exist.")
    return tables[config][split]


def splits(viewer: Viewer, request: Request, repo: Repo, tables: dict[str, dict[str, Table]]) -> Any:
    found = [{"dataset": repo.id, "config": config, "split": split} for config in tables for split in tables[config]]
    return {"splits": found, "pending": [], "failed": []}


def first_rows(viewer: Viewer, request: Request, repo: Repo, tables: dict[str, dict[str, Table]]) -> Any:
    table = _chosen(request, tables)
    rows, cut = _rows(viewer, table, 0, PAGE)
    return {"dataset": repo.id, "config": request.first("config"), "split": request.first("split"),
            "features": _features(table), "rows": rows, "truncated": cut}  # fmt: skip


def rows(viewer: Viewer, request: Request, repo: Repo, tables: dict[str, dict[str, Table]]) -> Any:
    table = _chosen(request, tables)
    offset, length = int(request.first("offset", "0")), int(request.first("length", str(PAGE)))
    if not offset >= 0 or not 0 <= length <= PAGE:
        raise HubError(422, "InvalidParameter", f"Parameter 'length' must not be greater than {PAGE}")
    found, _ = _rows(viewer, table, offset, length)
    return {"features": _features(table), "rows": found, "num_rows_total": len(table.rows), "num_rows_per_page": PAGE,
            "partial": False}  # fmt: skip


def size(viewer: Viewer, request: Request, repo: Repo, tables: dict[str, dict[str, Table]]) -> Any:
    files = convert(tables)
    found = [
        {"dataset": repo.id, "config": config, "split": split, "num_rows": len(table.rows),
         "num_bytes_parquet_files": files[f"{config}/{split}/0000.parquet"].size, "num_bytes_memory": table.rows.nbytes,
         "num_columns": len(table.features), "estimated_num_rows": None}
        for config, splits in tables.items() for split, table in splits.items()
    ]  # fmt: skip
    total = {"dataset": repo.id, "num_rows": sum(split["num_rows"] for split in found), "estimated_num_rows": None}
    return {"size": {"dataset": total, "configs": [], "splits": found}, "pending": [], "failed": [], "partial": False}


def info(viewer: Viewer, request: Request, repo: Repo, tables: dict[str, dict[str, Table]]) -> Any:
    found = {config: _config_info(repo, config, splits) for config, splits in tables.items()}
    if "config" not in request.query:
        return {"dataset_info": found, "pending": [], "failed": [], "partial": False}
    if request.first("config") not in found:
        raise HubError(404, "ConfigNotFound", "The config does not exist.")
    return {"dataset_info": found[request.first("config")], "partial": False}


def _config_info(repo: Repo, config: str, splits: dict[str, Table]) -> dict[str, Any]:
    table = next(iter(splits.values()))
    counts = {
        name: {"name": name, "num_bytes": split.rows.nbytes, "num_examples": len(split.rows), "dataset_name": None}
        for name, split in splits.items()
    }
    return {"description": "", "citation": "", "homepage": "", "license": "", "features": table.features.to_dict(),
            "builder_name": "parquet", "dataset_name": repo.id.split("/")[-1], "config_name": config,
            "version": {"version_str": "0.0.0", "major": 0, "minor": 0, "patch": 0}, "splits": counts,
            "download_size": 0, "dataset_size": sum(split["num_bytes"] for split in counts.values())}  # fmt: skip


def parquet(viewer: Viewer, request: Request, repo: Repo, tables: dict[str, dict[str, Table]]) -> Any:
    commit = viewer.converted(repo)
    base = f"{viewer.hub.url}/datasets/{repo.id}/resolve/{CONVERTED.replace('/', '%2F')}"
    found = [
        {"dataset": repo.id, "config": path.split("/")[0], "split": path.split("/")[1], "url": f"{base}/{path}",
         "filename": path.split("/")[2], "size": blob.size}
        for path, blob in (commit.files.items() if commit else ())
        if request.first("config", path.split("/")[0]) == path.split("/")[0]
    ]  # fmt: skip
    return {"parquet_files": found, "pending": [], "failed": [], "partial": False}


FUNCTIONS = ("preview", "viewer", "search", "filter", "statistics")
ENDPOINTS: dict[str, Callable[..., Any]] = {
    "splits": splits, "first-rows": first_rows, "rows": rows, "size": size, "info": info, "parquet": parquet,
}  # fmt: skip
