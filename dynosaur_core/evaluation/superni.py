"""Tasks in the layout of Super-NaturalInstructions (allenai/natural-instructions): a file or a line for each.

tasks/<task>.json            Definition, Positive Examples, Instances, Categories
splits/default/test_tasks.txt  the names of the test tasks; without it all tasks count
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.evaluation.prompts import Example
from dynosaur_core.evaluation.suite import Instance, Suite
from dynosaur_core.text import storable

TESTS = "splits/default/test_tasks.txt"
Placed = Iterator[tuple[Instance, int | None]]


def find(name: str, fs: Any, root: str) -> Suite | None:
    """The suite of a folder with `tasks/`; None where there is none."""
    if not fs.isdir(f"{root}/tasks"):
        return None
    there = {path.rsplit("/", 1)[-1].removesuffix(".json"): path for path in fs.glob(f"{root}/tasks/*.json")}
    if not fs.exists(f"{root}/{TESTS}"):
        return Suite(name, fs, tuple(there[task] for task in sorted(there)), _read)
    wanted = fs.cat_file(f"{root}/{TESTS}").decode("utf-8", "replace").split()
    if missing := [task for task in wanted if task not in there]:
        message = f"{TESTS} of {name} lists {missing[0]} and {len(missing) - 1} more tasks that tasks/ has not"
        raise DynosaurError(Code.BAD_SETTING, message)
    return Suite(name, fs, tuple(there[task] for task in wanted), _read)


def _read(suite: Suite, left_out: Counter[str]) -> Placed:
    for path in suite.files:
        task = path.rsplit("/", 1)[-1].removesuffix(".json")
        with suite.open(path) as file:
            try:
                yield from task_instances(task, json.load(file), left_out)
            except (ValueError, KeyError, TypeError, RecursionError) as error:
                message = f"{path} is no task of Super-NI: {type(error).__name__}: {error}"
                raise DynosaurError(Code.BAD_SETTING, message) from error


def task_instances(task: str, found: dict[str, Any], left_out: Counter[str]) -> Placed:
    """The instances of a task, each with its place; keys as in the original files or in lower case.

    Raises KeyError, TypeError or ValueError for another form.
    """
    values = {key.lower().replace(" ", "_"): value for key, value in found.items()}
    definition = _first(values["definition"])
    shown = values.get("positive_examples") or [values[key] for key in ("positive_example",) if values.get(key)]
    category = _first(values.get("categories") or "") or None
    examples = tuple(map(_example, shown))
    if not values["instances"]:
        left_out["tasks without instances"] += 1
    for place, each in enumerate(values["instances"]):
        output = each["output"]
        references = tuple(map(text, [output] if isinstance(output, str) else output))
        name = text(str(each.get("id") or f"{task}-{place}"))
        yield Instance(name, text(task), definition, text(each["input"]), references, examples, category), place


def _example(found: dict[str, Any]) -> Example:
    return text(found["input"]), text(_first(found["output"]))


def _first(value: Any) -> str:
    return text(value[0] if isinstance(value, list) else value)


def text(value: Any) -> str:
    """A text as every file takes it; some tasks write numbers in its place. Raises TypeError for anything else."""
    if not isinstance(value, str | int | float):
        raise TypeError(f"{type(value).__name__} in the place of a text")
    return storable(str(value))
