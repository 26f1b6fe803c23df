"""Tasks and rows that the tests of the judge ask about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from dynosaur_core.models import (
    ROW_COLUMN,
    SPLIT_COLUMN,
    DatasetMetadata,
    FieldKind,
    FieldSpec,
    InstructionTask,
    Mode,
    RowsHandle,
    Split,
    Subset,
)
from dynosaur_core.store import Store
from tests.instruction.data import dataset, text

REPO = "shop/reviews"
FIELDS = (*text("text"), FieldSpec(name="label", kind=FieldKind.LABEL, type="class_label", label_names=("bad", "good")))


def reviews(count: int = 12) -> list[dict[str, Any]]:
    """Sorted by their label, as files often are."""
    return [{"text": f"Lamp {n} is worth it.", "label": "good" if n < count - 2 else "bad"} for n in range(count)]


def subset(
    store: Store, rows: Sequence[dict[str, Any]], config: str = "default", fields: tuple[FieldSpec, ...] = FIELDS
) -> Subset:
    """A subset whose rows are in the store."""
    table = pa.Table.from_pylist(list(rows))
    table = table.append_column(SPLIT_COLUMN, pa.array(["train"] * len(rows), pa.string()))
    table = table.append_column(ROW_COLUMN, pa.array(range(len(rows)), pa.int64()))
    name, size = store.write_table("rows", table)
    handle = RowsHandle(digest=name, rows=len(rows), size_bytes=size)
    return Subset(config=config, splits=(Split(name="train", role="train"),), fields=fields, rows=handle)


def metadata(*subsets: Subset, summary: str | None = "Reviews of lamps.") -> DatasetMetadata:
    return dataset(REPO, *subsets, summary=summary)


def task(
    instruction: str = "Tell whether the review is good or bad.",
    inputs: tuple[str, ...] = ("text",),
    output: str = "label",
    config: str = "default",
    **more: Any,
) -> InstructionTask:
    return InstructionTask(
        repo_id=REPO,
        config=config,
        instruction=instruction,
        input_fields=inputs,
        output_field=output,
        mode=Mode.DESCRIPTION_AWARE,
        model="loopback",
        **more,
    )
