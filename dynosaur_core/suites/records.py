"""Records of our own as held-out data: a release, a mixture or its exports, in parquet or JSON lines."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from dynosaur_core.catalog.jsonl_lines import lines_of
from dynosaur_core.digest import digest
from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.publish.sinks import MANIFEST, read_manifest
from dynosaur_core.suites.suite import Suite, SuiteTask
from dynosaur_core.suites.superni import suite_task, text

_COLUMNS = ("instruction", "input", "output", "references", "task_id", "split", "row", "taskname")
_NO_OUTPUT = "it has an `instruction` and no `output`"
_BATCH = 2_000
Line = dict[str, Any]


def find(name: str, fs: Any, root: str) -> Suite | None:
    """The suite of a folder with data, or of one file; None where it is neither."""
    if fs.isdir(root):
        if fs.exists(f"{root}/{MANIFEST}"):  # of a release only its manifest says which files it has
            held = read_manifest(fs.cat_file(f"{root}/{MANIFEST}"), name, None)
            files = [f"{root}/{file.path}" for file in held.files]
        else:
            files = sorted(fs.glob(f"{root}/data/*.parquet"))
        return Suite(name, fs, tuple(files), _tables) if files else None
    if root.endswith(".parquet"):
        return Suite(name, fs, (root,), _tables)
    return Suite(name, fs, (root,), _lines) if ".jsonl" in root.rsplit("/", 1)[-1] else None


def _tables(suite: Suite, _left_out: Counter[str]) -> Iterator[SuiteTask]:
    for path in suite.files:
        try:
            with suite.fs.open(path, "rb") as opened:
                file = pq.ParquetFile(opened)
                have = [column for column in _COLUMNS if column in file.schema_arrow.names]
                if "instruction" not in have or not {"output", "references"} & set(have):
                    problem = _NO_OUTPUT if "instruction" in have else "it has no `instruction`"
                    raise DynosaurError(Code.BAD_SETTING, f"{path} holds no records: {problem}")
                for number, batch in enumerate(file.iter_batches(_BATCH, columns=have)):
                    for at, row in enumerate(batch.to_pylist()):
                        yield _record(number * _BATCH + at + 1, row)
        except (pa.ArrowException, KeyError, TypeError) as error:
            message = f"{path} holds no records (instruction, input, output): {type(error).__name__}: {error}"
            raise DynosaurError(Code.BAD_SETTING, message) from error


def _lines(suite: Suite, left_out: Counter[str]) -> Iterator[SuiteTask]:
    for number, found in json_lines(suite):
        read = next((read for keys, read in _FORMS if keys <= set(found)), None)
        if read is None:
            problem = _NO_OUTPUT if "instruction" in found else f"it has none of the forms {_NAMES}"
            raise DynosaurError(Code.BAD_SETTING, f"line {number} of {suite.name} is no record: {problem}")
        try:
            if task := read(number, found):
                yield task
            else:
                left_out["chats that are not one question and one answer"] += 1
        except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError) as error:
            raise _unreadable(suite, number, error) from error


def json_lines(suite: Suite) -> Iterator[tuple[int, Line]]:
    """The objects of a suite's one file with their lines, from 1 on. Raises BadSetting for a line that is none."""
    with suite.open(suite.files[0]) as file:
        for number, _, line, _ in lines_of(file):
            try:
                found = json.loads(line)
                if not isinstance(found, dict):
                    raise ValueError("no object")
            except (ValueError, RecursionError) as error:
                raise _unreadable(suite, number, error) from error
            yield number, found


def _unreadable(suite: Suite, number: int, error: Exception) -> DynosaurError:
    message = f"line {number} of {suite.name} cannot be read: {type(error).__name__}: {error}"
    return DynosaurError(Code.BAD_SETTING, message)


def _record(number: int, found: Line) -> SuiteTask:
    """A record of a release or an export; where it names no task, those of one instruction are one."""
    instruction = text(found["instruction"])
    task = found.get("task_id") or digest(instruction)
    name = f"{task}-{found['split']}-{found['row']}" if "row" in found and "split" in found else f"{task}-{number}"
    references = tuple(map(text, found.get("references") or [found["output"]]))
    return SuiteTask(text(task), instruction, instances=((name, text(found.get("input") or ""), references),))


def _messages(number: int, found: Line) -> SuiteTask | None:
    """A chat of two turns; what stands before the question's first empty line is the instruction."""
    turns = [(turn["role"], turn["content"]) for turn in found["messages"]]
    if [role for role, _ in turns] != ["user", "assistant"]:
        return None
    instruction, _, given = text(turns[0][1]).partition("\n\n")
    return _record(number, {"instruction": instruction, "input": given, "output": turns[1][1]})


def _tk_instruct(number: int, found: Line) -> SuiteTask:
    one = {**found, "Instances": [{"id": f"{found['Task']}-{number}", **found["Instance"]}]}
    return replace(suite_task(text(found["Task"]), one), placed=False)


def _superni(number: int, found: Line) -> SuiteTask:
    return suite_task(text(found.get("task") or found.get("Task") or f"line {number}"), found)


_FORMS: tuple[tuple[set[str], Callable[[int, Line], SuiteTask | None]], ...] = (
    ({"Definition", "Instance", "Task"}, _tk_instruct),
    ({"definition"}, _superni),
    ({"Definition"}, _superni),
    ({"messages"}, _messages),
    ({"instruction", "output"}, _record),
)
"""By the keys that a line of the form has."""
_NAMES = (
    "alpaca or reference (instruction, input, output), messages, tk-instruct (Definition, Instance, Task), "
    "Super-NI (Definition, Instances)"
)
