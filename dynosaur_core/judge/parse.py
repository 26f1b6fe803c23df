"""From an answer's text to the verdicts of the tasks that were asked about, and of no others. Nothing is evaluated."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dynosaur_core.judge.schema import FAULTS, NONE, VERDICTS
from dynosaur_core.llm.literals import find_literals
from dynosaur_core.llm.thoughts import after_thoughts
from dynosaur_core.reasons import Reason
from dynosaur_core.text import one_line, storable

MAX_SAID_CHARS = 400
MAX_INSTRUCTION_CHARS = 2_000
MAX_NAME_CHARS = 300
MAX_NAMES = 30
_REASONS: dict[str, Reason | None] = {
    **{fault.value: fault for fault in FAULTS},
    "multi_output": Reason.MULTIPLE_OUTPUTS,
    "bookkeeping": Reason.BOOKKEEPING_OUTPUT,
    **dict.fromkeys((NONE, "null", "valid", "ok", "no_fault"), None),
}
"""How answers spell the reasons, in lower case and with underscores."""
_NUMBER = re.compile(r"\D{0,8}(\d{1,4})\W{0,2}")


@dataclass(frozen=True)
class Fields:
    """Another mapping of fields, as an answer proposes it."""

    inputs: tuple[str, ...]
    output: str


@dataclass(frozen=True)
class Said:
    """One verdict as it was said."""

    reason: Reason | None
    thought: str = ""
    mended: str | Fields | None = None
    """Another instruction, or other fields; None where nothing is proposed, or not in the form that was asked for."""


def read_verdicts(text: str, tasks: int) -> dict[int, Said]:
    """The verdicts of an answer about `tasks` tasks, by their number from 1 on.

    The last whole answer counts: the others were drafts. A task that it judges twice and differently is not judged.
    """
    values = find_literals(after_thoughts(storable(text)))
    found: dict[int, Said] = {}
    torn: set[int] = set()
    for item in _items(_last_said(values)):
        number, verdict = _number(item.get("task")), _verdict(item)
        if number is None or not 1 <= number <= tasks or verdict is None:
            continue
        if found.setdefault(number, verdict).reason is not verdict.reason:
            torn.add(number)
    return {number: verdict for number, verdict in found.items() if number not in torn}


def _last_said(values: list[Any]) -> list[Any]:
    """The last value that holds the list of verdicts; all values where none does: one for each task is one answer."""
    whole = [value for value in values if isinstance(value, dict) and isinstance(value.get(VERDICTS), list | dict)]
    return whole[-1:] or values


def _items(value: Any) -> Iterator[dict[str, Any]]:
    """The verdicts in a value, wherever they are nested; of `{"1": {...}}` the key is the number."""
    if isinstance(value, dict):
        if "reason" in value:
            yield value
            return
        for key, member in value.items():
            if isinstance(member, dict) and _NUMBER.fullmatch(key):
                yield {"task": key, **member}
            else:
                yield from _items(member)
    elif isinstance(value, list):
        for member in value:
            yield from _items(member)


def _number(value: Any) -> int | None:
    """A task's number: 3, "3" or "task 3"."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    matched = _NUMBER.fullmatch(str(value))
    return int(matched[1]) if matched else None


def _verdict(item: Mapping[str, Any]) -> Said | None:
    """None where the reason is none of the list: no verdict is better than a guessed one."""
    reason = item["reason"]
    word = NONE if reason is None else re.sub(r"[\s-]+", "_", str(reason)[:60].strip().lower())
    if word not in _REASONS:
        return None
    thought = item.get("thought")
    said = one_line(thought, MAX_SAID_CHARS) if isinstance(thought, str) else ""
    return Said(_REASONS[word], said, _mended(item.get("mended")))


def _mended(value: Any) -> str | Fields | None:
    """Fields from `inputs: ["a"] -> output: "b"`, as the prompt writes them, or from an object; else an instruction."""
    if isinstance(value, dict):
        return _fields(value.get("input_fields"), value.get("output_field"))
    if not isinstance(value, str):
        return None
    value = storable(value.strip(), MAX_INSTRUCTION_CHARS)
    left, _, right = value.rpartition("->")
    inputs, output = left.removeprefix("inputs:").strip(), right.strip().removeprefix("output:").strip()
    if inputs.startswith("[") and output.startswith('"'):
        try:
            return _fields(json.loads(inputs), json.loads(output))
        except (ValueError, RecursionError):
            return None
    return value or None


def _fields(inputs: Any, output: Any) -> Fields | None:
    if not isinstance(inputs, list) or not inputs or not all(isinstance(name, str) for name in [*inputs, output]):
        return None
    named = tuple(storable(name, MAX_NAME_CHARS) for name in dict.fromkeys(inputs[:MAX_NAMES]))
    return Fields(named, storable(output, MAX_NAME_CHARS))
