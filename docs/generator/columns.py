"""The columns of the files of a release: names and types from the code, what they mean from columns.toml."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pyarrow as pa

from docs.generator.tables import table
from dynosaur_core.models import Release, Removal
from dynosaur_core.publish import tables
from dynosaur_core.publish.records import SCHEMA

TABLES: dict[str, pa.Schema | list[str]] = {
    "records": SCHEMA,
    "tasks": tables._TASKS,
    "sources": tables._SOURCES,
    "manifest": list(Release.model_fields),
    "removals": list(Removal.model_fields),
}
"""Parquet files by their columns, JSON by its keys."""


def meanings(name: str) -> dict[str, str]:
    found = tomllib.loads((Path(__file__).parent / "columns.toml").read_text(encoding="utf-8"))
    return dict(found[name])


def made(name: str) -> str:
    """The table of one file; raises KeyError where a column's meaning is missing."""
    said, columns = meanings(name), TABLES[name]
    if isinstance(columns, pa.Schema):
        rows = [(f"`{each.name}`", _type(each.type), said[each.name]) for each in columns]
        return table(("column", "type", "what it holds"), rows)
    return table(("key", "what it holds"), [(f"`{each}`", said[each]) for each in columns])


def _type(held: pa.DataType) -> str:
    """A type as people say it."""
    if pa.types.is_list(held):
        return f"list of {_type(held.value_type)}"
    if pa.types.is_struct(held):
        return ", ".join(held.field(at).name for at in range(held.num_fields))
    return "integer" if pa.types.is_integer(held) else "text"
