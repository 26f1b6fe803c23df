"""What the loopback endpoint's "model" says: a function of the request alone."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Design = dict[str, Any]
Answerer = Callable[["Asked"], str]


@dataclass(frozen=True)
class Asked:
    """A request as an answerer sees it, whichever API it came by."""

    messages: tuple[dict[str, str], ...]
    schema: dict[str, Any] | None

    @property
    def dataset_block(self) -> str:
        """The message that shows the dataset: the last of them in a prompt with examples."""
        blocks = [m["content"] for m in self.messages if m["role"] == "user" and "Dataset: " in m["content"]]
        return blocks[-1] if blocks else ""

    @property
    def dataset(self) -> tuple[str, str | None]:
        """Repo id and config (None where the prompt names none)."""
        found = re.search(r"Dataset: (\S+)(?: \(config (.*)\))?", self.dataset_block)
        return (found[1], found[2]) if found else ("", None)

    @property
    def fields(self) -> tuple[tuple[str, str], ...]:
        """(name, type) in the prompt's order."""
        block = self.dataset_block.partition("Fields:\n")[2].partition("\nRows:")[0]
        return tuple((line[2:].partition(": ")[0], line.partition(": ")[2]) for line in block.splitlines())

    @property
    def tasks(self) -> dict[int, str]:
        """The instructions of the tasks that the judge is asked about, by number; empty in a request for designs."""
        found = re.findall(r"^Task (\d+): (.*)$", self.dataset_block, re.MULTILINE)
        return {int(number): json.loads(instruction) for number, instruction in found}

    def wrap(self, designs: Sequence[Design]) -> str:
        """The designs in the form that the request asks for."""
        keys = (self.schema or {}).get("required") or ["tasks"]
        if keys == ["ok"]:
            return '{"ok": true}'
        return json.dumps({key: list(designs) for key in keys}, ensure_ascii=False)


def design(asked: Asked) -> str:
    """A sensible design or two from the field names: label or last field from the texts, and one the other way."""
    fields = asked.fields
    names = [name for name, _ in fields]
    if len(names) < 2:
        return asked.wrap([])
    output = next((name for name, kind in fields if kind.startswith("label (")), names[-1])
    inputs = [name for name in names if name != output][:3]
    designs = [
        _design(inputs, output, f"Read the {_words(inputs)} and give the {_words([output])} that goes with it."),
        _design([output], inputs[0], f"Write a {inputs[0].replace('_', ' ')} to which the {output} belongs."),
    ]
    return asked.wrap(designs)


_DESIGN_KEYS = ("input_fields", "output_field", "instruction", "list_output", "label_words")


class Judge:
    """Finds nothing wrong with a task, unless its instruction holds one of the words that are given a reason, or a
    reason and what would be right."""

    def __init__(self, faults: Mapping[str, str | tuple[str, Any]] | None = None, fits: str = "It fits.") -> None:
        self.faults, self.fits = dict(faults or {}), fits

    def __call__(self, asked: Asked) -> str:
        return json.dumps({"verdicts": [self._verdict(*task) for task in asked.tasks.items()]})

    def _verdict(self, number: int, instruction: str) -> dict[str, Any]:
        fault = next((fault for word, fault in self.faults.items() if word in instruction), "none")
        reason, mended = (fault, None) if isinstance(fault, str) else fault
        said = self.fits if reason == "none" else f"It is {reason}."
        return {"task": number, "thought": said, "reason": reason, "mended": mended}


class Replay:
    """Answers with the designs that a file holds for the dataset (and config) that the prompt names."""

    def __init__(self, path: Path) -> None:
        self.designs: dict[str, list[tuple[str, Design]]] = {}
        for line in path.read_text().splitlines():
            item = json.loads(line)
            one = {
                key: item[key] for key in ("input_fields", "output_field", "instruction", "list_output") if key in item
            }
            if isinstance(one["output_field"], list) and len(one["output_field"]) == 1:
                one["output_field"] = one["output_field"][0]
            self.designs.setdefault(item["dataset"], []).append((item["config"], one))

    def __call__(self, asked: Asked) -> str:
        repo_id, config = asked.dataset
        mine = [design for name, design in self.designs.get(repo_id, []) if config in (None, name)]
        unique = {json.dumps(each, sort_keys=True): each for each in mine}
        return asked.wrap(list(unique.values()))


def _design(inputs: Sequence[str], output: str, instruction: str) -> Design:
    return {"input_fields": list(inputs), "output_field": output, "instruction": instruction}


def _words(names: Sequence[str]) -> str:
    return " and the ".join(name.replace("_", " ") for name in names)
