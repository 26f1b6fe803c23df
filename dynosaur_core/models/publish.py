"""What the publish stage returns."""

from __future__ import annotations

from dynosaur_core.models.base import Frozen, Rejection, Stored
from dynosaur_core.models.filter import InstructionTask
from dynosaur_core.models.metadata import LicenseEvidence
from dynosaur_core.text import Id, Key, Name, Text


class InstructionRecord(Frozen):
    """One line of the released data. The first six are the format of 2023, in its order."""

    instruction: Text
    input: Name
    output: Name
    license: Key
    website: Text
    taskname: Name
    """The repo id, or `repo_id-config` for a dataset of several configs."""
    repo_id: Id
    config: Name
    split: Name
    row: int
    revision: Key
    task_id: Name
    mode: Name
    model: Text
    references: tuple[Text, ...] | None = None
    """All right answers of a row that has several, `output` among them; else None."""


class ShardHandle(Stored):
    """Records of one contribution: parquet in the store, named by content."""

    digest: Name
    records: int
    size_bytes: int


class TaskCount(Stored):
    """Rows in and records out of one task. sampled = recorded + rejected."""

    task: InstructionTask
    sampled: int
    recorded: int


class Contribution(Stored):
    """All that one dataset revision adds to the release."""

    repo_id: Id
    revision: Key
    license: Key
    licenses: tuple[LicenseEvidence, ...]
    website: Text
    title: Text
    languages: tuple[Text, ...]
    citation: Text | None
    tasks: tuple[TaskCount, ...]
    shard: ShardHandle
    rejections: tuple[Rejection, ...] = ()
    """Rows that were rejected while rendering."""
