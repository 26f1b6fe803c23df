"""Arguments that several commands share, and how they print for programs."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

import typer
from pydantic import BaseModel

from dynosaur_core.models import Stage
from dynosaur_core.results import Result
from dynosaur_core.secrets import strike
from dynosaur_core.setting_reference import default_of
from dynosaur_core.setting_sections import Recipe
from flows.choice import Choice
from flows.options import Options

_OBEYED = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def help_of(name: str, model: type[BaseModel] = Options) -> str | None:
    """What an option means, as the form of the flows shows it too, and the default of the setting that it sets."""
    field = model.model_fields[name]
    extra = field.json_schema_extra
    default = default_of(str(extra["setting"])) if isinstance(extra, dict) and "setting" in extra else None
    return f"{field.description} [default: {default}]" if default and isinstance(default, str) else field.description


def option_of(model: type[BaseModel], field: str, metavar: str | None = None, *names: str) -> Any:
    """An option that says what its field means, and the field's default; None keeps that."""
    known = model.model_fields[field]
    default = ",".join(map(str, known.default)) if isinstance(known.default, tuple) else known.default
    said = "" if known.is_required() or default in (None, "") else f" [default: {default}]"
    shown = names or (f"--{field.replace('_', '-')}",)
    return typer.Option(*shown, metavar=metavar, help=f"{help_of(field, model)}{said}")


Catalog = Annotated[str | None, typer.Option(metavar="WHERE", help=help_of("catalog"))]
CatalogName = Annotated[str | None, typer.Option(metavar="NAME", help=help_of("catalog_name"))]
StoreUrl = Annotated[str | None, typer.Option("--store", metavar="URL", help=help_of("store"))]
ReleaseUrls = Annotated[list[str] | None, typer.Option("--release", metavar="URL", help=help_of("release"))]
Limit = Annotated[int | None, typer.Option(min=1, metavar="N", help=help_of("limit"))]
MaxCost = Annotated[float | None, typer.Option("--max-cost", min=0, metavar="USD", help=help_of("max_cost_usd"))]
RecipeName = Annotated[Recipe | None, typer.Option("--recipe", help=help_of("recipe"))]
Model = Annotated[str | None, typer.Option(metavar="NAME", help=help_of("model"))]
Batch = Annotated[bool | None, typer.Option("--batch/--no-batch", help=help_of("batch"))]
Since = Annotated[datetime | None, typer.Option(metavar="DATE", help=help_of("since"))]
Search = Annotated[str | None, typer.Option(metavar="WORD", help=help_of("search"))]
Author = Annotated[str | None, typer.Option(metavar="NAME", help=help_of("author"))]
Tags = Annotated[list[str] | None, typer.Option("--tag", metavar="TAG", help=help_of("tags"))]
Adopt = Annotated[bool, typer.Option("--adopt", help=help_of("adopt"))]
WithdrawMany = Annotated[bool, typer.Option("--withdraw-many", help=help_of("withdraw_many"))]
Ids = Annotated[list[str] | None, typer.Argument(metavar="ID", help=help_of("datasets", Choice))]
ModifiedSince = Annotated[str | None, typer.Option("--since", metavar="DATE", help=help_of("modified_since", Choice))]
ModifiedUntil = Annotated[str | None, typer.Option("--until", metavar="DATE", help=help_of("modified_until", Choice))]
EndedWith = Annotated[list[str] | None, typer.Option("--error", metavar="CODE", help=help_of("errors", Choice))]
Licenses = Annotated[list[str] | None, typer.Option("--license", metavar="ID", help=help_of("licenses", Choice))]
FromStage = Annotated[Stage | None, typer.Option(help=help_of("from_stage", Choice))]
Force = Annotated[bool, typer.Option("--force", help=help_of("force", Choice))]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show the plan and what it would cost; nothing is spent.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one line of JSON on stdout, and nothing else there.")]


def print_json(value: Result | Sequence[Result], indent: int | None = None) -> None:
    """One JSON value on stdout, on one line unless it is to be indented."""
    found = value.as_json() if isinstance(value, Result) else [each.as_json() for each in value]
    sys.stdout.write(json_text(found, indent) + "\n")
    sys.stdout.flush()


def json_text(value: Any, indent: int | None = None) -> str:
    """JSON without known secrets; characters that a terminal would obey are written as escapes."""
    text = strike(json.dumps(value, ensure_ascii=False, indent=indent))
    return _OBEYED.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
