"""The hooks of MkDocs: adds the generated pages, fills tables in, and keeps links and other hosts in check."""

from __future__ import annotations

import re
from pathlib import Path
from posixpath import dirname, join, normpath
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from docs.generator import codes, columns, command, reasons, settings

ROOT = Path(__file__).parents[2]
MADE = {
    "codes.md": codes.page,
    "reasons.md": reasons.page,
    "settings.md": settings.page,
    "command.md": command.page,
}
"""Pages that are made from the code."""
INCLUDED = {
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changes.md",
    "benchmarks/RESULTS.md": "measurements.md",
}
"""Files of the repository that are pages too."""
_SOURCES = {page: source for source, page in INCLUDED.items()}
_LINK = re.compile(r"(!?)\[([^\]]*)\]\((?![a-z]+:|#)([^)#\s]+)(#[^)\s]*)?\)")
_TABLE = re.compile(r"<!-- columns: (\w+) -->")
_SCREENSHOTS = "<!-- screenshots -->"
_OTHER_HOST = re.compile(r'<(?:script|img|iframe|source)\b[^>]*\bsrc="(?:https?:)?//|<link\b[^>]*rel="stylesheet"[^>]*"(?:https?:)?//')


def on_files(files: Files, config: MkDocsConfig) -> Files:
    for name, make in MADE.items():
        files.append(File.generated(config, name, content=make()))
    for source, name in INCLUDED.items():
        files.append(File.generated(config, name, content=(ROOT / source).read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    markdown = _TABLE.sub(lambda found: columns.table(found[1]), markdown)
    if _SCREENSHOTS in markdown:
        pictures = sorted(each.src_uri for each in files if re.fullmatch(r"screenshots/.*\.png", each.src_uri))
        markdown = markdown.replace(_SCREENSHOTS, "\n\n".join(map(_picture, pictures)))
    here = dirname(_SOURCES.get(page.file.src_uri, f"docs/{page.file.src_uri}"))
    return _LINK.sub(lambda found: _link(found, here), markdown)


def on_post_page(output: str, page: Page, **_: Any) -> str:
    if found := _OTHER_HOST.search(output):
        raise PluginError(f"{page.file.src_uri} loads from another host: {output[found.start() : found.end() + 60]}")
    return output


def _picture(path: str) -> str:
    """A screenshot under a heading of its name: `failed-datasets.png` is "Failed datasets"."""
    name = Path(path).stem.replace("-", " ").replace("_", " ").strip()
    return f"### {name[:1].upper()}{name[1:]}\n\n![{name}]({path})"


def _link(found: re.Match[str], here: str) -> str:
    """A link between files of the repository as one between pages; the name alone of a file that is no page."""
    picture, text, path, anchor = found[1], found[2], found[3], found[4] or ""
    target = normpath(join(here, path))
    if target in INCLUDED:
        return f"[{text}]({INCLUDED[target]}{anchor})"
    if target.startswith("docs/"):
        return f"{picture}[{text}]({target.removeprefix('docs/')}{anchor})"
    if (ROOT / target).exists():
        return text if target in text or f"`{Path(target).name}`" == text else f"{text} (`{target}`)"
    return found[0]  # MkDocs says that it leads nowhere
