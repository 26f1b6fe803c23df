"""What a catalogue lists, and what of it is read: datasets, their configs, splits and fields."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import Literal

from dynosaur_core.models.base import Stored, added
from dynosaur_core.models.facts import FieldFacts
from dynosaur_core.text import Id, Key, Name, Text, Values


class DatasetRef(Stored):
    """A dataset at one revision, with what the catalogue's listing states of it."""

    repo_id: Id
    """`owner/name`; unique in a catalogue."""
    revision: Key
    """Full commit sha on the Hub; a content digest elsewhere."""
    last_modified: datetime | None = None
    licenses: tuple[Key, ...] = ()
    """All licence ids of the listing, lower case, in order; empty when there is none."""
    languages: tuple[Text, ...] = ()
    task_categories: tuple[Text, ...] = ()
    task_ids: tuple[Text, ...] = ()
    tags: tuple[Text, ...] = ()
    description: Text | None = None
    gated: bool = False
    private: bool = False
    disabled: bool = False
    size_bytes: int | None = None
    """Size of the repository's files in bytes, if the listing states it."""
    unreadable_card: bool = False
    """The catalogue could not read what the card says of licence and languages; opening the dataset raises why."""


class FieldKind(StrEnum):
    """What a column holds, by its feature type (never by its name)."""

    TEXT = "text"
    LABEL = "label"
    """A ClassLabel; its values are label names, null where the row has no label."""
    INTEGER = "integer"
    FLOAT = "float"
    BOOLEAN = "boolean"
    TIME = "time"
    LIST = "list"
    STRUCT = "struct"
    MEDIA = "media"
    """Image, audio, video, pdf, mesh: a config with one is refused."""
    BINARY = "binary"
    OTHER = "other"


class FieldSpec(Stored):
    """One column of a subset, or one part of a nested column."""

    name: Name
    kind: FieldKind
    type: Name
    """The feature type as people write it: `string`, `int32`, `list<string>`, `class_label`."""
    label_names: tuple[Name, ...] = ()
    """ClassLabel names in their order; empty for all other kinds."""
    children: tuple[FieldSpec, ...] = ()
    """LIST: its one item (named `item`); STRUCT: its members."""


SplitRole = Literal["train", "validation", "test", "unknown"]


class Split(Stored):
    """A split by its own name, and the role that the name implies."""

    name: Name
    role: SplitRole
    rows: int | None = None


class RowsHandle(Stored):
    """Where a subset's sampled rows are: parquet in the store, named by content.

    Columns: the subset's fields in their order (labels as names), then `SPLIT_COLUMN` (string) and
    `ROW_COLUMN` (int64, the row's position in its split).
    """

    digest: Name
    rows: int
    size_bytes: int


SPLIT_COLUMN = "__dynosaur_split"


ROW_COLUMN = "__dynosaur_row"


class Subset(Stored):
    """One config of a dataset with what a prompt and the filter need to know of it."""

    config: Name
    splits: tuple[Split, ...]
    fields: tuple[FieldSpec, ...]
    shown: tuple[Values, ...] = ()
    """The (at most two) sampled rows that a prompt may show, as JSON values."""
    rows: RowsHandle | None = None
    content: Name | None = None
    """Digest of the fields and of the files of the sampled splits, whatever was sampled of them; None if the source
    does not know it, and in results of earlier versions."""
    about: Text | None = added(None)
    """What the card says of this config in a section of its own."""
    facts: tuple[FieldFacts, ...] = added(())
    """One for each of `every_field`, in its order; none in results of earlier versions."""

    @property
    def field_names(self) -> tuple[str, ...]:
        return tuple(field.name for field in self.fields)

    @cached_property
    def every_field(self) -> dict[str, FieldSpec]:
        """The fields, each struct followed by its members."""
        return with_members(self.fields)

    def fact(self, name: str) -> FieldFacts:
        """What the rows tell of a field; facts that say nothing where they were not worked out."""
        return self._facts.get(name, FieldFacts(name=name))

    @cached_property
    def _facts(self) -> dict[str, FieldFacts]:
        return {facts.name: facts for facts in self.facts}


def with_members(fields: Sequence[FieldSpec]) -> dict[str, FieldSpec]:
    """The fields by name, each struct followed by its members under dotted names, as `datasets.Dataset.flatten` has
    them. A column that bears a dotted name itself stands for that name."""
    columns = {field.name: field for field in fields}
    return {name: columns.get(name, field) for each in fields for name, field in _member_names(each)}


def _member_names(field: FieldSpec) -> Iterator[tuple[str, FieldSpec]]:
    yield field.name, field
    for member in field.children if field.kind is FieldKind.STRUCT else ():
        yield from _member_names(member.model_copy(update={"name": f"{field.name}.{member.name}"}))
