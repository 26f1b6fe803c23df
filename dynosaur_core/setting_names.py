"""The names of settings: which there are, and which one a person meant."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from dynosaur_core.errors import Code, DynosaurError

PREFIX = "DYNOSAUR_"
_OTHERS = {"DYNOSAUR_CORPUS"}
"""Variables of ours that are no settings: the tests' folder of real datasets."""
_INJECTED = re.compile(r"DYNOSAUR_(\w+_)?(SERVICE_HOST|SERVICE_PORT\w*|PORT|PORT_\d+_(TCP|UDP)\w*)")
"""What Kubernetes and Docker set for a service whose name begins with `dynosaur`."""


def setting_names(model: type[BaseModel], prefix: str = "") -> list[str]:
    """All settings with dots: `store`, `llm`, `llm.timeout_s`."""
    names: list[str] = []
    for name, field in model.model_fields.items():
        names.append(f"{prefix}{name}")
        if section := section_of(field):
            names += setting_names(section, f"{prefix}{name}.")
    return names


def section_of(field: FieldInfo) -> type[BaseModel] | None:
    """The section that a field holds, or None for a setting."""
    held = field.annotation
    return held if isinstance(held, type) and issubclass(held, BaseModel) else None


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """`; did you mean x?`, or nothing where no name is like it. Whether it has dots or underscores is the same."""
    plain = {_plain(known): known for known in names}
    found = difflib.get_close_matches(_plain(name), plain, n=1, cutoff=0.6)
    return f"; did you mean {plain[found[0]]}?" if found else ""


def _plain(name: str) -> str:
    return re.sub(r"[_.]+", "_", name.upper().removeprefix(PREFIX))


def check_variables(model: type[BaseModel], environment: Mapping[str, str]) -> None:
    """Raises BadSetting where a variable with our prefix is no setting. What is wrong in a section, its model says."""
    names = {variable(name): name for name in setting_names(model)}
    sections = tuple({f"{variable(name.split('.')[0])}__" for name in names.values() if "." in name})
    wrong = [
        f"{name} is no setting{did_you_mean(name, names)}"
        for name in sorted(environment)
        if name.upper().startswith(PREFIX)
        and name.upper() not in names.keys() | _OTHERS
        and not name.upper().startswith(sections)
        and not _INJECTED.fullmatch(name.upper())
    ]
    if wrong:
        raise DynosaurError(Code.BAD_SETTING, "; ".join(wrong))


def variable(name: str) -> str:
    """The variable of a setting: `llm.timeout_s` is `DYNOSAUR_LLM__TIMEOUT_S`."""
    return PREFIX + name.replace(".", "__").upper()
