"""The base of all nouns, and what several stages say: what was turned away."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict

from dynosaur_core.text import Id, Line, Name, Text


class Frozen(BaseModel):
    """Base of all nouns: immutable, and unknown keys are an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


Level = Literal["dataset", "subset", "split", "field", "task", "row"]


class Mode(StrEnum):
    """Who designed a task."""

    DESCRIPTION_AWARE = "description_aware"
    DESCRIPTION_UNAWARE = "description_unaware"
    RULES = "rules"


class Rejection(Frozen):
    """What was turned away, where, and why. Rows of one task and reason share one rejection."""

    repo_id: Id
    level: Level
    stage: Name
    reason: Name
    """A value of `errors.Reason`."""
    detail: Line = ""
    config: Name | None = None
    instruction: Text | None = None
    """For tasks and rows: the instruction of the design."""
    mode: Mode | None = None
    count: int = 1
    """How many datasets, subsets, tasks or rows this stands for."""
