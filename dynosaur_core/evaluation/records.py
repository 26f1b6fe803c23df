"""Records of our own as held-out data: a release, a mixture or its exports, in parquet or JSON lines."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from dynosaur_core.catalog.jsonl_lines import lines_of
from dynosaur_core.digest import digest
from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.evaluation.suite import Instance, Suite
from dynosaur_core.evaluation.superni import Placed, task_instances, text
from dynosaur_core.publish.sinks import MANIFEST, read_manifest

_COLUMNS = ("instruction", "input", "output", "references", "task_id", "split", "row", "taskname")
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


def _tables(suite: Suite, left_out: Counter[str]) -> Placed:
    for path in suite.files:
        try:
            with suite.fs.open(path, "rb") as opened:
                file = pq.ParquetFile(opened)
                have = [column for column in _COLUMNS if column in file.schema_arrow.names]
                for number, batch in enumerate(file.iter_batches(_BATCH, columns=have)):
                    for at, row in enumerate(batch.to_pylist()):
                        yield _record(number * _BATCH + at + 1, row), None
        except (pa.ArrowException, KeyError, TypeError) as error:
            message = f"{path} holds no records (instruction, input, output): {type(error).__name__}: {error}"
            raise DynosaurError(Code.BAD_SETTING, message) from error


def _lines(suite: Suite, left_out: Counter[str]) -> Placed:
    with suite.open(suite.files[0]) as file:
        for number, _, line, _ in lines_of(file):
            try:
                found = json.loads(line)
                read = next((read for keys, read in _FORMS if keys <= set(found)), None)
                if read is None:
                    raise ValueError("none of the forms alpaca, messages, tk-instruct, Super-NI")
                yield from read(number, found, left_out)
            except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError) as error:
                message = f"line {number} of {suite.name} cannot be read: {type(error).__name__}: {error}"
                raise DynosaurError(Code.BAD_SETTING, message) from error


def _record(number: int, found: Line) -> Instance:
    """A record of a release or an export; where it names no task, those of one instruction are one."""
    instruction = text(found["instruction"])
    task = found.get("task_id") or digest(instruction)
    name = f"{task}-{found['split']}-{found['row']}" if "row" in found and "split" in found else f"{task}-{number}"
    references = found.get("references") or [found["output"]]
    return Instance(name, text(task), instruction, text(found.get("input") or ""), tuple(map(text, references)))


def _alpaca(number: int, found: Line, _left_out: Counter[str]) -> Placed:
    yield _record(number, found), None


def _messages(number: int, found: Line, left_out: Counter[str]) -> Placed:
    """A chat of two turns; what stands before the question's first empty line is the instruction."""
    turns = [(turn["role"], turn["content"]) for turn in found["messages"]]
    if [role for role, _ in turns] != ["user", "assistant"]:
        left_out["chats that are not one question and one answer"] += 1
        return
    instruction, _, given = text(turns[0][1]).partition("\n\n")
    yield _record(number, {"instruction": instruction, "input": given, "output": turns[1][1]}), None


def _tk_instruct(number: int, found: Line, left_out: Counter[str]) -> Placed:
    one = {**found, "Instances": [{"id": f"{found['Task']}-{number}", **found["Instance"]}]}
    yield from ((instance, None) for instance, _ in task_instances(text(found["Task"]), one, left_out))


def _superni(number: int, found: Line, left_out: Counter[str], task: str) -> Placed:
    yield from task_instances(text(found.get(task) or f"line {number}"), found, left_out)


_FORMS: tuple[tuple[set[str], Callable[[int, Line, Counter[str]], Iterator[Any]]], ...] = (
    ({"Definition", "Instance", "Task"}, _tk_instruct),
    ({"definition", "instances"}, partial(_superni, task="task")),
    ({"Definition", "Instances"}, partial(_superni, task="Task")),
    ({"messages"}, _messages),
    ({"instruction", "output"}, _alpaca),
)
"""By the keys that a line of the form has."""
