"""Tables of sentences about a closed list: groups with a title, each with one sentence for some of the list's names."""

from __future__ import annotations

import tomllib
from pathlib import Path

from pydantic import BaseModel, ConfigDict


class Group(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str
    about: str = ""
    entries: dict[str, str]


def read_groups(name: str) -> tuple[Group, ...]:
    """The groups of `NAME.toml` beside this module, in its order."""
    found = tomllib.loads((Path(__file__).parent / f"{name}.toml").read_text(encoding="utf-8"))
    return tuple(Group.model_validate(group) for group in found["group"])
