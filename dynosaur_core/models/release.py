"""What stands in a release beside its records."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from dynosaur_core.models.base import Stored, added
from dynosaur_core.text import Id, Key, Line, Name, Text


class ReleaseFile(Stored):
    """One immutable parquet file of a release and what is in it."""

    path: Name
    digest: Name
    records: int
    size_bytes: int
    contributions: dict[Name, Name]
    """repo id -> contribution digest of the records in the file."""
    since: dict[Name, int] = added({})
    """repo id -> the version that added it, where that is an earlier one than the file's."""


class Removal(Stored):
    """One line of the removal log."""

    repo_id: Id
    revision: Key
    reason: Key
    detail: Line = ""
    when: datetime


class Release(Stored):
    """The manifest: the one file that says which files are the release."""

    format: Literal["dynosaur/1"] = "dynosaur/1"
    version: int = Field(ge=0, le=10**9)
    """Counts up from 1; 0 where nothing is known of what stands at a place."""
    store: Name | None = None
    """Id of the store that the release was made from; None in releases of earlier versions."""
    growth: int | None = None
    """Number of the growth that made it, or of the last before it; one with a smaller number makes no release after."""
    digest: Name
    """Digest of the contributions alone: equal for equal content."""
    created: datetime
    records: int
    tasks: int
    sources: int
    files: tuple[ReleaseFile, ...]
    beside: dict[Name, int] = Field(default={})
    """Bytes of the files beside the data, but for the card, in which people may write."""
    changelog: tuple[Text, ...] = Field(default=())
    """One line per version, newest first."""
