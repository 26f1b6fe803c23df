"""Tasks of an evaluation suite, as far as an overlap or a likeness with them needs to be known.

A file of natural-instructions (Definition, Positive Examples, Instances, Source), a folder of such files, or JSON lines
whose objects have the same keys in small letters (task, definition, positive_example, instances); also records with
instruction, input and output, one a line.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dynosaur_core.digest import digest
from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.text import one_line, storable

_FORM = "a task has `definition` and `instances` or `positive_examples`, a record `instruction`, `input` and `output`"
_LISTED = "splits/default/test_tasks.txt"
"""Where a clone of natural-instructions says which of its tasks are the test's."""


@dataclass(frozen=True)
class SuiteTask:
    """One task of a suite."""

    task_id: str
    definition: str
    examples: tuple[tuple[str, tuple[str, ...]], ...]
    """(input, outputs), those that explain the task first."""
    sources: tuple[str, ...] = ()
    """Names of the datasets that it was made from, where the suite says so."""


def read_suite(path: str) -> tuple[SuiteTask, ...]:
    """The tasks of a suite by their id; those of one id are one. Raises BadSetting for what is none, and says where."""
    found: dict[str, SuiteTask] = {}
    for where, item in suite_items(path):
        task = _task(item, where)
        known = found.get(task.task_id, task)
        if known is not task:
            task = SuiteTask(known.task_id, known.definition, known.examples + task.examples, known.sources)
        found[task.task_id] = task
    return tuple(found[task_id] for task_id in sorted(found))


def suite_digest(suite: tuple[SuiteTask, ...]) -> str:
    """Of all that is known of its tasks."""
    return digest([(task.task_id, task.definition, task.examples, task.sources) for task in suite])


def suite_items(path: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """(where it stands, a task or record with its keys in small letters). Raises BadSetting."""
    place = Path(path)
    files = _files(place) if place.is_dir() else [place]
    if not files:
        raise DynosaurError(Code.BAD_SETTING, f"{path} holds no task files (*.json)")
    for file in files:
        try:
            if file.suffix == ".json":
                yield (
                    str(file),
                    {"task": file.stem, **_lowered(json.loads(file.read_text(encoding="utf-8")), str(file))},
                )
                continue
            with file.open(encoding="utf-8") as lines:
                for number, line in enumerate(lines, start=1):
                    if line.strip():
                        where = f"{file}, line {number}"
                        yield where, _lowered(json.loads(line), where)
        except OSError as error:
            raise DynosaurError(Code.BAD_SETTING, f"the suite {path} cannot be read: {error}") from error
        except (ValueError, RecursionError) as error:
            message = f"the suite {path} is not JSON (or JSON lines) in {file}: {one_line(str(error), 200)}"
            raise DynosaurError(Code.BAD_SETTING, message) from error


def _files(folder: Path) -> list[Path]:
    tasks = folder / "tasks" if (folder / "tasks").is_dir() else folder
    files = sorted(tasks.glob("*.json"))
    if (listed := folder / _LISTED).is_file():
        names = set(listed.read_text(encoding="utf-8").split())
        files = [file for file in files if file.stem in names]
    return files


def _lowered(item: Any, where: str) -> dict[str, Any]:
    if not isinstance(item, dict):
        raise DynosaurError(Code.BAD_SETTING, f"{where} is no task: {_FORM}")
    return {str(key).lower().replace(" ", "_"): value for key, value in item.items()}


def _task(item: Mapping[str, Any], where: str) -> SuiteTask:
    definition = _text(item.get("definition") or item.get("instruction"))
    examples = [*_listed(item.get("positive_example")), *_listed(item.get("positive_examples"))]
    examples += _listed(item.get("instances") or ([item] if "input" in item else []))
    pairs = tuple((_text(each.get("input")), _texts(each.get("output"))) for each in examples if isinstance(each, dict))
    if not definition:
        raise DynosaurError(Code.BAD_SETTING, f"{where} has no definition: {_FORM}")
    sources = item.get("source")  # a text is where the file is from
    name = _text(item.get("task") or item.get("task_id")) or f"task-{digest(definition)[:12]}"
    return SuiteTask(name, definition, pairs, _texts(sources) if isinstance(sources, list) else ())


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(map(_text, _listed(value)))


def _text(value: Any) -> str:
    """A definition may be a list of its paragraphs."""
    text = "\n".join(map(str, value)) if isinstance(value, list) else "" if value is None else str(value)
    return storable(text).strip()
