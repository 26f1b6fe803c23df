"""The tables beside the records: every task and every source of a release, as parquet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from dynosaur_core.models import InstructionTask
from dynosaur_core.publish.plan import PlannedSource

_TEXT, _COUNT, _TEXTS = pa.string(), pa.int64(), pa.list_(pa.string())
_REJECTED = pa.list_(pa.struct({"reason": _TEXT, "rows": _COUNT}))
_TASKS = pa.schema(
    {
        "task_id": _TEXT,
        "repo_id": _TEXT,
        "config": _TEXT,
        "instruction": _TEXT,
        "input_fields": _TEXTS,
        "output_field": _TEXT,
        "labels": _TEXTS,
        "mode": _TEXT,
        "model": _TEXT,
        "list_output": _TEXT,
        "label_words": pa.list_(pa.struct({"label": _TEXT, "words": _TEXT})),
        "judged_by": _TEXT,
        "judge_said": _TEXT,
        "sampled": _COUNT,
        "recorded": _COUNT,
    }
)
_ADDED = ("list_output", "label_words", "judged_by", "judge_said")
"""Columns that stand in the table where a task has them: tables of before stay as they are."""
_SOURCES = pa.schema(
    {
        "repo_id": _TEXT,
        "title": _TEXT,
        "revision": _TEXT,
        "website": _TEXT,
        "license": _TEXT,
        "license_evidence": pa.list_(pa.struct({"license": _TEXT, "source": _TEXT, "text": _TEXT})),
        "languages": _TEXTS,
        "citation": _TEXT,
        "tasks": _COUNT,
        "records": _COUNT,
        "rejected": _REJECTED,
        "contribution": _TEXT,
    }
)


def tasks_table(sources: Sequence[PlannedSource]) -> bytes:
    """One row a task, with the rows that went in and the records that came out."""
    rows = [
        {**_task(count.task), **count.model_dump(exclude={"task"})}
        for source in sources
        for count in source.contribution.tasks
    ]
    absent = {name for name in _ADDED if not any(name in row for row in rows)}
    return _parquet(rows, pa.schema([field for field in _TASKS if field.name not in absent]))


def sources_table(sources: Sequence[PlannedSource]) -> bytes:
    """One row a source: what it is, under which licence and on what evidence, and what it adds."""
    return _parquet([_source(source) for source in sources], _SOURCES)


def same_table(found: bytes, wanted: bytes) -> bool:
    """Whether two parquet files hold the same, whatever `found` is."""
    if found == wanted:
        return True
    try:
        return bool(pq.read_table(pa.BufferReader(found)).equals(pq.read_table(pa.BufferReader(wanted))))
    except (pa.ArrowException, OSError):
        return False


def _task(task: InstructionTask) -> dict[str, Any]:
    words = [{"label": label, "words": words} for label, words in task.label_words]
    found = {**task.model_dump(mode="json"), "task_id": task.task_id}
    return found | ({"label_words": words} if words else {})


def _source(source: PlannedSource) -> dict[str, Any]:
    contribution = source.contribution
    rejected: Counter[str] = Counter()
    for rejection in contribution.rejections:
        rejected[rejection.reason] += rejection.count
    return {
        **contribution.model_dump(mode="json", include=set(_SOURCES.names)),
        "license_evidence": [evidence.model_dump() for evidence in contribution.licenses],
        "tasks": len(contribution.tasks),
        "records": contribution.shard.records,
        "rejected": [{"reason": reason, "rows": rows} for reason, rows in sorted(rejected.items())],
        "contribution": source.digest,
    }


def _parquet(rows: list[dict[str, Any]], schema: pa.Schema) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows, schema), sink, compression="zstd")
    return sink.getvalue().to_pybytes()  # type: ignore[no-any-return]
