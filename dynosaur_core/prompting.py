"""What a prompt shows of a dataset: its name, its fields with their facts, two rows with long values shortened.

Nothing here looks at a field's name to decide whether it is shown, and neither licence nor website is ever read.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Any

from dynosaur_core.models import FieldFacts, FieldKind, FieldSpec, Shape, Span, Subset
from dynosaur_core.settings import Designing

MAX_FIELDS = 64
"""Fields of one prompt and schema; a wider subset is shown by its first ones. OpenAI allows 1,000 enum values."""
MAX_LABELS = 30
MAX_LABEL_CHARS = 400
MAX_ITEMS = 4
"""Items of a list and members of a struct that a row shows."""
MAX_DEPTH = 3
MAX_SUMMARY_CHARS = 800
MAX_CONFIG_CHARS = 300
_MIN_VALUE_CHARS = 24
_HIDDEN = (FieldKind.MEDIA, FieldKind.BINARY)
_MANY_WORDS = 40
"""From this median on a field's length is told: the rows shown are cut."""
_OFTEN_EMPTY = 0.05
_SHAPES = {
    Shape.URL: "a link",
    Shape.PATH: "a path",
    Shape.HASH: "a hash",
    Shape.ID: "an id",
    Shape.DATE: "a date",
    Shape.TIME: "a time",
    Shape.CODE: "code",
    Shape.NUMBER: "a number",
}
_ITEMS = {
    FieldKind.TEXT: "string",
    FieldKind.LABEL: "label",
    FieldKind.INTEGER: "integer",
    FieldKind.FLOAT: "number",
}


def shown_fields(subset: Subset) -> tuple[FieldSpec, ...]:
    """The fields that a prompt names, in the data's order, members of structs too: all but media and bytes, at most
    `MAX_FIELDS`."""
    return tuple(field for field in subset.every_field.values() if field.kind not in _HIDDEN)[:MAX_FIELDS]


def dataset_text(name: str, about: Sequence[str], fields: Sequence[str], rows: Sequence[str]) -> str:
    """The dataset's block of a prompt, from lines that `field_text` and `row_text` have made."""
    return "\n".join([f"Dataset: {quoted(name)}", *about, "Fields:", *(f"- {line}" for line in fields), "Rows:", *rows])


def about_text(summary: str | None, config: str = "", section: str | None = None) -> list[str]:
    """What the card says of the dataset, and of the config where it has a section of its own."""
    said = ((f"About {quoted(config)}", section, MAX_CONFIG_CHARS), ("About", summary, MAX_SUMMARY_CHARS))
    return [f"{head}: {shorten(' '.join(text.split()), most)}" for head, text, most in reversed(said) if text]


def field_text(field: FieldSpec, facts: FieldFacts) -> str:
    """`name: type, facts`: `verdict: label (supports, contradicts)`, `answers: 1 to 14 strings`, `tags: list of O, B,
    I, one per item of tokens`, `score: float32, 0 to 5`, `Label: int64, same as Dialogue_Act`."""
    return f"{quoted(field.name)}: {described(field, facts)}"


def described(field: FieldSpec, facts: FieldFacts) -> str:
    """Type and facts of a field."""
    return ", ".join([_type(field, facts), *_notes(field, facts)])


def _type(field: FieldSpec, facts: FieldFacts) -> str:
    if field.kind is FieldKind.LABEL:
        return f"label ({_listed(field.label_names)})"
    if field.kind is FieldKind.STRUCT:
        return f"the next {len(field.children)} together"
    if field.kind is FieldKind.LIST and field.children:
        return f"list of {_listed(facts.values)}" if facts.values else _items(field.children[0], facts.items)
    return quoted(shorten(field.type, 160))


def _items(item: FieldSpec, count: Span | None) -> str:
    word = _ITEMS.get(item.kind)
    what = f"{word}{'' if count and count.most == 1 else 's'}" if word else quoted(shorten(item.type, 160))
    return f"{_range(count)} {what}" if count else f"list of {what}"


def _notes(field: FieldSpec, facts: FieldFacts) -> Iterator[str]:
    """What the rows tell, the least of it that does not follow from the rest."""
    if facts.same_as:
        yield f"same as {quoted(facts.same_as)}"
    elif facts.constant:
        yield f"always {_listed(facts.values)}" if facts.values else "always the same"
    elif facts.values and field.kind not in (FieldKind.LABEL, FieldKind.LIST):
        yield f"one of {_listed(facts.values)}"
    elif facts.shape:
        yield _SHAPES[facts.shape]
    elif facts.numbers:
        yield _range(facts.numbers)
    if facts.words and facts.words.median >= _MANY_WORDS:
        yield f"about {facts.words.median:.0f} words"
    if facts.along:
        yield f"one per item of {quoted(facts.along)}"
    if facts.determined_by:
        yield f"follows from {quoted(facts.determined_by[0])}"
    if facts.empty >= _OFTEN_EMPTY:
        yield f"{facts.empty:.0%} empty"


def _range(span: Span) -> str:
    return f"{span.least:g}" if span.least == span.most else f"{span.least:g} to {span.most:g}"


def _listed(values: Sequence[str]) -> str:
    names = ", ".join(quoted(shorten(value, MAX_LABEL_CHARS)) for value in values[:MAX_LABELS])
    rest = len(values) - MAX_LABELS
    return f"{names}, and {rest} more" if rest > 0 else names


def quoted(name: str) -> str:
    """A name as it stands in a prompt's list: as it is, or as a JSON text where a line break or another sign that
    nobody sees would carry it out of its line."""
    plain = name.isprintable() or all(char.isprintable() or unicodedata.category(char) == "Zs" for char in name)
    return name if plain else json.dumps(name)


def row_text(row: dict[str, Any], fields: Sequence[FieldSpec], limits: Designing) -> str:
    """One row as compact JSON, at most about `limits.max_row_chars` long: the longest values give way first. Members
    of structs stand in their struct."""
    allowance = limits.max_value_chars
    while True:
        shown = {field.name: bounded(row[field.name], allowance) for field in fields if field.name in row}
        text = json.dumps(shown, ensure_ascii=False, separators=(", ", ": "))
        if len(text) <= limits.max_row_chars or allowance <= _MIN_VALUE_CHARS:
            return text
        allowance = max(_MIN_VALUE_CHARS, allowance * 2 // 3)


def bounded(value: Any, chars: int, depth: int = 0) -> Any:
    """`value` with about `chars` characters of content: texts cut, long lists and structs ended with "..."."""
    if isinstance(value, str):
        return shorten(value, chars)
    if isinstance(value, list | tuple):
        if depth == MAX_DEPTH:
            return "..." if value else []
        share = max(_MIN_VALUE_CHARS, chars // max(1, min(len(value), MAX_ITEMS)))
        return [bounded(item, share, depth + 1) for item in value[:MAX_ITEMS]] + ["..."] * (len(value) > MAX_ITEMS)
    if isinstance(value, dict):
        if depth == MAX_DEPTH:
            return "..." if value else {}
        share = max(_MIN_VALUE_CHARS, chars // max(1, min(len(value), MAX_ITEMS)))
        members = {str(key): bounded(item, share, depth + 1) for key, item in list(value.items())[:MAX_ITEMS]}
        return members | ({"...": "..."} if len(value) > MAX_ITEMS else {})
    if isinstance(value, float):
        return float(f"{value:.6g}")
    return value


def shorten(text: str, chars: int) -> str:
    """The text itself, or its beginning and its end around " ... " in `chars` characters."""
    if len(text) <= chars:
        return text
    tail = chars // 5
    return f"{text[: chars - tail - 5].rstrip()} ... {text[len(text) - tail :].lstrip()}"
