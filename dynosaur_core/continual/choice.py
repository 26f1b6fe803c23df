"""What `dynosaur replay`, `split` and `subset` are asked for: the fields are the options of the commands and of the
flow's form."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class _Choice(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)


class ReplayChoice(_Choice):
    """One mixture."""

    stage: str = "new"
    """The new stage: `new` is what the last version of the release added; or versions of it such as `3`, `2-4` or `5-`,
    of another one as `URL@2-4`."""
    earlier: str = "earlier"
    """What is replayed from: `earlier` are all versions before those of the new stage; or versions as there."""
    strategy: str = "instr-support"
    """How earlier tasks are chosen: none, random, full, instr-diverse, instr-similar, instr-support, data-diverse,
    inscl or coverage."""
    tasks: int | None = Field(default=None, ge=0)
    """Tasks that are replayed, at most."""
    rows: int | None = Field(default=None, ge=1)
    """Rows of each replayed task, at most; they are drawn."""
    tokens: int | None = Field(default=None, ge=1)
    """Tokens of all replayed rows, at most: four characters count as one."""
    per_source: int | None = Field(default=None, ge=1)
    """Replayed tasks of one dataset, at most."""
    per_license: int | None = Field(default=None, ge=1)
    """Replayed tasks under one licence, at most."""
    age_weight: float = Field(default=1.0, gt=0)
    """What a task of one stage counts for each stage that came after it: 0.5 halves it, 2 doubles it. For `coverage`
    and `random`."""
    seed: int = 0
    """Draws tasks and rows."""
    out: str | None = None
    """Folder or URL of the mixture; by default `mixtures/<version>-<strategy>` in the release."""


class SplitChoice(_Choice):
    """One synthetic split."""

    records: str = "1-"
    """What is split: versions of the release such as `1-` or `2-4`, of another one as `URL@2-4`; a release; a folder
    with data/*.parquet; or a parquet or JSON lines file of records or tasks."""
    stages: int = Field(default=3, ge=1, le=1_000)
    """Stages, of nearly as many tasks each."""
    held_out: int = Field(default=10, ge=0)
    """Rows of each task that are held out, at most; one row at least is trained on."""
    rows: int | None = Field(default=None, ge=1)
    """Rows of each task, at most; they are drawn."""
    test: str | None = None
    """Suite whose tasks nothing may overlap with: whatever `dynosaur evaluate` takes."""
    seed: int = 0
    """Draws stages and rows."""
    out: str = Field(min_length=1)
    """Folder or URL of the split."""


class SubsetChoice(_Choice):
    """Tasks for an evaluation suite."""

    records: str = "1-"
    """What is chosen from: versions of the release such as `1-` or `2-4`, of another one as `URL@2-4`; a release; a
    folder with data/*.parquet; or a parquet or JSON lines file of records or tasks."""
    suite: str = Field(min_length=1)
    """Suite that tasks are chosen for, and may not overlap with: whatever `dynosaur evaluate` takes."""
    tasks: int = Field(default=681, ge=1)
    """Tasks, at most."""
    rows: int = Field(default=100, ge=1)
    """Rows of each task, at most; they are drawn."""
    seed: int = 0
    """Draws rows."""
    out: str = Field(min_length=1)
    """Folder or URL of the subset."""
