"""From an answer's text to task designs. Whatever can be understood is kept; nothing is evaluated."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from dynosaur_core.instruction.schema import FROM_DATA, FROM_DESCRIPTION, TASKS
from dynosaur_core.llm.literals import find_literals
from dynosaur_core.llm.responses import refusal_words
from dynosaur_core.llm.thoughts import after_thoughts
from dynosaur_core.models import ListOutput, TaskDesign
from dynosaur_core.reasons import Reason
from dynosaur_core.text import storable

MAX_DESIGNS = 50
"""Designs read of one answer; the filter allows far fewer."""
MIN_WORDS = 3
"""Words of a bare text that is meant as a task: shorter ones are field names of a task that was cut off."""

_KEYS = {
    "instruction": "instruction", "instructions": "instruction", "task": "instruction", "prompt": "instruction",
    "inputfields": "inputs", "inputfield": "inputs", "inputs": "inputs", "input": "inputs",
    "outputfields": "outputs", "outputfield": "outputs", "outputs": "outputs", "output": "outputs",
    "listoutput": "list", "labelwords": "words",
}  # fmt: skip
"""How answers spell the keys, in lower case and without punctuation."""
_SIDES = {"label": "label", "raw": "label", "code": "label", "words": "words", "word": "words"}
"""How a pair's two keys are spelt."""
_LIST_OUTPUTS = {how.value: how for how in ListOutput}
_REFUSAL = re.compile(r"\W*(?:i['’]?m (?:very |really )?sorry|sorry|i (?:can(?:no|['’])t|am unable|won['’]?t)|as an ai)\b", re.I)  # fmt: skip  # noqa: E501
_LISTS = (TASKS, FROM_DESCRIPTION, FROM_DATA)
"""The members of an answer in the form that was asked for."""
_HALVES = tuple((frozenset({one}), frozenset({two})) for one in _LISTS[1:] for two in _LISTS[1:] if one != two)
"""The lists of two values that are one answer."""
MAX_INSTRUCTION_CHARS = 4_000
MAX_NAME_CHARS = 300
MAX_NAMES = 100
MAX_WORDS = 300
"""Bounds of what is read of one task: far beyond what the filter accepts, so that it still sees what is too long."""


@dataclass(frozen=True)
class Parsed:
    """The designs of an answer, those of each list apart, and why there are none."""

    designs: tuple[TaskDesign, ...] = ()
    groups: tuple[str, ...] = ()
    """Per design: `FROM_DESCRIPTION` or `FROM_DATA` in an answer to both modes, else ""."""
    problem: Reason | None = None
    detail: str = ""

    def of(self, group: str) -> tuple[TaskDesign, ...]:
        return tuple(design for design, name in zip(self.designs, self.groups, strict=True) if name == group)


def parse_answer(text: str, fields: Sequence[str], *, refusal: str | None = None) -> Parsed:
    """Reads an answer for a subset with these fields (they tell a list in one text from one name with commas)."""
    if refused := refusal_words(refusal):
        return Parsed(problem=Reason.MODEL_REFUSAL, detail=refused[:300])
    text = after_thoughts(storable(text))
    values = _last_said(find_literals(text))
    items = [item for value in values for item in _items(value, "")][:MAX_DESIGNS]
    if items:
        designs = tuple(design_of(item, fields) for _, item in items)
        return Parsed(designs, tuple(group for group, _ in items))
    if _REFUSAL.match(text):
        return Parsed(problem=Reason.MODEL_REFUSAL, detail=text.strip()[:300])
    if values:
        return Parsed(problem=Reason.NO_DESIGN, detail="the answer holds no task")
    return Parsed(problem=Reason.UNPARSABLE, detail=f"no task could be read from {text.strip()[:200]!r}")


def _last_said(values: list[Any]) -> list[Any]:
    """Of several whole answers the last one: the others were drafts. One value for each task is one answer.

    An answer to both modes may come as two values with a list each.
    """
    whole = [(value, names) for value in values if (names := _lists(value))]
    if not whole:
        return values
    last, names = whole[-1]
    other = [value for value, its in whole[:-1] if (its, names) in _HALVES]
    return [*other[-1:], last]


def _lists(value: Any) -> frozenset[str]:
    """The lists of tasks that a value holds in the form that was asked for."""
    held = value.items() if isinstance(value, dict) else ()
    return frozenset(name for name, member in held if name in _LISTS and isinstance(member, list | dict))


def _items(value: Any, group: str) -> Iterator[tuple[str, Any]]:
    """The tasks in a value, wherever they are nested; a text in a list of tasks counts as a (malformed) one."""
    if isinstance(value, dict):
        keys = {_KEYS.get(_plain(key)) for key in value}
        if ("instruction" in keys and _texts_only(value)) or {"inputs", "outputs"} & keys:
            yield group, value
            return
        for key, member in value.items():
            if isinstance(member, dict | list):
                yield from _items(member, key if key in (FROM_DESCRIPTION, FROM_DATA) else group)
    elif isinstance(value, list):
        for member in value:
            if not isinstance(member, str):
                yield from _items(member, group)
            elif len(member.split()) >= MIN_WORDS:
                yield group, member


def _texts_only(value: dict[str, Any]) -> bool:
    """A dict with the key `task` may be a wrapper: then it holds the task as a dict."""
    return not any(isinstance(member, dict) for member in value.values())


def design_of(item: Any, fields: Sequence[str] = ()) -> TaskDesign:
    """One design from one value of an answer; `malformed` where it is not of the asked form."""
    if not isinstance(item, dict):
        return TaskDesign(
            instruction=storable(str(item), MAX_INSTRUCTION_CHARS), malformed="a bare text where a task was asked for"
        )
    found: dict[str, Any] = {}
    for key, value in item.items():
        if name := _KEYS.get(_plain(key)):
            found.setdefault(name, value)
    instruction = found.get("instruction")
    inputs, outputs = (_names(found.get(name), fields) for name in ("inputs", "outputs"))
    words = _pairs(found.get("words"))
    problems = [
        "the instruction is missing" if instruction is None else "",
        "the instruction is not a text" if not isinstance(instruction, str | None) else "",
        "the input fields are not a list of names" if inputs is None else "",
        "the output field is not a name" if outputs is None else "",
        "the words for labels are not pairs of a label and its words" if words is None else "",
    ]
    return TaskDesign(
        instruction=storable(instruction.strip(), MAX_INSTRUCTION_CHARS) if isinstance(instruction, str) else "",
        input_fields=tuple(dict.fromkeys(map(_name, (inputs or ())[:MAX_NAMES]))),
        output_fields=tuple(map(_name, (outputs or ())[:MAX_NAMES])),
        list_output=_LIST_OUTPUTS.get(str(found.get("list"))[:20].lower()),
        label_words=words or (),
        malformed="; ".join(filter(None, problems)) or None,
    )


def _names(value: Any, fields: Sequence[str]) -> tuple[str, ...] | None:
    """Field names from a list or one text; () where there are none, None where they cannot be read."""
    if value is None:
        return ()
    if isinstance(value, str):
        parts = tuple(part.strip() for part in value.split(","))
        known = value in fields or not all(part in fields for part in parts)
        return ((value,) if value.strip() else ()) if known else parts
    if isinstance(value, list) and all(isinstance(name, str) for name in value):
        return tuple(value)
    return None


def _pairs(value: Any) -> tuple[tuple[str, str], ...] | None:
    """Labels and their words from a list of pairs or an object; () where there are none, None where they cannot be
    read. Null words are the label itself."""
    if isinstance(value, dict):
        value = list(value.items())
    if not isinstance(value, list | None):
        return None
    pairs = [_pair(item) for item in (value or ())[:MAX_WORDS]]
    read = tuple(pair for pair in pairs if pair is not None)
    return read if len(read) == len(pairs) else None


def _pair(item: Any) -> tuple[str, str] | None:
    if isinstance(item, dict):
        sides = {_SIDES.get(_plain(key)): value for key, value in item.items()}
        item = (sides.get("label"), sides.get("words"))
    if not isinstance(item, list | tuple) or len(item) != 2 or item[0] is None:
        return None
    if any(isinstance(side, list | dict) for side in item):
        return None
    label, words = (_name(str(side)) for side in (item[0], item[0] if item[1] is None else item[1]))
    return label, words.strip()


def _name(name: str) -> str:
    return storable(name, MAX_NAME_CHARS)


def _plain(key: str) -> str:
    return re.sub(r"[^a-z]", "", key.lower())
