"""The publish stage: the accepted tasks of one dataset and its sampled rows become one shard of records."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dynosaur_core.digest import digest
from dynosaur_core.errors import Code, DynosaurError
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
from dynosaur_core.publish.records import REFERENCES, SCHEMA, write_shard
from dynosaur_core.reasons import Reason
from dynosaur_core.rendering.columns import Columns, Mask
from dynosaur_core.rendering.recipes import RECIPES
from dynosaur_core.rendering.render import CODES, REASONS, Rendered
from dynosaur_core.settings import Publishing
from dynosaur_core.store import Store

PUBLISH_VERSION = 4
Positions = npt.NDArray[np.intp]


@dataclass(frozen=True)
class _Part:
    """One task over its rows, and where these rows stand."""

    task: InstructionTask
    rendered: Rendered
    places: dict[str, pa.Array]


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
    sampled = [len(part.rendered.codes) for part in parts]
    numbers = np.repeat(np.arange(len(parts)), sampled)
    codes = np.concatenate([part.rendered.codes for part in parts] or [np.zeros(0, np.int8)])
    rows = _rows(parts)
    if settings.recipe != "reference":
        codes[_repeated(parts, numbers, rows, codes == 0)] = CODES[Reason.DUPLICATE_RECORD]
    kept = codes == 0
    recorded = np.bincount(numbers[kept], minlength=len(parts))
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
            TaskCount(task=part.task, sampled=of, recorded=int(count))
            for part, of, count in zip(parts, sampled, recorded, strict=True)
        ),
        shard=write_shard(store, _records(metadata, parts, numbers[kept], rows.filter(pa.array(kept)))),
        rejections=tuple(_rejections(parts, numbers, codes, rows)),
    )


def _render_all(
    metadata: DatasetMetadata, tasks: Sequence[InstructionTask], store: Store, settings: Publishing
) -> Iterator[_Part]:
    """Each subset is read once, with the fields that its tasks use; tasks keep their order within it."""
    recipe = RECIPES[settings.recipe]
    subsets = {subset.config: subset for subset in metadata.subsets}
    by_config: dict[str, list[InstructionTask]] = {}
    for task in tasks:
        by_config.setdefault(task.config, []).append(task)
    for config, own in by_config.items():
        table = _read_rows(metadata, subsets.get(config), config, own, store)
        columns = Columns(table)
        places = {name: columns.values(name) for name in (SPLIT_COLUMN, ROW_COLUMN)}
        for task in own:
            yield _Part(task, recipe(task, columns, settings), places)


def _read_rows(
    metadata: DatasetMetadata, subset: Subset | None, config: str, tasks: list[InstructionTask], store: Store
) -> pa.Table:
    if subset is None or subset.rows is None:
        message = f"{metadata.ref.repo_id} has tasks for {config!r}, of which no rows were sampled"
        raise DynosaurError(Code.STORE_FAILED, message)
    fields = {name for task in tasks for name in (*task.input_fields, task.output_field)} | {SPLIT_COLUMN, ROW_COLUMN}
    with store.open_table("rows", subset.rows.digest, metadata.ref.repo_id) as file:
        # fields that are not there are left out, and of structs only the members that a dotted name means are read;
        # the tables are small, and threads cost more than they give
        return file.read(columns=list(fields), use_threads=False)


def _rows(parts: list[_Part]) -> pa.Table:
    """All rows of all tasks: input, output, split, row."""
    columns = {
        "input": ([part.rendered.inputs for part in parts], pa.string()),
        "output": ([part.rendered.outputs for part in parts], pa.string()),
        "split": ([part.places[SPLIT_COLUMN] for part in parts], pa.string()),
        "row": ([part.places[ROW_COLUMN] for part in parts], pa.int64()),
        REFERENCES: ([_references(part) for part in parts], pa.list_(pa.string())),
    }
    return pa.table({name: pa.concat_arrays([*arrays, pa.array([], kind)]) for name, (arrays, kind) in columns.items()})


def _references(part: _Part) -> pa.Array:
    found = part.rendered.references
    return pa.nulls(len(part.rendered.codes), pa.list_(pa.string())) if found is None else found


def _repeated(parts: list[_Part], numbers: Positions, rows: pa.Table, kept: Mask) -> Positions:
    """Positions of records that an earlier one equals in instruction, input and output."""
    instructions: dict[str, int] = {}
    number_of = [instructions.setdefault(part.rendered.instruction, len(instructions)) for part in parts]
    positions = np.flatnonzero(kept)
    if not len(positions):
        return positions
    key = np.array(number_of)[numbers[positions]]
    for name in ("input", "output"):
        encoded = rows[name].chunk(0).dictionary_encode().indices.fill_null(0).to_numpy()
        key = key * len(kept) + encoded[positions]
        _, first = np.unique(key, return_index=True)
        if len(first) == len(key):
            break  # most often the inputs alone differ
    return np.delete(positions, first)


def _records(metadata: DatasetMetadata, parts: list[_Part], numbers: Positions, rows: pa.Table) -> pa.Table:
    """The records as columns of InstructionRecord; what is equal for a task's rows as dictionaries. References are a
    column where there are any."""
    several = len(metadata.subsets) > 1
    repo_id = metadata.ref.repo_id
    tasks = [part.task for part in parts]

    def each(values: Iterable[str]) -> pa.Array:
        distinct: dict[str, int] = {}
        places = np.array([distinct.setdefault(value, len(distinct)) for value in values], dtype=np.int32)
        return pa.DictionaryArray.from_arrays(places[numbers], pa.array(distinct, pa.string()), safe=False)

    columns = {
        "instruction": each(part.rendered.instruction for part in parts),
        "license": each(metadata.license for _ in parts),
        "website": each(metadata.website for _ in parts),
        "taskname": each(f"{repo_id}-{task.config}" if several else repo_id for task in tasks),
        "repo_id": each(repo_id for _ in parts),
        "config": each(task.config for task in tasks),
        "revision": each(metadata.ref.revision for _ in parts),
        "task_id": each(task.task_id for task in tasks),
        "mode": each(task.mode for task in tasks),
        "model": each(task.model for task in tasks),
    } | dict(zip(rows.column_names, rows.columns, strict=True))
    if columns[REFERENCES].null_count == len(numbers):
        del columns[REFERENCES]
    return pa.table({name: columns[name] for name in SCHEMA.names if name in columns})


def _rejections(
    parts: list[_Part], numbers: Positions, codes: npt.NDArray[np.int8], rows: pa.Table
) -> Iterator[Rejection]:
    """One for each task and reason, in this order; it names its first row."""
    rejected = np.flatnonzero(codes)
    groups = numbers[rejected] * len(REASONS) + codes[rejected]
    for group, first, count in zip(*np.unique(groups, return_index=True, return_counts=True), strict=True):
        number, code = divmod(int(group), len(REASONS))
        task, position = parts[number].task, rejected[first]
        yield Rejection(
            repo_id=task.repo_id,
            level="row",
            stage="publish",
            reason=str(REASONS[code]),
            detail=f"{rows['split'][position].as_py()}[{rows['row'][position].as_py()}]",
            config=task.config,
            instruction=task.instruction,
            mode=task.mode,
            count=int(count),
        )
