"""Which datasets a backfill takes."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, WithJsonSchema

from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.models import STAGES, Stage
from dynosaur_core.policy.licenses import accepted_ids
from dynosaur_core.reasons import Reason
from dynosaur_core.setting_names import did_you_mean

ENDS = (*Code, *Reason)
"""What a dataset may have ended with."""


def _ended(name: str) -> str:
    if name not in ENDS:
        raise ValueError(f"no dataset ends with it{did_you_mean(name, ENDS)}")
    return name


Ended = Annotated[str, AfterValidator(_ended), WithJsonSchema({"type": "string", "enum": [*ENDS]})]
License = Annotated[str, WithJsonSchema({"type": "string", "enum": [*accepted_ids()]})]
"""The form offers those of the policy table; the command takes also what `policy.allow_licenses` adds."""


_NONE: dict[str, Any] = {
    **{name: {"maxItems": 0} for name in ("datasets", "errors", "licenses")},
    **{name: {"type": "null"} for name in ("modified_since", "modified_until")},
}
_SOMETHING: dict[str, Any] = {
    "if": {"properties": _NONE},
    "then": {"properties": {"datasets": {"minItems": 1}}, "required": ["datasets"]},
}
"""Prefect refuses a run where nothing is chosen before it exists; the form says so at the first field."""


class Choice(BaseModel):
    """Which datasets, and how much of their branches; several conditions narrow each other."""

    # all of this is shown by Prefect's form, and the descriptions of the fields by the command's help too

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, json_schema_extra=_SOMETHING)

    datasets: list[str] = []
    """Ids, or patterns such as 'nyu-mll/*'."""
    modified_since: datetime | None = None
    """Last modified at or after this moment, such as 2026-01-31."""
    modified_until: datetime | None = None
    """Last modified before this moment."""
    errors: list[Ended] = []
    """Error codes or reasons that they ended with."""
    licenses: list[License] = []
    """Licences that their records carry."""
    from_stage: Stage | None = None
    """Run again from this stage on."""
    force: bool = False
    """Run again from the first stage on although nothing changed; with a first stage of metadata, instruction or judge,
    ask the models anew from there on."""

    def check(self) -> None:
        """Raises BadSetting where nothing is chosen."""
        if not self._conditions():
            message = (
                "choose datasets: by id, pattern, date, error code or licence (`dynosaur failed` names what fails)"
            )
            raise DynosaurError(Code.BAD_SETTING, message)

    def _conditions(self) -> dict[str, Any]:
        """Those that say which datasets, as JSON values."""
        given = self.model_dump(mode="json", exclude={"from_stage", "force"})
        return {name: value for name, value in given.items() if value}

    def given(self) -> dict[str, Any]:
        """What is set, as JSON values: the form of another run takes it."""
        return self.model_dump(mode="json", exclude_defaults=True)

    def sentence(self) -> str:
        """What is chosen, in a few words: the name of a run. `nothing` where nothing is."""
        parts = [", ".join(chosen) for chosen in (self.errors, self.datasets, self.licenses) if chosen]
        if self.modified_since:
            parts.append(f"since {self.modified_since:%Y-%m-%d}")
        if self.modified_until:
            parts.append(f"until {self.modified_until:%Y-%m-%d}")
        if self.from_stage:
            parts.append(f"from {self.from_stage}")
        return "; ".join([*parts, *(["forced"] if self.force else [])]) or "nothing"

    def arguments(self) -> list[str]:
        """The same as words of the command."""
        words = [*self.datasets]
        for flag, values in (("--error", self.errors), ("--license", self.licenses)):
            words += [word for value in values for word in (flag, value)]
        for flag, moment in (("--since", self.modified_since), ("--until", self.modified_until)):
            words += [flag, moment.isoformat()] if moment else []
        words += ["--from-stage", self.from_stage] if self.from_stage else []
        return [*words, *(["--force"] if self.force else [])]

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The stages that run again whatever is kept of them; after a failure also those that have no result yet."""
        return STAGES[STAGES.index(self.fresh_from) :] if self.fresh_from else STAGES

    @property
    def fresh_from(self) -> Stage | None:
        return self.from_stage or ("metadata" if self.force else None)

    @property
    def anew_from(self) -> Stage | None:
        """The stage from which on stored answers are set aside: `force` together with a first stage that asks a model,
        or leads to the designers."""
        return self.from_stage if self.force and self.from_stage in ("metadata", "instruction", "judge") else None
