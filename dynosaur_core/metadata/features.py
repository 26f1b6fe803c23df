"""Feature types as field specs: a column's kind follows from its type, never from its name."""

from __future__ import annotations

from typing import Any

from datasets import ClassLabel, Features, Value

from dynosaur_core.models import FieldKind, FieldSpec
from dynosaur_core.reading.features import is_file, item_of

_VALUE_KINDS: tuple[tuple[tuple[str, ...], FieldKind], ...] = (
    (("string", "large_string", "string_view"), FieldKind.TEXT),
    (("bool",), FieldKind.BOOLEAN),
    (("int", "uint"), FieldKind.INTEGER),
    (("float", "double", "decimal", "halffloat"), FieldKind.FLOAT),
    (("timestamp", "date", "time", "duration"), FieldKind.TIME),
    (("binary", "large_binary", "fixed_size_binary"), FieldKind.BINARY),
)


def field_specs(features: Features) -> tuple[FieldSpec, ...]:
    """All columns in their order, media and bytes among them."""
    return tuple(field_spec(name, feature) for name, feature in features.items())


def field_spec(name: str, feature: Any) -> FieldSpec:
    """One column, with its parts where it is nested."""
    if isinstance(feature, ClassLabel):
        labels = tuple(str(label) for label in feature.names or ())
        return FieldSpec(name=name, kind=FieldKind.LABEL, type="class_label", label_names=labels)
    if isinstance(feature, Value):
        return FieldSpec(name=name, kind=_value_kind(feature.dtype), type=feature.dtype)
    if is_file(feature):
        return FieldSpec(name=name, kind=FieldKind.MEDIA, type=type(feature).__name__.lower())
    if type(feature).__name__ == "Translation":
        return field_spec(name, {language: Value("string") for language in feature.languages})
    if isinstance(feature, dict):
        parts = tuple(field_spec(str(key), part) for key, part in feature.items())
        members = ", ".join(f"{part.name}: {part.type}" for part in parts)
        return FieldSpec(name=name, kind=_outer(FieldKind.STRUCT, parts), type=f"{{{members}}}", children=parts)
    inner = item_of(feature)
    if inner is not None:
        item = field_spec("item", inner)
        return FieldSpec(name=name, kind=_outer(FieldKind.LIST, (item,)), type=f"list<{item.type}>", children=(item,))
    return FieldSpec(name=name, kind=FieldKind.OTHER, type=type(feature).__name__.lower())


def _value_kind(dtype: str) -> FieldKind:
    for prefixes, kind in _VALUE_KINDS:
        if dtype.startswith(prefixes):
            return kind
    return FieldKind.OTHER


def _outer(kind: FieldKind, parts: tuple[FieldSpec, ...]) -> FieldKind:
    """A list or struct that holds media or bytes anywhere is of that kind itself."""
    for hidden in (FieldKind.MEDIA, FieldKind.BINARY):
        if any(part.kind is hidden for part in parts):
            return hidden
    return kind
