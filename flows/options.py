"""What a flow run or a command can set for one growth; everything else is in the environment or dynosaur.toml."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_core import ErrorDetails

from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.setting_names import did_you_mean, setting_names
from dynosaur_core.setting_reference import meaning
from dynosaur_core.setting_sections import Recipe
from dynosaur_core.settings import Settings

MAX_COST_USD = 100_000
"""What a form or command takes at most: more is a slip of the hand, and a setting where it is none."""


def _sets(setting: str, ge: float | None = None, le: float | None = None) -> Any:
    """An option that goes before a setting and means what that means; None keeps the setting."""
    return Field(default=None, description=meaning(setting), json_schema_extra={"setting": setting}, ge=ge, le=le)


class Options(BaseModel):
    """What one growth does otherwise than the settings say; a field without a value keeps the setting.

    Secrets do not belong here: it is stored with the flow run and shown in the UI.
    """

    # all of this is shown by Prefect's form, and the descriptions of the fields by the command's help too

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    catalog: str | None = _sets("catalog")
    catalog_name: str | None = _sets("catalog_name")
    store: str | None = _sets("store")
    release: list[str] | None = _sets("release")
    limit: int | None = Field(default=None, ge=1)
    """At most so many datasets are grown; the rest waits for the next growth."""
    max_cost_usd: float | None = _sets("max_cost_usd", ge=0, le=MAX_COST_USD)
    recipe: Recipe | None = None
    """In all stages the rules of this project, or those of 2023 for comparison."""
    model: str | None = _sets("model")
    batch: bool | None = _sets("llm.batch")
    since: datetime | None = _sets("hub.since")
    search: str | None = _sets("hub.search")
    author: str | None = _sets("hub.author")
    tags: list[str] | None = _sets("hub.tags")
    adopt: bool = False
    """For this once, no setting: store, ledger and release belong together although nothing says so."""
    withdraw_many: bool = False
    """For this once, no setting: more datasets are to be withdrawn than may by mistake."""

    @field_validator("since")
    @classmethod
    def _utc(cls, moment: datetime | None) -> datetime | None:
        return moment.replace(tzinfo=UTC) if moment and moment.tzinfo is None else moment

    def overrides(self) -> dict[str, Any]:
        """The settings that these go before, section by section; an empty list is none."""
        found: dict[str, Any] = {}
        for name, value in self:
            extra = type(self).model_fields[name].json_schema_extra
            if isinstance(extra, dict) and value not in (None, []):
                *sections, last = str(extra["setting"]).split(".")
                place = found
                for section in sections:
                    place = place.setdefault(section, {})
                place[last] = value
        if self.recipe:  # of 2023 are first rows, too
            found |= {"filtering": {"recipe": self.recipe}, "sampling": {"first_rows": self.recipe == "reference"}}
        return found

    def given(self) -> dict[str, Any]:
        """What is set, as JSON values: the form of another run takes it."""
        return self.model_dump(mode="json", exclude_defaults=True, exclude={"adopt", "withdraw_many", "limit"})

    def settings(self) -> Settings:
        """The settings with these on top; raises BadSetting with the names of what is wrong."""
        try:
            return Settings(**self.overrides())
        except ValidationError as error:
            raise bad_setting(error) from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
            raise DynosaurError(Code.BAD_SETTING, f"dynosaur.toml cannot be read: {error}") from error


T = TypeVar("T", bound=BaseModel)


def checked(model: type[T], values: Mapping[str, Any]) -> T:
    """The model of these values; raises BadSetting with the names of what is wrong."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise bad_setting(error) from error


def bad_setting(error: ValidationError) -> DynosaurError:
    """One sentence per wrong setting; values are left out, since one may be a secret in the wrong place."""
    lines = [_sentence(error, item) for item in error.errors(include_url=False)]
    return DynosaurError(Code.BAD_SETTING, "; ".join(lines))


def _sentence(error: ValidationError, item: ErrorDetails) -> str:
    name, said = ".".join(map(str, item["loc"])), item["msg"].removeprefix("Value error, ")
    if item["type"] == "extra_forbidden" and error.title == Settings.__name__:
        said = "there is no such setting" + did_you_mean(name, setting_names(Settings))
    return f"{name}: {said}" if name else said
