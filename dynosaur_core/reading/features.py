"""What a feature holds, however its lists are spelled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa
from datasets import ClassLabel, Value

from dynosaur_core.errors import Code, DynosaurError


def item_of(feature: Any) -> Any:
    """The feature of a list's items; None where the feature is no list, or does not tell."""
    return (feature[0] if feature else None) if isinstance(feature, list) else getattr(feature, "feature", None)


def holds(feature: Any, test: Callable[[Any], bool]) -> bool:
    """Whether the test holds for the feature, or for one inside of it."""
    if isinstance(feature, dict):
        return any(holds(part, test) for part in feature.values())
    item = item_of(feature)
    return test(feature) or (item is not None and holds(item, test))


def is_media(feature: Any) -> bool:
    """Whether a feature is, or holds, media or bytes: a config with one is refused, or the column never becomes one."""
    return holds(feature, _is_media)


def has_label(feature: Any) -> bool:
    """Whether a feature is, or holds, a label."""
    return holds(feature, lambda part: isinstance(part, ClassLabel))


def check_columns(count: int, most: int) -> None:
    """Raises TooManyColumns where there are more than `most`."""
    if count > most:
        raise DynosaurError(Code.TOO_MANY_COLUMNS, f"{count} columns, at most {most} are read")


def is_file(feature: Any) -> bool:
    """Whether a feature itself is an image, sound, document...: `datasets` stores each kind as bytes and a path."""
    kind = getattr(feature, "pa_type", None)
    return isinstance(kind, pa.StructType) and kind.get_field_index("bytes") >= 0


def _is_media(feature: Any) -> bool:
    return is_file(feature) or (isinstance(feature, Value) and "binary" in feature.dtype)
