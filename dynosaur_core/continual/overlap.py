"""What a task shares with the tasks of an evaluation suite: words of its instruction or rows, or the dataset itself.

Texts are compared by their words in small letters, whatever stands between them. Two inputs overlap that share a run of
`NGRAM` words: Brown et al. (Language Models are Few-Shot Learners, 2020, appendix C) take 13. Texts that are shorter
overlap where input and output are the same.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from dynosaur_core.suites.suite import SuiteTask

NGRAM = 13
Runs = npt.NDArray[np.uint64]
OVERLAPS = {
    "same_instruction": "its instruction has the same words as the test task's definition",
    "instruction_words": f"its instruction shares {NGRAM} words in a row with the test task's definition",
    "same_source": "it is of a dataset that the test task names",
    "same_row": "a row has the same input and output as the test task",
    "row_words": f"an input shares {NGRAM} words in a row with an input of the test task",
}
"""Kinds of overlap, each with its sentence for a person."""
_FACTOR = np.uint64(0x9E3779B97F4A7C15)
_NO_NAMES = {"default", "plain_text", "all", "main", "train", "test", "data", "dataset", "datasets", "tasks", "task"}
"""Names of configs and datasets that say nothing."""
_LEAST_CHARS = 3
"""A shorter name says nothing either."""


@dataclass(frozen=True)
class Overlap:
    """That a task overlaps with a test task."""

    kind: str
    """A key of `OVERLAPS`."""
    test_task: str
    example: str
    """The shared words or name."""


def words_of(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold())


def plain(text: str) -> str:
    return " ".join(words_of(text))


def runs_of(words: Sequence[str]) -> Runs:
    """A number for each run of `NGRAM` words, by the place where it begins; none for a shorter text."""
    places = len(words) - NGRAM + 1
    found = np.zeros(max(places, 0), dtype=np.uint64)
    if places > 0:
        numbers = np.array([_word(word) for word in words], dtype=np.uint64)
        for at in range(NGRAM):
            found = found * _FACTOR + numbers[at : at + places]
    return found


def number_of(text: str) -> int:
    """64 bits of the text's hash."""
    return int.from_bytes(hashlib.blake2b(text.encode(errors="replace"), digest_size=8).digest(), "big")


_word = lru_cache(maxsize=500_000)(number_of)


class _Index:
    """Runs of words, each with the test task that it is of."""

    def __init__(self, texts: Iterable[tuple[str, str]]) -> None:
        """`texts` are (test task, text)."""
        self._names: list[str] = []
        runs, owners = [np.empty(0, dtype=np.uint64)], [np.empty(0, dtype=np.int64)]
        for number, (name, text) in enumerate(texts):
            runs.append(runs_of(words_of(text)))
            owners.append(np.full(len(runs[-1]), number))
            self._names.append(name)
        every, of = np.concatenate(runs), np.concatenate(owners)
        self._runs, first = np.unique(every, return_index=True)
        self._owners = of[first]

    def find(self, words: Sequence[str], kind: str) -> Overlap | None:
        """The first run of `words` that is in it."""
        runs = runs_of(words)
        if not len(runs) or not len(self._runs):
            return None
        places = np.minimum(np.searchsorted(self._runs, runs), len(self._runs) - 1)
        hits = np.flatnonzero(self._runs[places] == runs)
        if not len(hits):
            return None
        at = int(hits[0])
        owner = int(self._owners[places[at]])
        return Overlap(kind, self._names[owner], " ".join(words[at : at + NGRAM]))


class SuiteIndex:
    """Finds what overlaps with a suite."""

    def __init__(self, suite: Sequence[SuiteTask]) -> None:
        self._definitions = {plain(task.definition): task.task_id for task in suite}
        self._instructions = _Index((task.task_id, task.definition) for task in suite)
        self._inputs = _Index((task.task_id, given) for task in suite for given, _ in task.pairs())
        self._rows = {
            (plain(given), plain(output)): task.task_id
            for task in suite
            for given, outputs in task.pairs()
            for output in outputs
        }
        self._names = [(task.task_id, _own_name(task), _sources(task)) for task in suite]
        self._sources: dict[tuple[str, str], Overlap | None] = {}

    def of_instruction(self, instruction: str) -> Overlap | None:
        words = words_of(instruction)
        text = " ".join(words)
        if text in self._definitions:
            return Overlap("same_instruction", self._definitions[text], text)
        return self._instructions.find(words, "instruction_words")

    def of_source(self, repo_id: str, config: str) -> Overlap | None:
        """Whether a test task names the dataset or config, in its sources or in its own name. A source also names a
        dataset whose name has more words: e2e names e2e_nlg."""
        if (repo_id, config) not in self._sources:
            self._sources[repo_id, config] = self._named(repo_id, config)
        return self._sources[repo_id, config]

    def _named(self, repo_id: str, config: str) -> Overlap | None:
        for name in (repo_id.rpartition("/")[2], config):
            mine = _pieces(name)
            if name.casefold() in _NO_NAMES or len("".join(mine)) < _LEAST_CHARS:
                continue
            for test_task, own, sources in self._names:
                if any(_within(mine, each) for each in (own, *sources)) or any(_within(each, mine) for each in sources):
                    return Overlap("same_source", test_task, name)
        return None

    def of_row(self, given: str, output: str) -> Overlap | None:
        words = words_of(given)
        text = " ".join(words)
        if text and (owner := self._rows.get((text, plain(output)))):
            return Overlap("same_row", owner, text[:200])
        return self._inputs.find(words, "row_words")


def _own_name(task: SuiteTask) -> list[str]:
    """`task202_mnli_contradiction_classification` names mnli, and more that is no dataset's name."""
    return _pieces(re.sub(r"\Atask\d+_", "", task.task_id))


def _sources(task: SuiteTask) -> list[list[str]]:
    return [pieces for name in task.sources if len("".join(pieces := _pieces(name))) >= _LEAST_CHARS]


def _pieces(name: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", name.casefold())


def _within(mine: Sequence[str], names: Sequence[str]) -> bool:
    """Whether `mine` stand in a row in `names`, written together or apart (super_glue, superglue)."""
    joined = "".join(mine)
    return any("".join(names[at:end]) == joined for at in range(len(names)) for end in range(at + 1, len(names) + 1))
