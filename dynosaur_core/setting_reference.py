"""What each setting means, what it is, and where that comes from."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python
from pydantic_settings import TomlConfigSettingsSource

from dynosaur_core.catalogs import CATALOG_FORMS
from dynosaur_core.publish.sinks import SINK_FORMS
from dynosaur_core.results import Result
from dynosaur_core.secrets import STRUCK, strike
from dynosaur_core.setting_names import section_of, setting_names, variable
from dynosaur_core.setting_sections import SHARED
from dynosaur_core.settings import Settings, environment

_FORMS = {"catalog": CATALOG_FORMS, "release": SINK_FORMS}
"""What may stand in the settings that are addresses."""
_HIDDEN = (
    (re.compile(r"(?<=://)([^/?#@:]*):[^?#]*@"), rf"\1:{STRUCK}@"),
    (re.compile(r"^(https?://)[^/?#@:]*@"), rf"\1{STRUCK}@"),
    (re.compile(r"(?<=[?&])([^?=&#]*)=[^&#]*"), rf"\1={STRUCK}"),
)
Origin = Literal["default", "environment", "dynosaur.toml", "option"]


class Setting(Result):
    name: str
    """With dots: `llm.timeout_s`, which is `timeout_s` in the table `[llm]` of dynosaur.toml."""
    variable: str
    value: Any
    source: Origin
    default: Any
    meaning: str


def meaning(name: str) -> str:
    """What a setting means, with the values that it may have where these are a closed set."""
    field = _field(name)
    said = " ".join((field.description or "").split())
    if forms := _FORMS.get(name):
        said = f"{said.rstrip('.')}: {forms}."
    choices = _choices(field.annotation)
    return f"{said} One of: {', '.join(choices)}." if choices else said


def default_of(name: str) -> Any:
    """What a setting is where nobody sets it."""
    return _field(name).get_default(call_default_factory=True)


def reference(settings: Settings, options: Mapping[str, Any], word: str = "") -> list[Setting]:
    """All settings, or those with `word` in name, variable or meaning. `options` are the nested values that a command
    has set."""
    sources: list[tuple[Origin, Mapping[str, Any]]] = [
        ("option", options),
        ("environment", environment()),
        ("dynosaur.toml", TomlConfigSettingsSource(Settings)()),
    ]
    fields = Settings.model_fields.items()
    values = _values(settings)
    defaults = _values({name: field.get_default(call_default_factory=True) for name, field in fields}.items())
    found = [
        Setting(
            name=name,
            variable=variable(name),
            value=_shown(_at(values, name)),
            source=next((origin for origin, given in sources if _at(given, name) is not None), "default"),
            default=_at(defaults, name),
            meaning=meaning(name),
        )
        for name in _names()
    ]
    low = word.lower()
    return [each for each in found if low in f"{each.name} {each.variable} {each.meaning}".lower()]


def _names() -> Iterable[str]:
    """Whatever can be set: no sections, and nothing that another setting decides."""
    followers = {f"publishing.{name}" for name in SHARED}
    return [name for name in setting_names(Settings) if not section_of(_field(name)) and name not in followers]


def _field(name: str) -> FieldInfo:
    model: type[BaseModel] = Settings
    *sections, last = name.split(".")
    for section in sections:
        held = section_of(model.model_fields[section])
        assert held is not None, name
        model = held
    return model.model_fields[last]


def _values(settings: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """JSON values of all settings, section by section: of those too that are left out of a section's digest."""
    return {
        name: _values(value) if isinstance(value, BaseModel) else to_jsonable_python(value) for name, value in settings
    }


def _shown(value: Any) -> Any:
    """A value without what may be secret in an address: its password, and whatever its query says."""
    if isinstance(value, list):
        return [_shown(each) for each in value]
    if not isinstance(value, str) or "://" not in value:
        return value
    for pattern, instead in _HIDDEN:
        value = pattern.sub(instead, value)
    return strike(value)


def _choices(annotation: Any) -> list[str]:
    if get_origin(annotation) is Literal:
        return [str(value) for value in get_args(annotation)]
    return []


def _at(given: Mapping[str, Any], name: str) -> Any:
    """The value at a dotted name of nested values; None where there is none."""
    value: Any = given
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value
