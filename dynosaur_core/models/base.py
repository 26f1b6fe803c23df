"""The bases of all nouns, and the rejections that several stages return."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, ClassVar, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

from dynosaur_core.text import Id, Line, Name, Text


class Frozen(BaseModel):
    """Base of what is made and never stored: immutable, and unknown keys are an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Stored(BaseModel):
    """Base of what is kept and read back, perhaps years later: immutable, and keys of later versions are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    FORMAT: ClassVar[int] = 1
    """Of a file of the store: raised when a version that does not know the change would read the file wrongly. The file
    names it as `format` from 2 on; what has a higher one than this is refused."""


def added(default: Any) -> Any:
    """A field that a later version adds to a stored noun.

    It is left out of what is written as long as it has its default: digests and files of before stay as they are.
    """
    return Field(default=default, exclude_if=lambda value: value == default)


Stage = Literal["metadata", "instruction", "filter", "judge", "publish"]
"""A step of a dataset's branch."""
STAGES: tuple[Stage, ...] = get_args(Stage)
"""All of them, in their order."""
StageOrSurvey = Literal["survey"] | Stage
"""Where a dataset is refused or fails: before its branch begins, or in one of its steps."""
Level = Literal["dataset", "subset", "split", "field", "task", "row"]


class Mode(StrEnum):
    """Who designed a task."""

    DESCRIPTION_AWARE = "description_aware"
    DESCRIPTION_UNAWARE = "description_unaware"
    RULES = "rules"


class ListOutput(StrEnum):
    """How a list is an output."""

    REFERENCES = "references"
    """Each item is an answer by itself."""
    ALL = "all"
    """All items together are the answer."""
    SEQUENCE = "sequence"
    """There is one item for each item of an input: a tag for a token, a label for a message."""


class Rejection(Stored):
    """What was refused or rejected, where, and why. Rows of one task and reason share one rejection."""

    repo_id: Id
    level: Level
    stage: StageOrSurvey
    reason: Name
    """A value of `reasons.Reason`."""
    detail: Line = ""
    config: Name | None = None
    instruction: Text | None = None
    """For tasks and rows: the instruction of the design."""
    mode: Mode | None = None
    count: int = 1
    """How many datasets, subsets, tasks or rows this stands for."""
