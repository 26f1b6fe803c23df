"""What the metadata stage returns."""

from __future__ import annotations

from typing import Literal

from dynosaur_core.models.base import Rejection, Stored
from dynosaur_core.models.catalog import DatasetRef, Subset
from dynosaur_core.text import Key, Text


class LicenseEvidence(Stored):
    """One statement about a dataset's licence, and where it stands."""

    license: Key
    """SPDX-like Hub id, lower case (`cc-by-4.0`), or `unknown`."""
    source: Literal["listing", "card_yaml", "card_text", "license_file", "override"]
    text: Text = ""
    """The words that were read, shortened."""


class DatasetMetadata(Stored):
    """All that the prompt and the filter read of one dataset revision."""

    ref: DatasetRef
    title: Text
    """Name for people: the card's pretty_name, else the repo id."""
    website: Text
    """Where a person reads about it; the `website` of its records."""
    licenses: tuple[LicenseEvidence, ...]
    license: Key
    """The licence that its records carry: the most restrictive accepted one."""
    languages: tuple[Text, ...]
    summary: Text | None = None
    supported_tasks: Text | None = None
    task_categories: tuple[Text, ...] = ()
    task_ids: tuple[Text, ...] = ()
    source_datasets: tuple[Text, ...] = ()
    multilinguality: tuple[Text, ...] = ()
    citation: Text | None = None
    """BibTeX, as it stands in the card."""
    subsets: tuple[Subset, ...] = ()
    rejections: tuple[Rejection, ...] = ()
    """Subsets that were refused, and splits, fields and rows that were left out."""
