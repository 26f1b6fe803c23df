"""What the judge returns."""

from __future__ import annotations

from dynosaur_core.models.base import Stored
from dynosaur_core.models.filter import FilterResult
from dynosaur_core.models.instruction import TaskDesign
from dynosaur_core.text import Line, Name, Text


class Verdict(Stored):
    """What a model says of one task."""

    reason: Name | None = None
    """A value of `reasons.Reason`; None where nothing is wrong."""
    said: Line = ""
    """Its grounds."""
    mended: TaskDesign | None = None
    """What would be right in the place of a task that is wrong, where one change makes it right."""
    model: Text = ""
    """As it was asked for."""


class JudgeResult(FilterResult):
    """The filter's result after the judge: what the judge rejected stands among the rejections, where its design stood
    among those of the proposals."""

    requests: tuple[Name, ...] = ()
    """Digests of what the judge was asked."""
