"""What a prompt shows of a dataset: its name, its fields with types and labels, two rows with long values shortened.

Nothing here looks at a field's name to decide whether it is shown, and neither licence nor website is ever read.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Sequence
from typing import Any

from dynosaur_core.models import FieldKind, FieldSpec, Subset
from dynosaur_core.settings import Designing

MAX_FIELDS = 64
"""Fields of one prompt and schema; a wider subset is shown by its first ones. OpenAI allows 1,000 enum values."""
MAX_LABELS = 30
MAX_LABEL_CHARS = 400
MAX_ITEMS = 4
"""Items of a list and members of a struct that a row shows."""
MAX_DEPTH = 3
MAX_SUMMARY_CHARS = 800
_MIN_VALUE_CHARS = 24
_HIDDEN = (FieldKind.MEDIA, FieldKind.BINARY)


def shown_fields(subset: Subset) -> tuple[FieldSpec, ...]:
    """The fields that a prompt names, in the data's order: all but media and bytes, at most `MAX_FIELDS`."""
    return tuple(field for field in subset.fields if field.kind not in _HIDDEN)[:MAX_FIELDS]


def dataset_text(name: str, summary: str | None, fields: Sequence[FieldSpec], rows: Sequence[str]) -> str:
    """The dataset's block of a prompt. `rows` are rendered by `row_text`."""
    about = [f"About: {shorten(' '.join(summary.split()), MAX_SUMMARY_CHARS)}"] if summary else []
    return "\n".join(
        [f"Dataset: {quoted(name)}", *about, "Fields:", *(f"- {field_text(field)}" for field in fields), "Rows:", *rows]
    )


def field_text(field: FieldSpec) -> str:
    """`name: type`, with label names in their order: `verdict: label (supports, contradicts)`."""
    name = quoted(field.name)
    if field.kind is not FieldKind.LABEL:
        return f"{name}: {quoted(shorten(field.type, 160))}"
    names = ", ".join(quoted(shorten(label, MAX_LABEL_CHARS)) for label in field.label_names[:MAX_LABELS])
    rest = len(field.label_names) - MAX_LABELS
    return f"{name}: label ({names}{f', and {rest} more' if rest > 0 else ''})"


def quoted(name: str) -> str:
    """A name as it stands in a prompt's list: as it is, or as a JSON text where a line break or another sign that
    nobody sees would carry it out of its line."""
    plain = name.isprintable() or all(char.isprintable() or unicodedata.category(char) == "Zs" for char in name)
    return name if plain else json.dumps(name)


def row_text(row: dict[str, Any], fields: Sequence[FieldSpec], limits: Designing) -> str:
    """One row as compact JSON, at most about `limits.max_row_chars` long: the longest values give way first."""
    allowance = limits.max_value_chars
    while True:
        shown = {field.name: bounded(row.get(field.name), allowance) for field in fields}
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
