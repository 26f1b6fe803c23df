"""What a flow run or a command can set for one growth; everything else is in the environment or dynosaur.toml."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator
from pydantic_core import ErrorDetails

from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.setting_names import did_you_mean, setting_names
from dynosaur_core.settings import Settings


class Options(BaseModel):
    """None keeps the setting. Holds no secrets: it is stored with the flow run and shown in the UI."""

    model_config = ConfigDict(extra="forbid")

    catalog: str | None = None
    catalog_name: str | None = None
    store: str | None = None
    release: list[str] | None = None
    max_cost_usd: float | None = None
    recipe: str | None = None
    model: str | None = None
    batch: bool | None = None
    since: datetime | None = None
    search: str | None = None
    author: str | None = None
    tags: list[str] | None = None
    adopt: bool = False
    """For this once, no setting: store, ledger and release belong together although nothing says so."""
    withdraw_many: bool = False
    """For this once, no setting: so many datasets are to be withdrawn."""

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Options:
        """From the arguments of a flow or a command, those that bear names of options; an empty list is none."""
        return cls(**{name: given[name] for name in cls.model_fields if given.get(name) not in (None, [])})

    @field_validator("since")
    @classmethod
    def _utc(cls, moment: datetime | None) -> datetime | None:
        return moment.replace(tzinfo=UTC) if moment and moment.tzinfo is None else moment

    def settings(self) -> Settings:
        """The settings with these on top; raises BadSetting with the names of what is wrong."""
        nested = {"llm": {"batch"}, "hub": {"since", "search", "author", "tags"}}
        given = self.model_dump(exclude={"recipe", "adopt", "withdraw_many"}.union(*nested.values()), exclude_none=True)
        try:
            settings = Settings(**given)
            for section, names in nested.items():
                update = self.model_dump(include=names, exclude_none=True)
                if update:
                    whole = getattr(settings, section).model_dump() | update
                    settings = settings.model_copy(update={section: type(getattr(settings, section))(**whole)})
            return _with_recipe(settings, self.recipe) if self.recipe else settings
        except ValidationError as error:
            raise bad_setting(error) from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
            raise DynosaurError(Code.BAD_SETTING, f"dynosaur.toml cannot be read: {error}") from error


def bad_setting(error: ValidationError) -> DynosaurError:
    """One sentence per wrong setting; values are left out, since one may be a secret in the wrong place."""
    lines = [f"{'.'.join(map(str, item['loc']))}: {_said(error, item)}" for item in error.errors(include_url=False)]
    return DynosaurError(Code.BAD_SETTING, "; ".join(lines))


def _said(error: ValidationError, item: ErrorDetails) -> str:
    if item["type"] != "extra_forbidden" or error.title != Settings.__name__:
        return item["msg"]
    return "there is no such setting" + did_you_mean(".".join(map(str, item["loc"])), setting_names(Settings))


def _with_recipe(settings: Settings, recipe: str) -> Settings:
    """The `reference` recipe goes through all stages that it concerns: first rows, its filter, its rendering."""
    dumped: dict[str, Any] = settings.model_dump()
    dumped["filtering"]["recipe"] = dumped["publishing"]["recipe"] = recipe
    dumped["sampling"]["first_rows"] = recipe == "reference"
    return Settings(**dumped)
