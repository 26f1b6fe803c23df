"""A suite: tasks with instances and their references, from Super-NI's files or from records of our own.

The kind of a suite is found by looking: a folder with task files is Super-NI's, one with `data/*.parquet` a release or
a mixture; lines say by their keys what they are. Text of a suite is untrusted: it is only prompted with and compared.
"""

from __future__ import annotations

import hashlib
import heapq
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import IO, Any

import fsspec

from dynosaur_core.digest import digest
from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.evaluation.prompts import Example
from dynosaur_core.settings import Settings
from dynosaur_core.store import STORAGE_ERRORS
from dynosaur_core.suites import SUPERNI

_CHUNK = 1 << 20


@dataclass(frozen=True)
class Instance:
    """One question with the answers that count as right."""

    id: str
    task: str
    instruction: str
    given: str
    """The input."""
    references: tuple[str, ...]
    examples: tuple[Example, ...] = ()
    """The task's positive ones."""
    category: str | None = None


@dataclass(frozen=True)
class SuiteTask:
    """What a file, or a line of one, says of a task."""

    task_id: str
    definition: str
    examples: tuple[Example, ...] = ()
    """Positive ones, which explain the task."""
    instances: tuple[tuple[str, str, tuple[str, ...]], ...] = ()
    """(id, input, references)"""
    category: str | None = None
    sources: tuple[str, ...] = ()
    """Names of the datasets that it was made from, where the suite says so."""
    placed: bool = False
    """Whether its first instances are those that count, as in Super-NI's files."""

    def pairs(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        """(input, outputs) of all that it shows."""
        yield from ((given, (output,)) for given, output in self.examples)
        yield from ((given, references) for _, given, references in self.instances)


@dataclass
class Drawn:
    """What is evaluated, by task and in the suite's order within a task; and what is not, by reason."""

    instances: list[Instance]
    left_out: Counter[str] = field(default_factory=Counter)


Reader = Callable[["Suite", Counter[str]], Iterator[SuiteTask]]
"""Yields tasks, one of which may come in several parts; counts what it leaves out."""


@dataclass(frozen=True)
class Suite:
    """A suite that was found, and not read yet."""

    name: str
    """As it was asked for."""
    fs: Any
    files: tuple[str, ...]
    read: Reader

    def open(self, path: str) -> IO[bytes]:
        """One of the files, unpacked."""
        opened: IO[bytes] = self.fs.open(path, "rb", compression="infer")
        return opened

    @cached_property
    def digest(self) -> str:
        """Of the content of its files, wherever they lie."""
        with told(self.name):
            return digest([self._digest(path) for path in self.files])

    def draw(self, instances: int, seed: int) -> Drawn:
        """At most so many of each task: the same ones for the same seed, and fewer are a part of more.

        Memory holds the drawn ones. Raises BadSetting for a file that cannot be read, with the line, and where nothing
        is left.
        """
        left_out: Counter[str] = Counter()
        kept: dict[str, list[tuple[int, int, Instance]]] = {}
        with told(self.name):
            for at, instance in enumerate(_instances(self.read(self, left_out), max(instances, OFFICIAL), left_out)):
                mine = kept.setdefault(instance.task, [])
                item = (-_drawn(seed, instance), -at, instance)
                (heapq.heappush if len(mine) < instances else heapq.heappushpop)(mine, item)
        if not kept:
            reasons = "; ".join(f"{count:,} {reason}" for reason, count in left_out.items()) or "it is empty"
            raise DynosaurError(Code.BAD_SETTING, f"nothing of the suite {self.name} can be evaluated: {reasons}")
        found = [each for task in sorted(kept) for _, _, each in sorted(kept[task], key=lambda item: -item[1])]
        return Drawn(found, left_out)

    def tasks(self) -> tuple[SuiteTask, ...]:
        """All tasks by their id, also those that have no instance. Raises BadSetting where there is none, or for a file
        that cannot be read, with the line."""
        found: dict[str, SuiteTask] = {}
        with told(self.name):
            for task in self.read(self, Counter()):
                known = found.get(task.task_id)
                found[task.task_id] = replace(known, instances=known.instances + task.instances) if known else task
        if not found:
            raise DynosaurError(Code.BAD_SETTING, f"the suite {self.name} is empty")
        return tuple(found[task_id] for task_id in sorted(found))

    def _digest(self, path: str) -> str:
        found = hashlib.sha256()
        with self.fs.open(path, "rb") as file:
            while data := file.read(_CHUNK):
                found.update(data)
        return found.hexdigest()[:32]


OFFICIAL = 100
"""Instances of a test task that Super-NI's authors evaluate: its first ones, which they balanced by label."""


def _instances(tasks: Iterator[SuiteTask], most: int, left_out: Counter[str]) -> Iterator[Instance]:
    """Of a task whose first instances count, the first `most`; no one without a reference, which are counted."""
    for task in tasks:
        if not task.instances:
            left_out["tasks without instances"] += 1
        for name, given, references in task.instances[:most] if task.placed else task.instances:
            if any(reference.strip() for reference in references):
                examples, category = task.examples, task.category
                yield Instance(name, task.task_id, task.definition, given, references, examples, category)
            else:
                left_out["instances without a reference"] += 1


def _drawn(seed: int, instance: Instance) -> int:
    text = f"{seed}\0{instance.task}\0{instance.id}\0{instance.given}"
    return int.from_bytes(hashlib.sha256(text.encode(errors="replace")).digest()[:8], "big")


class told:  # noqa: N801 - reads as a verb: `with told(name)`
    """What storage raises inside becomes BadSetting with the suite's name."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None: ...

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, (*STORAGE_ERRORS, EOFError)):
            raise DynosaurError(Code.BAD_SETTING, f"the suite {self._name} cannot be read: {error}") from error


def open_suite(name: str, settings: Settings) -> Suite:
    """Finds a suite by what `--suite` says. Raises BadSetting where there is none."""
    if name == SUPERNI:
        if not settings.evaluation.superni:
            message = (
                "--suite superni: set evaluation.superni (DYNOSAUR_EVALUATION__SUPERNI) to a copy of "
                "github.com/allenai/natural-instructions, or to its tasks as JSON lines"
            )
            raise DynosaurError(Code.BAD_SETTING, message)
        return find_suite(settings.evaluation.superni)
    return find_suite(name)


def find_suite(where: str) -> Suite:
    """The suite at a path or URL. Raises BadSetting where there is none."""
    from dynosaur_core.suites import records, superni

    try:
        fs, root = fsspec.core.url_to_fs(where, use_listings_cache=False)
    except (ValueError, ImportError) as error:
        raise DynosaurError(Code.BAD_SETTING, f"the suite {where!r} cannot be opened: {error}") from error
    with told(where):
        if not fs.exists(root):
            raise DynosaurError(Code.BAD_SETTING, f"there is no suite {where}")
        for find in (superni.find, records.find, superni.find_loose):
            if found := find(where, fs, str(root).rstrip("/")):
                return found
    message = (
        f"{where} is no suite: give a folder with tasks/ or *.json (Super-NI) or data/*.parquet (a release, a "
        "mixture), or a .json, .parquet, .jsonl or .jsonl.gz file"
    )
    raise DynosaurError(Code.BAD_SETTING, message)
