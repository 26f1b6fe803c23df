"""The page of all settings, from their docstrings: the same that `dynosaur settings` prints."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import groupby

from docs.generator.tables import table
from dynosaur_core.setting_names import section_of
from dynosaur_core.setting_reference import Setting, reference
from dynosaur_core.settings import Settings

_INTRO = """# Settings

A setting comes from the first of these places that has it:

1. an option of the command, or a field of the form in the Prefect UI, for this run;
2. an environment variable, which is the name in capitals with `DYNOSAUR_` before it and `__` for a dot: `llm.timeout_s` is
   `DYNOSAUR_LLM__TIMEOUT_S`. A list is written `a,b`;
3. `dynosaur.toml` in the folder where the command or the worker runs: a section is a table, such as `[llm]`;
4. the default.

`dynosaur settings` prints every setting with its value and where that comes from; `dynosaur settings WORD` finds one. A name that does
not exist is refused, with the name that was probably meant. Secrets are not settings: `HF_TOKEN`, `OPENAI_API_KEY` and `AWS_*` are read
from the environment alone.
"""


def page() -> str:
    found = reference(Settings.model_construct(), {})
    parts = [_INTRO]
    for section, those in groupby(found, lambda each: each.name.rpartition(".")[0]):
        parts.append(f"## {section or 'General'}\n\n{_about(section)}\n\n{_table(those)}\n")
    return "\n".join(parts)


def _about(section: str) -> str:
    held = section_of(Settings.model_fields[section]) if section else None
    return " ".join((held.__doc__ or "").split()) if held else "Where things are, and how much a growth may do."


def _table(those: Iterable[Setting]) -> str:
    return table(("setting", "default", "meaning"), [(f"`{each.name}`", _default(each), each.meaning) for each in those])


def _default(setting: Setting) -> str:
    """The default as TOML writes it; what a machine decides is said by the meaning."""
    if _depends_on_machine(setting.name):
        return "depends on the machine"
    return "none" if setting.default is None else f"`{json.dumps(setting.default, ensure_ascii=False)}`"


def _depends_on_machine(name: str) -> bool:
    section, _, last = name.rpartition(".")
    model = section_of(Settings.model_fields[section]) if section else Settings
    return model is not None and model.model_fields[last].default_factory is not None
