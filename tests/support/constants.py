"""The thresholds, patterns and word lists of modules: what decides results although no example may show it."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any

from dynosaur_core.digest import canonical_json


def constants(names: Sequence[str]) -> list[str]:
    """The distinct constants of modules and packages as JSON, whatever they are called and wherever they stand."""
    found = (value for name in names for module in _modules(name) for value in _of(module))
    return sorted(set(found))


def _modules(name: str) -> Iterator[Any]:
    module = importlib.import_module(name)
    yield module
    for inner in pkgutil.walk_packages(getattr(module, "__path__", ()), f"{name}."):
        yield importlib.import_module(inner.name)


def _of(module: Any) -> Iterator[str]:
    for name, value in vars(module).items():
        if name.isupper() and not name.endswith("_VERSION"):
            try:
                yield canonical_json(_plain(value))
            except TypeError:
                continue  # functions and types: what they do shows in the results


def _plain(value: Any) -> Any:
    if isinstance(value, re.Pattern):
        return [value.pattern, value.flags]
    if isinstance(value, Mapping):
        return sorted(([_plain(key), _plain(item)] for key, item in value.items()), key=canonical_json)
    if isinstance(value, Set):
        return sorted((_plain(item) for item in value), key=canonical_json)
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
