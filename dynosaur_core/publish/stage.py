"""The publish stage: the accepted tasks of one dataset and its sampled rows become one shard of records."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dynosaur_core.digest import digest
from dynosaur_core.errors import Code, DynosaurError, Reason
from dynosaur_core.models import (
    ROW_COLUMN,
    SPLIT_COLUMN,
    Contribution,
    DatasetMetadata,
    InstructionTask,
    Rejection,
    Subset,
    TaskCount,
)
from dynosaur_core.publish import reference, render
from dynosaur_core.publish.columns import Columns, Mask
from dynosaur_core.publish.records import write_shard
from dynosaur_core.publish.render import CODES, REASONS, Rendered
from dynosaur_core.settings import Publishing
from dynosaur_core.store import Store

PUBLISH_VERSION = 1
_RECIPES: dict[str, Callable[[InstructionTask, Columns, Publishing], Rendered]] = {
    "default": render.render,
    "reference": reference.render,
}


@dataclass(frozen=True)
class _Part:
    """One task over its rows, and where these rows stand."""

    task: InstructionTask
    rendered: Rendered
    split: pa.ChunkedArray
    row: pa.ChunkedArray


def publish_key(metadata: DatasetMetadata, tasks: Sequence[InstructionTask], settings: Publishing) -> str:
    """Digest of all that the contribution holds or is made from; prose (summary, supported tasks) is not.

    Neither is the revision: records say at which revision their rows were first read, and a commit that leaves the
    rows alone makes no new ones.
    """
    wanted = {task.config for task in tasks}
    written = metadata.model_dump(
        mode="json", include={"title", "website", "licenses", "license", "languages", "citation"}
    )
    rows = [(subset.config, subset.rows) for subset in metadata.subsets if subset.config in wanted]
    several = len(metadata.subsets) > 1
    return digest("publish", PUBLISH_VERSION, metadata.ref.repo_id, written, several, list(tasks), rows, settings)


def publish(
    metadata: DatasetMetadata, tasks: Sequence[InstructionTask], store: Store, settings: Publishing
) -> Contribution:
    """Renders all `tasks` and writes their records to the store.

    Per task, sampled rows = records + rejected rows; the rejected are counted by reason, and the first row is named.
    The default recipe makes a record (instruction, input, output) once. Raises StoreFailed where rows are missing.
    """
    parts = list(_render_all(metadata, tasks, store, settings))
    numbers = np.repeat(np.arange(len(parts)), [len(part.rendered.codes) for part in parts])
    codes = np.concatenate([part.rendered.codes for part in parts] or [np.zeros(0, np.int8)])
    inputs = _chunked(part.rendered.inputs for part in parts)
    outputs = _chunked(part.rendered.outputs for part in parts)
    if settings.recipe != "reference":
        codes[_repeated(parts, numbers, inputs, outputs, codes == 0)] = CODES[Reason.DUPLICATE_RECORD]

    kept = codes == 0
    table = _records(metadata, parts, numbers, inputs, outputs, kept)
    ends = np.cumsum([len(part.rendered.codes) for part in parts])
    per_task = np.split(codes, ends[:-1]) if parts else []
    return Contribution(
        repo_id=metadata.ref.repo_id,
        revision=metadata.ref.revision,
        license=metadata.license,
        licenses=metadata.licenses,
        website=metadata.website,
        title=metadata.title,
        languages=metadata.languages,
        citation=metadata.citation,
        tasks=tuple(
            TaskCount(task=part.task, sampled=len(own), recorded=int(np.count_nonzero(own == 0)))
            for part, own in zip(parts, per_task, strict=True)
        ),
        shard=write_shard(store, table),
        rejections=tuple(
            rejection for part, own in zip(parts, per_task, strict=True) for rejection in _rejections(part, own)
        ),
    )


def _render_all(
    metadata: DatasetMetadata, tasks: Sequence[InstructionTask], store: Store, settings: Publishing
) -> Iterator[_Part]:
    """Each subset is read once, with the fields that its tasks use; tasks keep their order within it."""
    recipe = _RECIPES[settings.recipe]
    subsets = {subset.config: subset for subset in metadata.subsets}
    by_config: dict[str, list[InstructionTask]] = {}
    for task in tasks:
        by_config.setdefault(task.config, []).append(task)
    for config, own in by_config.items():
        table = _read_rows(metadata, subsets.get(config), config, own, store)
        columns = Columns(table)
        for task in own:
            yield _Part(task, recipe(task, columns, settings), table.column(SPLIT_COLUMN), table.column(ROW_COLUMN))


def _read_rows(
    metadata: DatasetMetadata, subset: Subset | None, config: str, tasks: list[InstructionTask], store: Store
) -> pa.Table:
    if subset is None or subset.rows is None:
        message = f"{metadata.ref.repo_id} has tasks for {config!r}, of which no rows were sampled"
        raise DynosaurError(Code.STORE_FAILED, message)
    fields = {name for task in tasks for name in (*task.input_fields, task.output_field)}
    with store.open_table("rows", subset.rows.digest) as file:
        names = [name for name in file.schema_arrow.names if name in fields or name in (SPLIT_COLUMN, ROW_COLUMN)]
        return file.read(columns=names, use_threads=False)  # small tables: threads cost more than they give


def _chunked(arrays: Iterator[pa.Array]) -> pa.ChunkedArray:
    return pa.chunked_array(list(arrays), pa.string())


def _repeated(
    parts: list[_Part], numbers: npt.NDArray[np.intp], inputs: pa.ChunkedArray, outputs: pa.ChunkedArray, kept: Mask
) -> npt.NDArray[np.intp]:
    """Positions of records that an earlier one equals in instruction, input and output."""
    instructions: dict[str, int] = {}
    number_of = [instructions.setdefault(part.rendered.instruction, len(instructions)) for part in parts]
    positions = np.flatnonzero(kept)
    if not len(positions):
        return positions
    key = np.array(number_of)[numbers[positions]]
    for texts in (inputs, outputs):
        encoded = texts.combine_chunks().dictionary_encode().indices.fill_null(0).to_numpy()
        key = key * len(kept) + encoded[positions]
    _, first = np.unique(key, return_index=True)
    return np.delete(positions, first)


def _records(
    metadata: DatasetMetadata,
    parts: list[_Part],
    numbers: npt.NDArray[np.intp],
    inputs: pa.ChunkedArray,
    outputs: pa.ChunkedArray,
    kept: Mask,
) -> pa.Table:
    """The records as columns of InstructionRecord; what is equal for a task's rows as dictionaries."""
    number = numbers[kept]
    several = len(metadata.subsets) > 1
    repo_id = metadata.ref.repo_id

    def each(values: list[str]) -> pa.Array:
        distinct: dict[str, int] = {}
        places = np.array([distinct.setdefault(value, len(distinct)) for value in values], dtype=np.int32)
        return pa.DictionaryArray.from_arrays(places[number], pa.array(distinct, pa.string()))

    configs = [part.task.config for part in parts]
    chosen = pa.array(kept)
    columns = {
        "instruction": each([part.rendered.instruction for part in parts]),
        "input": inputs.filter(chosen),
        "output": outputs.filter(chosen),
        "license": each([metadata.license] * len(parts)),
        "website": each([metadata.website] * len(parts)),
        "taskname": each([f"{repo_id}-{config}" if several else repo_id for config in configs]),
        "repo_id": each([repo_id] * len(parts)),
        "config": each(configs),
        "split": _concat((part.split for part in parts), pa.string()).filter(chosen),
        "row": _concat((part.row for part in parts), pa.int64()).filter(chosen),
        "revision": each([metadata.ref.revision] * len(parts)),
        "task_id": each([part.task.task_id for part in parts]),
        "mode": each([part.task.mode for part in parts]),
        "model": each([part.task.model for part in parts]),
    }
    return pa.table(columns)


def _concat(columns: Iterator[pa.ChunkedArray], kind: pa.DataType) -> pa.ChunkedArray:
    return pa.chunked_array([chunk.cast(kind) for column in columns for chunk in column.chunks], kind)


def _rejections(part: _Part, codes: npt.NDArray[np.int8]) -> Iterator[Rejection]:
    counts = np.bincount(codes, minlength=len(REASONS))
    for code in np.flatnonzero(counts[1:]) + 1:
        first = int(np.argmax(codes == code))
        yield Rejection(
            repo_id=part.task.repo_id,
            level="row",
            stage="publish",
            reason=str(REASONS[code]),
            detail=f"{part.split[first].as_py()}[{part.row[first].as_py()}]",
            config=part.task.config,
            instruction=part.task.instruction,
            mode=part.task.mode,
            count=int(counts[code]),
        )
