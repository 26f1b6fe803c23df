"""What the stages expect of the clients that are handed to them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from dynosaur_core.errors import DynosaurError
from dynosaur_core.models import DatasetRef, Split
from dynosaur_core.settings import Sampling

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Features


@dataclass(frozen=True)
class SourceSubset:
    """A config as its source has it."""

    config: str
    splits: tuple[Split, ...]
    features: Features | None = None
    """The declared features, or those that all files have in common; None if only the rows show them."""
    left_out: Mapping[str, str] = field(default_factory=dict)
    """Columns of the files that are not among the features because they have no plain form, and why."""
    content: Mapping[str, str] = field(default_factory=dict)
    """By split: a digest of its files and of how they are read; splits of which the source does not know it are left
    out."""
    problem: DynosaurError | None = None
    """Why the config cannot be read, although others may be; it has no splits then."""

    def sampled(self, sampling: Sampling) -> tuple[Split, ...]:
        """The splits that are sampled: for training and validation, test splits where they are asked for, and a split
        of an unknown use where it is the only one."""
        wanted = {"train", "validation"}
        if sampling.include_test:
            wanted.add("test")
        if len(self.splits) == 1:
            wanted.add("unknown")
        return tuple(split for split in self.splits if split.role in wanted)


class Source(Protocol):
    """One dataset at one revision, opened for reading. All methods raise DynosaurError."""

    def card(self) -> str:
        """Text of README.md with its YAML header; "" where there is none."""

    def subsets(self) -> Sequence[SourceSubset]:
        """All configs, in the source's order."""

    def sample(self, subset: SourceSubset, split: Split, sampling: Sampling) -> pa.Table:
        """At most `sampling.rows_per_split` rows, spread over the split by `sampling.seed`, or its first rows when
        `sampling.first_rows`; in row order. Columns as the files have them, without media and binary ones, then
        ROW_COLUMN: int64, the row's position in its split. The schema carries the features where known, and marks what
        was read from text; `reading.together` makes one table of all splits.
        """


@dataclass
class Cursor:
    """How far a listing has come; the listing keeps it up to date, also when it breaks off."""

    since: datetime | None = None
    """Datasets that were modified earlier need not be listed; a catalogue that is cheap to list may list them too."""
    url: str | None = None
    """The page that is read next, or again; a later listing can begin with it. None before the first."""
    finished: bool = False
    whole: bool = False
    """Set at the end of a listing that showed every dataset: a dataset that it did not show is gone."""
    pages: int = 0
    malformed: int = 0
    """How many entries could not be read."""
    example: str = ""
    """What the first of these was, as Python writes it, cut."""

    def skip(self, entry: object) -> None:
        """Counts an entry that cannot be read."""
        self.malformed += 1
        self.example = self.example or f"{entry!r:.200}"


class Catalog(Protocol):
    """Where source datasets are listed and read."""

    name: str
    """Its name in the ledger; `Clients.name_catalog` sets the name of a catalogue that has a place."""
    place: str | None
    """Resolved path or URL of a folder or export; two of them may have the same name. None for the Hub."""
    scope: str
    """Names the part of the catalogue that `list` goes through; "" for all of it."""

    def list(self, cursor: Cursor | None = None) -> Iterator[DatasetRef]:
        """Yields every dataset once, in the catalogue's own order."""

    def ref(self, repo_id: str) -> DatasetRef:
        """Returns one dataset as it is now. Raises NotFound."""

    def open(self, ref: DatasetRef) -> Source:
        """Opens the dataset at `ref.revision`. Nothing is read before it is asked for."""
