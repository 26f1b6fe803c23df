"""What `dynosaur replay` is asked for: the fields are the options of the command and of the flow's form."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class ReplayChoice(BaseModel):
    """One mixture."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)

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
