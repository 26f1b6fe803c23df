"""What the sampled rows tell of one field: read by prompts, filter, judge and `explain` alike."""

from __future__ import annotations

from enum import StrEnum

from dynosaur_core.models.base import Stored
from dynosaur_core.text import Name


class Shape(StrEnum):
    """What nearly all texts of a field look like."""

    URL = "url"
    PATH = "path"
    HASH = "hash"
    ID = "id"
    """A counter, or one token with digits; no two rows have the same."""
    DATE = "date"
    TIME = "time"
    """A moment: a date with the time of day, or seconds since 1970."""
    CODE = "code"
    NUMBER = "number"


class Span(Stored):
    """Least, median and greatest of a field's lengths or numbers."""

    least: float
    median: float
    most: float


class FieldFacts(Stored):
    """One field, top-level or dotted, over the sampled rows of its subset. Every share is of all rows."""

    name: Name
    """As `Subset.every_field` has it: `answers.text` is the member `text` of the struct `answers`."""
    empty: float = 0.0
    """Share of the rows that hold null, blank text or an empty list."""
    distinct: int = 0
    """Different values, not counting null."""
    values: tuple[Name, ...] = ()
    """All values of a closed set, whatever its type: in a label's own order, else sorted; for a list those of its
    items. A single one is a constant. Empty where the set is open."""
    words: Span | None = None
    """Words of a text, or of a list's items together."""
    numbers: Span | None = None
    shape: Shape | None = None
    items: Span | None = None
    """Items of a list."""
    along: Name | None = None
    """An earlier list that has as many items in every row."""
    same_as: Name | None = None
    """An earlier field that holds the same values, or the same classes in another encoding."""
    determined_by: tuple[Name, ...] = ()
    """Fields of a closed set each of which alone decides the value."""

    @property
    def constant(self) -> bool:
        return self.distinct == 1 and not self.empty
