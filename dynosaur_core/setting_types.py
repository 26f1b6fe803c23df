"""What the fields of the settings are made of: their types, and what all sections have in common."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field


def said(value: str) -> str:
    # no constraint of pydantic's: those refuse a path whose bytes are no UTF-8
    if not value.strip():
        raise ValueError("it is empty")
    return value


def parts(value: Any) -> Any:
    if isinstance(value, str) and re.match(r'\s*\[\s*"', value):
        raise ValueError('a JSON list that does not end; write a,b or ["a", "b"]')
    return [word.strip() for word in value.split(",") if word.strip()] if isinstance(value, str) else value


Strings = Annotated[tuple[str, ...], BeforeValidator(parts)]
"""A list; in a variable it is written `a,b` or as a JSON list."""


Seconds = Annotated[float, Field(gt=0, le=10**7)]
Wait = Annotated[float, Field(ge=0, le=10**7)]
"""Seconds, or none."""
Text = Annotated[str, AfterValidator(said)]
Some = Annotated[int, Field(ge=1)]
Count = Annotated[int, Field(ge=0)]
Money = Annotated[float, Field(ge=0)]
"""US dollars."""


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)
