"""Parts of a Markdown page. What stands between dataset and reader is escaped here, and bounded."""

from __future__ import annotations

import re
import shlex
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dynosaur_core.digest import digest
from dynosaur_core.secrets import strike
from dynosaur_core.text import markdown_text, one_line, printable, storable

NAMES = 200
"""Datasets that one page names; the rest is counted, with the place where it is found."""

_KEY = re.compile(r"[^a-z0-9]+")
_SLUG_CHARS = 60
_COLUMNS = 72
"""Of a block, at the width that the UI has on a screen of 1,440 pixels."""


def key_of(repo_id: str, prefix: str = "failed") -> str:
    """The key of a dataset's artifact: `failed-odd-garbage-1a2b3c4d`. Keys hold small letters, digits and dashes."""
    slug = _KEY.sub("-", repo_id.lower()).strip("-")[:_SLUG_CHARS].strip("-")
    return "-".join(part for part in (prefix, slug, digest(repo_id)[:8]) if part)


def table(head: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[int] = ()) -> str:
    """A table; the columns of the places `right` hold numbers. Cells are Markdown already."""
    align = ["---:" if place in right else "---" for place in range(len(head))]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, align, *rows))


def fenced(text: str, max_chars: int, language: str = "") -> str:
    """Text as it is, cut to `max_chars`, without known secrets, in a block that it cannot end by itself. Its lines are
    broken where the UI would cut them off."""
    lines = storable(printable(text), max_chars).split("\n")
    shown = "\n".join(part for line in lines for part in _broken(line))
    longest = max((len(run) for run in re.findall("`+", shown)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{shown}\n{fence}"


def _broken(line: str) -> list[str]:
    broken = textwrap.wrap(line, _COLUMNS, replace_whitespace=False, drop_whitespace=False, break_on_hyphens=False)
    return [part.rstrip() for part in broken] or [""]


def and_more(left_out: int, where: str) -> list[str]:
    """A line that counts what a page does not name; none where it names all."""
    return [f"and {left_out:,} more: {where}"] if left_out > 0 else []


def linked(name: str, link: str | None) -> str:
    """A dataset's name, as a link where it has a page."""
    shown = markdown_text(name)
    return f"[{shown}]({link})" if link else shown


def submit_again(choice: Mapping[str, Any], options: Mapping[str, Any], arguments: Sequence[str]) -> str:
    """How to run a backfill: the command, and the fields of the form as it names them."""
    words = ["dynosaur backfill", *_quoted([*arguments, *_flags(options)])]
    fields = [f"{_title(name)} {as_code(value)}" for name, value in [*choice.items(), *options.items()]]
    return "\n\n".join(
        (
            fenced(" \\\n    ".join(words) if len(" ".join(words)) > _COLUMNS else " ".join(words), 4_000, "sh"),
            f"or in this UI: Deployments, backfill, Run; {', '.join(fields)}; **dry_run off**",
        )
    )


def _quoted(words: Sequence[str]) -> list[str]:
    """Each flag with its value, as a shell takes them."""
    found: list[str] = []
    for word in map(shlex.quote, words):
        if found and found[-1].startswith("--") and " " not in found[-1] and not word.startswith("--"):
            found[-1] += f" {word}"
        else:
            found.append(word)
    return found


def _title(name: str) -> str:
    return name.replace("_", " ").title()


def as_code(value: Any) -> str:
    """A word, or several, in the letters of code; what is none could be taken for Markdown."""
    shown = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    flat = one_line(shown).replace("`", "'")
    return f"`{flat}`"


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
