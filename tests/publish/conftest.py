"""Small sources for the tests of this folder."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from dynosaur_core.digest import digest
from dynosaur_core.models import (
    ROW_COLUMN,
    SPLIT_COLUMN,
    Contribution,
    DatasetMetadata,
    DatasetRef,
    InstructionTask,
    LicenseEvidence,
    Mode,
    RowsHandle,
    Subset,
)
from dynosaur_core.publish import release
from dynosaur_core.publish.plan import PlannedSource
from dynosaur_core.publish.stage import publish
from dynosaur_core.settings import Publishing
from dynosaur_core.store import Store

NOW = datetime(2026, 3, 1, 4, 0, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "store"))


def sample(store: Store, rows: pa.Table, config: str = "default") -> Subset:
    """A subset of which `rows` were sampled, all from train."""
    places = {SPLIT_COLUMN: pa.repeat("train", rows.num_rows), ROW_COLUMN: pa.array(range(rows.num_rows), pa.int64())}
    for name, column in places.items():
        rows = rows.append_column(name, column)
    digest, size = store.write_table("rows", rows)
    return Subset(
        config=config, splits=(), fields=(), rows=RowsHandle(digest=digest, rows=rows.num_rows, size_bytes=size)
    )


def describe(*subsets: Subset, repo_id: str = "owner/name", revision: str = "r1", **fields: Any) -> DatasetMetadata:
    values: dict[str, Any] = {
        "ref": DatasetRef(repo_id=repo_id, revision=revision),
        "title": repo_id,
        "website": f"https://huggingface.co/datasets/{repo_id}",
        "licenses": (LicenseEvidence(license="mit", source="card_yaml", text="license: mit"),),
        "license": "mit",
        "languages": ("en",),
        "subsets": subsets,
    }
    return DatasetMetadata(**values | fields)


def design(
    inputs: str, output: str, instruction: str = "Answer.", config: str = "default", **fields: Any
) -> InstructionTask:
    values: dict[str, Any] = {
        "repo_id": "owner/name",
        "config": config,
        "instruction": instruction,
        "input_fields": tuple(inputs.split()),
        "output_field": output,
        "mode": Mode.DESCRIPTION_AWARE,
        "model": "some-model",
    }
    return InstructionTask(**values | fields)


Render = Callable[..., tuple[list[tuple[str, str]], dict[str, int]]]


@pytest.fixture
def render(store: Store) -> Render:
    """Publishes one task over rows; gives its (input, output) pairs and its rejected rows by reason."""

    def run(rows: pa.Table, task: InstructionTask, **settings: Any) -> tuple[list[tuple[str, str]], dict[str, int]]:
        made = publish(describe(sample(store, rows)), [task], store, Publishing(**settings))
        records = store.read_table("records", made.shard.digest)
        pairs = list(zip(records["input"].to_pylist(), records["output"].to_pylist(), strict=True))
        return pairs, {rejection.reason: rejection.count for rejection in made.rejections}

    return run


def contribute(store: Store, repo_id: str, texts: list[str], **fields: Any) -> Contribution:
    """A contribution of one record a text."""
    rows = pa.table({"text": texts, "label": [f"label of {text}" for text in texts]})
    metadata = describe(sample(store, rows), repo_id=repo_id, **fields)
    return publish(metadata, [design("text", "label", repo_id=repo_id)], store, Publishing())


class Planned:
    """Contributions under the names that a store gives them, asked for anew each time."""

    def __init__(self, contributions: Iterable[Contribution]) -> None:
        self.contributions = contributions

    def __iter__(self) -> Iterator[PlannedSource]:
        return (PlannedSource(each, digest(each)) for each in self.contributions)


def make_release(contributions: Iterable[Contribution], *rest: Any, **options: Any) -> release.ReleaseOutcome:
    """`publish.release.make_release` of contributions."""
    return release.make_release(Planned(contributions), *rest, **options)
