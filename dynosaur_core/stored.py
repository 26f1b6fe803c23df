"""Reads what this version, an earlier or a later one has stored, or raises what is wrong with it and what to do."""

from __future__ import annotations

import json
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from dynosaur_core.errors import Code, DynosaurError

T = TypeVar("T")


def from_stored(data: bytes, kind: type[T], what: str, remedy: str) -> T:
    """The bytes of a file as a `kind`; `what` names the file for people, `remedy` is what to do where it is damaged.

    Raises StoreFailed where it is no JSON, where it is something else, and where its `format` is of a later version.
    """
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise damaged(what, remedy) from error
    number = value.get("format", 1) if isinstance(value, dict) else 1
    if isinstance(number, int) and number > getattr(kind, "FORMAT", 1):
        message = f"{what} was made by a newer version of Dynosaur: upgrade this one"
        raise DynosaurError(Code.STORE_FAILED, message)
    return as_stored(value, kind, what, remedy)


def as_stored(value: Any, kind: type[T], what: str, remedy: str) -> T:
    """JSON values as a `kind`; raises StoreFailed where they are something else."""
    try:
        return TypeAdapter(kind).validate_python(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "all of it"
        raise damaged(what, remedy, f" or of a newer version ({where}: {first['msg']})") from error


def damaged(what: str, remedy: str, or_else: str = "") -> DynosaurError:
    """The error for a file that is not as it was written: another program or a failing disk changed it."""
    return DynosaurError(Code.STORE_FAILED, f"{what} is damaged{or_else}: {remedy}")
