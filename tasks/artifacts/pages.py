"""Parts of a Markdown page. What stands between dataset and reader is escaped here, and bounded."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dynosaur_core.digest import digest
from dynosaur_core.secrets import strike
from dynosaur_core.text import markdown_text, printable, storable

NAMES = 200
"""Datasets that one page names; the rest is counted, with the place where it is found."""

_KEY = re.compile(r"[^a-z0-9]+")
_SLUG_CHARS = 60


def key_of(repo_id: str, prefix: str = "failed") -> str:
    """The key of a dataset's artifact: `failed-odd-garbage-1a2b3c4d`. Keys hold small letters, digits and dashes."""
    slug = _KEY.sub("-", repo_id.lower()).strip("-")[:_SLUG_CHARS].strip("-")
    return "-".join(part for part in (prefix, slug, digest(repo_id)[:8]) if part)


def table(head: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[int] = ()) -> str:
    """A table; the columns of the places `right` hold numbers. Cells are Markdown already."""
    align = ["---:" if place in right else "---" for place in range(len(head))]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, align, *rows))


def fenced(text: str, max_chars: int, language: str = "") -> str:
    """Text as it is, cut to `max_chars`, without known secrets, in a block that it cannot end by itself."""
    shown = storable(printable(text), max_chars)
    longest = max((len(run) for run in re.findall("`+", shown)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{shown}\n{fence}"


def and_more(left_out: int, where: str) -> list[str]:
    """A line that counts what a page does not name; none where it names all."""
    return [f"and {left_out:,} more: {where}"] if left_out > 0 else []


def linked(name: str, link: str | None) -> str:
    """A dataset's name, as a link where it has a page."""
    shown = markdown_text(name)
    return f"[{shown}]({link})" if link else shown


def submit_again(choice: Mapping[str, Any], options: Mapping[str, Any], arguments: Sequence[str]) -> str:
    """How to run a backfill: the command, and the fields of the form."""
    return "\n\n".join(
        (
            fenced(f"dynosaur backfill {shlex.join([*arguments, *_flags(options)])}", 4_000, "sh"),
            "or the deployment `backfill/backfill`, *Custom run*, with these fields (as JSON):",
            fenced(json.dumps({"choice": choice, "options": options, "dry_run": False}, indent=2), 4_000, "json"),
        )
    )


def _flags(options: Mapping[str, Any]) -> list[str]:
    """The options of a run as the command has them."""
    words: list[str] = []
    for name in ("catalog", "catalog_name", "store", "release", "model"):
        given = options.get(name)
        for value in given if isinstance(given, list) else [given] if given else []:
            words += [f"--{name.replace('_', '-')}", strike(str(value))]
    if options.get("max_cost_usd") is not None:
        words += ["--max-cost", str(options["max_cost_usd"])]
    return words
