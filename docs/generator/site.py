"""The folder of all pages as the site's builder reads it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from posixpath import dirname, join, normpath

from docs.generator import codes, columns, command, reasons, settings

ROOT = Path(__file__).parents[2]
MADE: dict[str, Callable[[], str]] = {
    "codes": codes.made,
    "reasons": reasons.made,
    "settings": settings.made,
    "command": command.made,
    **{f"columns {name}": partial(columns.made, name) for name in columns.TABLES},
}
"""What stands in a page in the place of `<!-- made: NAME -->`."""
INCLUDED = {
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changes.md",
    "benchmarks/RESULTS.md": "measurements.md",
}
"""Files of the repository that are pages too."""
_LINK = re.compile(r"\[([^\]]*)\]\((?![a-z]+:|#)([^)#\s]+)(#[^)\s]*)?\)")
_MADE = re.compile(r"<!-- made: ([\w ]+) -->")


def write_site(folder: Path) -> None:
    """Writes all pages, pictures and styles into `folder`; those of before go.

    Raises KeyError for a name of `<!-- made: NAME -->` that is none, FileExistsError for a folder of something else.
    """
    docs = ROOT / "docs"
    if (folder / "index.md").exists():
        shutil.rmtree(folder)
    shutil.copytree(docs, folder, ignore=shutil.ignore_patterns("generator"))
    pages = {f"docs/{page.name}": page.name for page in docs.glob("*.md")} | INCLUDED
    for source, name in pages.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        (folder / name).write_text(page(text, dirname(source)), encoding="utf-8")


def page(text: str, here: str) -> str:
    """A page as the site has it, from the text of a file in the folder `here` of the repository."""
    text = _MADE.sub(lambda found: MADE[found[1]](), text)
    return _LINK.sub(lambda found: _link(found, here), text)


def _link(found: re.Match[str], here: str) -> str:
    """A link between files of the repository as one between pages. Of a file that is no page its path is written down;
    a link that leads nowhere stays, and the builder refuses it."""
    text, path, anchor = found[1], found[2], found[3] or ""
    target = normpath(join(here, path))
    if target in INCLUDED:
        return f"[{text}]({INCLUDED[target]}{anchor})"
    if target.startswith("docs/"):
        return f"[{text}]({target.removeprefix('docs/')}{anchor})"
    if not (ROOT / target).exists():
        return found[0]
    return f"`{target}`" if text.strip("`") in target else f"{text} (`{target}`)"
