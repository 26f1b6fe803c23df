"""What `dynosaur explain` prints. A key that does not apply to a dataset is left out."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from dynosaur_core.models import Level, ListOutput, Mode, Usage
from dynosaur_core.results import Asked, Result, Seconds


class ReleasedTask(Result):
    config: str
    instruction: str
    records: int


class ConfigFacts(Result):
    """One config as it was read."""

    splits: list[str]
    fields: dict[str, str]
    """Type by name; of a label the names of its classes too, 20 at most."""
    rows_sampled: int


class LeftOut(Result):
    """A part of the dataset that was refused while it was read."""

    level: Level
    config: str | None
    reason: str
    detail: str
    count: int


class Source(Result):
    """What was read of the dataset."""

    title: str
    website: str
    licenses: list[dict[str, Any]]
    languages: list[str]
    summary: str | None
    task_categories: list[str]
    task_ids: list[str]
    configs: dict[str, ConfigFacts]
    refused: list[LeftOut]


class Design(Result):
    """A task that was proposed, or an answer without one, and its verdict."""

    config: str
    mode: Mode
    request: str
    """Digest of the request that it answers."""
    instruction: str = ""
    input_fields: tuple[str, ...] = ()
    output_fields: tuple[str, ...] = ()
    list_output: ListOutput | None = None
    label_words: tuple[tuple[str, str], ...] = ()
    """Labels with the words that stand for them, as the designer gave them."""
    labels: tuple[str, ...] = ()
    verdict: str
    """`accepted`, a reason, or `not judged`."""
    detail: str = ""
    """Why; of an accepted task what the judge said."""
    judged_by: str = ""
    """The model that found nothing wrong with it."""
    mended: str = ""
    """The task that is released in its place, where the judge has mended it."""
    rows_sampled: int = 0
    rows_recorded: int = 0


class Example(Result):
    """A record as it is released."""

    config: str
    instruction: str
    input: str
    output: str


class RowsRejected(Result):
    """Rows of one task that were turned away for one reason."""

    instruction: str | None
    reason: str
    detail: str
    count: int


class Explanation(Result):
    dataset: str
    revision: str
    outcome: str
    growth_id: str | None
    license: str | None
    records: int
    stage: str | None = None
    code: str = ""
    """The error code or reason that it ended with."""
    meaning: str = ""
    message: str = ""
    what_to_do: str = ""
    attempts: int = 0
    next_try: datetime | None = None
    quarantined: bool = False
    released_tasks: tuple[ReleasedTask, ...] = ()
    seconds: Seconds = Seconds()
    """Of its last branch."""
    source: Source | None = None
    designs: tuple[Design, ...] = ()
    rows_rejected: tuple[RowsRejected, ...] = ()
    requests: tuple[Asked, ...] = ()
    """Where they were wanted."""
    usage: Usage = Usage()
    """What the last branch has spent on the model."""
    examples: tuple[Example, ...] = ()
    """Two released records, of two tasks where there are two."""
