"""Arguments that several commands share, and how they print for programs."""

from __future__ import annotations

import json
import re
import sys
from typing import Annotated, Any

import typer

from dynosaur_core.secrets import strike

_OBEYED = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")

Catalog = Annotated[
    str | None, typer.Option(metavar="WHERE", help="hub, a folder in the Hub's layout, or a .jsonl file or URL")
]
CatalogName = Annotated[
    str | None,
    typer.Option("--catalog-name", metavar="NAME", help="what a folder or .jsonl is known by, wherever it lies"),
]
StoreUrl = Annotated[
    str | None, typer.Option("--store", metavar="URL", help="folder or URL of what is kept between growths")
]
ReleaseUrls = Annotated[
    list[str] | None,
    typer.Option("--release", metavar="URL", help="folder, s3://bucket/path or hf://datasets/owner/name; repeatable"),
]
Adopt = Annotated[
    bool, typer.Option("--adopt", help="store, ledger and release belong together: one is new or was another's")
]
WithdrawMany = Annotated[
    bool, typer.Option("--withdraw-many", help="more datasets are to be withdrawn than may by mistake")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="show the plan and what it would cost; nothing is spent")]
MaxCost = Annotated[
    float | None, typer.Option("--max-cost", min=0, metavar="USD", help="cap on the model's cost in this growth")
]
Model = Annotated[str | None, typer.Option(metavar="NAME", help="the model that designs tasks")]
Batch = Annotated[
    bool | None, typer.Option("--batch/--no-batch", help="ask by the Batch API: half the price, within 24 hours")
]
AsJson = Annotated[bool, typer.Option("--json", help="print one JSON object on stdout, and nothing else there")]


def print_json(value: Any) -> None:
    """One JSON value as a line of stdout."""
    sys.stdout.write(json_text(value) + "\n")
    sys.stdout.flush()


def json_text(value: Any, indent: int | None = None) -> str:
    """JSON without known secrets; characters that a terminal would obey are written as escapes."""
    text = strike(json.dumps(value, ensure_ascii=False, default=str, indent=indent))
    return _OBEYED.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
