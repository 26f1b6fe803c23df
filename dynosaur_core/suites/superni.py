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
from dynosaur_core.suites.suite import Suite, SuiteTask
from dynosaur_core.text import storable

TESTS = "splits/default/test_tasks.txt"


def find(name: str, fs: Any, root: str) -> Suite | None:
    """The suite of a folder with task files, or of one of them; None where there is none."""
    if root.endswith(".json"):
        return Suite(name, fs, (root,), _read)
    return _found(name, fs, root, f"{root}/tasks") if fs.isdir(f"{root}/tasks") else None


def find_loose(name: str, fs: Any, root: str) -> Suite | None:
    """The suite of a folder that holds task files themselves; None where there is none."""
    return _found(name, fs, root, root) if fs.glob(f"{root}/*.json") else None


def _found(name: str, fs: Any, root: str, folder: str) -> Suite:
    there = {_stem(path): path for path in fs.glob(f"{folder}/*.json")}
    if not fs.exists(f"{root}/{TESTS}"):
        return Suite(name, fs, tuple(there[task] for task in sorted(there)), _read)
    wanted = fs.cat_file(f"{root}/{TESTS}").decode("utf-8", "replace").split()
    if missing := [task for task in wanted if task not in there]:
        message = f"{TESTS} of {name} lists {missing[0]} and {len(missing) - 1} more tasks that tasks/ has not"
        raise DynosaurError(Code.BAD_SETTING, message)
    return Suite(name, fs, tuple(there[task] for task in wanted), _read)


def _read(suite: Suite, _left_out: Counter[str]) -> Iterator[SuiteTask]:
    for path in suite.files:
        with suite.open(path) as file:
            try:
                yield suite_task(_stem(path), json.load(file))
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
                message = f"{path} is no task of Super-NI: {type(error).__name__}: {error}"
                raise DynosaurError(Code.BAD_SETTING, message) from error


def suite_task(name: str, found: dict[str, Any]) -> SuiteTask:
    """A task; its keys are as in the original files or in lower case.

    Raises KeyError, TypeError, AttributeError or ValueError for another form.
    """
    values = {key.lower().replace(" ", "_"): value for key, value in found.items()}
    shown = values.get("positive_examples") or [values[key] for key in ("positive_example",) if values.get(key)]
    sources = values.get("source")  # a text is where the file is from
    return SuiteTask(
        text(name),
        _first(values["definition"]),
        tuple(map(_example, shown)),
        tuple(_instance(f"{name}-{place}", each) for place, each in enumerate(values.get("instances") or ())),
        _first(values.get("categories") or "") or None,
        tuple(map(text, sources)) if isinstance(sources, list) else (),
        placed=True,
    )


def _instance(name: str, found: dict[str, Any]) -> tuple[str, str, tuple[str, ...]]:
    output = found["output"]
    references = tuple(map(text, output if isinstance(output, list) else [output]))
    return text(found.get("id") or name), text(found["input"]), references


def _stem(path: str) -> str:
    return path.rsplit("/", 1)[-1].removesuffix(".json")


def _example(found: dict[str, Any]) -> Example:
    return text(found["input"]), text(_first(found["output"]))


def _first(value: Any) -> str:
    return text(value[0] if isinstance(value, list) else value)


def text(value: Any) -> str:
    """A text as every file takes it; some tasks write numbers in its place. Raises TypeError for anything else."""
    if not isinstance(value, str | int | float):
        raise TypeError(f"{type(value).__name__} in the place of a text")
    return storable(str(value))
