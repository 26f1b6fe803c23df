"""A set of tasks in files: parquet or JSON lines of records, or tasks as natural-instructions has them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from dynosaur_core.continual.stages import Records, open_stage, open_versions
from dynosaur_core.digest import digest, digest_bytes
from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.publish.records import REFERENCES, SCHEMA
from dynosaur_core.publish.sinks import MANIFEST
from dynosaur_core.settings import Settings
from dynosaur_core.suites.records import json_lines
from dynosaur_core.suites.suite import find_suite
from dynosaur_core.text import storable

_NEEDED = ("instruction", "input", "output")
_FORMS = (
    "give versions of a release (`1-`, `URL@2-4`), a release, a folder with data/*.parquet, or a parquet or JSON file"
)


def open_records(text: str, settings: Settings) -> Records:
    """The rows that a person names: versions of a release, a whole one, or files.

    Raises BadSetting for what is none of these, or what the sink raises.
    """
    place = Path(text)
    if place.is_dir() and not (place / MANIFEST).exists() and not (place / "split.json").exists():
        if files := sorted((place / "data").glob("*.parquet")):
            return RecordFiles(text, tuple(map(str, files)))
        raise DynosaurError(Code.BAD_SETTING, f"{text} holds no rows: {_FORMS}")
    if place.is_file() or place.suffix in (".parquet", ".jsonl", ".json"):
        return RecordFiles(text, (text,))
    if "@" not in text and ("://" in text or place.is_dir()):
        return open_stage(f"{text}@1-{open_versions(text.rstrip('/'), settings).last}", settings, "the rows")
    return open_stage(text, settings, "the rows")


@dataclass(frozen=True)
class RecordFiles:
    """Rows of one file or several. A column that is missing has a value that says nothing; a task that has no id is
    known by its instruction."""

    name: str
    files: tuple[str, ...]

    @cached_property
    def digest(self) -> str:
        try:
            return digest([digest_bytes(Path(file).read_bytes()) for file in self.files])
        except OSError as error:
            raise DynosaurError(Code.BAD_SETTING, f"{self.name} cannot be read: {error}") from error

    def tables(self, columns: Sequence[str]) -> Iterator[pa.Table]:
        """See `Records`; all rows are of version 1."""
        for file in self.files:
            table = _complete(_read(file), file)
            table = table.append_column("version", pa.array([1] * table.num_rows, pa.int64()))
            table = table.append_column("at", pa.array(range(table.num_rows), pa.int64()))
            yield table.select([*(name for name in SCHEMA.names if name in {*columns, "repo_id"}), "version", "at"])


def _read(file: str) -> pa.Table:
    try:
        if Path(file).suffix == ".parquet":
            return pq.read_table(file)
    except (pa.ArrowException, OSError) as error:
        raise DynosaurError(Code.BAD_SETTING, f"{file} cannot be read: {error}") from error
    suite = find_suite(file)
    first = {} if file.endswith(".json") else next(json_lines(suite), (1, {}))[1]
    if file.endswith(".json") or {"definition", "Definition"} & set(first):
        rows: list[dict[str, Any]] = [
            {"task_id": task.task_id, "taskname": task.task_id, "instruction": task.definition, "input": given}
            | {"output": outputs[0], REFERENCES: list(outputs)}
            for task in suite.tasks()
            for given, outputs in task.pairs()
            if outputs
        ]
    else:
        rows = [item for _, item in json_lines(suite)]
    names = [name for name in SCHEMA.names if any(name in row for row in rows)]
    return pa.table({name: [_value(name, row.get(name)) for row in rows] for name in names})


def _value(name: str, value: Any) -> Any:
    if name == REFERENCES:
        return [storable(str(each)) for each in value] if isinstance(value, list) else None
    if pa.types.is_integer(SCHEMA.field(name).type):
        return value if isinstance(value, int) else 0
    return "" if value is None else storable(str(value))


def _complete(table: pa.Table, file: str) -> pa.Table:
    """The table with all columns of a record. Raises BadSetting where one is missing that has to be there."""
    if missing := [name for name in _NEEDED if name not in table.column_names]:
        message = f"{file} has no {', '.join(missing)}: a record has {', '.join(_NEEDED)}; {_FORMS}"
        raise DynosaurError(Code.BAD_SETTING, message)
    count, name = table.num_rows, storable(Path(file).stem)
    columns: dict[str, Any] = {
        **dict.fromkeys(SCHEMA.names, [""] * count),
        "license": ["unknown"] * count,
        "taskname": [name] * count,
        "repo_id": [name] * count,
        "config": ["default"] * count,
        "split": ["train"] * count,
        "row": range(count),
        "task_id": [f"task-{digest(text)[:12]}" for text in table["instruction"].to_pylist()],
        REFERENCES: [None] * count,
    }
    columns |= {each: table[each] for each in SCHEMA.names if each in table.column_names}
    try:
        return pa.table(
            {
                each: columns[each].cast(SCHEMA.field(each).type)
                if isinstance(columns[each], pa.ChunkedArray)
                else pa.array(columns[each], SCHEMA.field(each).type)
                for each in SCHEMA.names
            }
        )
    except pa.ArrowException as error:
        raise DynosaurError(Code.BAD_SETTING, f"{file} holds no records: {error}") from error
