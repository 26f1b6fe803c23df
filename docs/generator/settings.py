"""All settings, from their docstrings: the same that `dynosaur settings` prints."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import groupby

from docs.generator.tables import table
from dynosaur_core.setting_names import section_of
from dynosaur_core.setting_reference import Setting, reference
from dynosaur_core.settings import Settings


def made() -> str:
    """A table for each section."""
    found = reference(Settings.model_construct(), {})
    parts = []
    for section, those in groupby(found, lambda each: each.name.rpartition(".")[0]):
        parts.append(f"## {section or 'General'}\n\n{_about(section)}\n\n{_table(those)}\n")
    return "\n".join(parts)


def _about(section: str) -> str:
    held = section_of(Settings.model_fields[section]) if section else None
    return " ".join((held.__doc__ or "").split()) if held else "Where things are, and how much a growth may do."


def _table(those: Iterable[Setting]) -> str:
    return table(
        ("setting", "default", "meaning"), [(f"`{each.name}`", _default(each), each.meaning) for each in those]
    )


def _default(setting: Setting) -> str:
    """The default as TOML writes it; what a machine decides is said by the meaning."""
    if _depends_on_machine(setting.name):
        return "depends on the machine"
    return "none" if setting.default is None else f"`{json.dumps(setting.default, ensure_ascii=False)}`"


def _depends_on_machine(name: str) -> bool:
    section, _, last = name.rpartition(".")
    model = section_of(Settings.model_fields[section]) if section else Settings
    return model is not None and model.model_fields[last].default_factory is not None
