"""Arguments that several commands share, and how they print for programs."""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any

import typer

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
AsJson = Annotated[bool, typer.Option("--json", help="print one JSON object on stdout, and nothing else there")]


def print_json(value: Any) -> None:
    """One JSON value as a line of stdout."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, default=str) + "\n")
    sys.stdout.flush()
