"""Which datasets a backfill takes."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, WithJsonSchema

from dynosaur_core.errors import Code
from dynosaur_core.models import Stage
from dynosaur_core.reasons import Reason
from dynosaur_core.setting_names import did_you_mean

ENDS = (*Code, *Reason)
"""What a dataset may have ended with."""


def _ended(name: str) -> str:
    if name not in ENDS:
        raise ValueError(f"no dataset ends with it{did_you_mean(name, ENDS)}")
    return name


Ended = Annotated[str, AfterValidator(_ended), WithJsonSchema({"type": "string", "enum": [*ENDS]})]


class Choice(BaseModel):
    """Which datasets, and how much of their branches; several conditions narrow each other."""

    # all of this is shown by Prefect's form, and the descriptions of the fields by the command's help too

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    datasets: list[str] = []
    """Ids, or patterns such as 'nyu-mll/*'."""
    modified_since: datetime | None = None
    """Last modified at or after this moment, such as 2026-01-31."""
    modified_until: datetime | None = None
    """Last modified before this moment."""
    errors: list[Ended] = []
    """Error codes or reasons that they ended with."""
    licenses: list[str] = []
    """Licences that their records carry."""
    from_stage: Stage | None = None
    """Run again from this stage on."""
    force: bool = False
    """Run again from the first stage on although nothing changed; with a first stage of metadata, instruction or judge,
    ask the models anew from there on."""

    @property
    def fresh_from(self) -> Stage | None:
        return self.from_stage or ("metadata" if self.force else None)

    @property
    def anew_from(self) -> Stage | None:
        """The stage from which on stored answers are set aside: `force` together with a first stage that asks a model,
        or leads to the designers."""
        return self.from_stage if self.force and self.from_stage in ("metadata", "instruction", "judge") else None
