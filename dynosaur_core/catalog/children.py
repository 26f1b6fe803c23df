"""Sources whose files are parsed in a child process: this side of the wire. `serving.py` is the other."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
from datasets import Features

from dynosaur_core.catalog.files import read_card
from dynosaur_core.models import Split
from dynosaur_core.protocols import SourceSubset
from dynosaur_core.reader.pool import shared_pool
from dynosaur_core.reader.session import Session, error_of, said_of
from dynosaur_core.reader.wire import Message
from dynosaur_core.scratch import scratch_folder
from dynosaur_core.settings import Reading, Sampling

_SERVING = "dynosaur_core.catalog.serving"


class ChildSource:
    """A `protocols.Source` over a source that a child process opens."""

    def __init__(self, opening: dict[str, Any], limits: Reading, deadline_s: float) -> None:
        self._session = Session(shared_pool(_SERVING), opening, limits, deadline_s)
        self._serve: Callable[[dict[str, Any]], Message] | None = None
        self.requests = 0
        """Requests made for this dataset so far, where it comes over a network."""

    def card(self) -> str:
        return str(self._call("card")[0]["text"])

    def subsets(self) -> list[SourceSubset]:
        return [_subset(item) for item in self._call("subsets")[0]["subsets"]]

    def sample(self, subset: SourceSubset, split: Split, sampling: Sampling) -> pa.Table:
        given = {"config": subset.config, "split": split.model_dump(), "sampling": sampling.model_dump()}
        return read_table(self._call("sample", **given)[1])

    def _call(self, method: str, **given: Any) -> Message:
        head, body = self._session.call(method, self._serve, **given)
        self.requests = head.get("requests", 0)
        return head, body


class FolderChild(ChildSource):
    """A folder's dataset."""

    def __init__(self, folder: Path, repo_id: str, limits: Reading, deadline_s: float) -> None:
        self.folder = folder
        self._scratch = tempfile.TemporaryDirectory(dir=scratch_folder())  # of this process: a child may end at once
        place = {"folder": str(folder.absolute()), "scratch": self._scratch.name}  # the child may be in another folder
        opening = {"kind": "folder", "repo_id": repo_id, **place}
        super().__init__(opening, limits, deadline_s)

    def card(self) -> str:
        return read_card(self.folder)  # only its beginning is read, and nothing of it parsed


def _subset(item: dict[str, Any]) -> SourceSubset:
    return SourceSubset(
        item["config"],
        tuple(Split.model_validate(split) for split in item["splits"]),
        None if item["features"] is None else Features.from_dict(item["features"]),
        item["left_out"],
        item["content"],
        None if item["problem"] is None else error_of(item["problem"]),
    )


def said_subset(subset: SourceSubset) -> dict[str, Any]:
    """The subset as JSON, of which `_subset` makes it again."""
    features = None if subset.features is None else json.loads(json.dumps(subset.features.to_dict(), default=str))
    return {
        "config": subset.config,
        "splits": [split.model_dump() for split in subset.splits],
        "features": features,
        "left_out": dict(subset.left_out),
        "content": dict(subset.content),
        "problem": None if subset.problem is None else said_of(subset.problem),
    }


def read_table(data: bytes) -> pa.Table:
    with pa.ipc.open_stream(data) as stream:
        return stream.read_all()


def table_bytes(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())
