"""Dataset cards: the YAML header and the sections of a README.md."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml
from markdown_it import MarkdownIt

from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.policy import languages, licenses

_HEADER = re.compile(r"\A\s*---[ \t]*\r?\n(.*?)^---[ \t]*\r?$", re.DOTALL | re.MULTILINE)
_PLACEHOLDER = re.compile(r"\[?\(?(more information needed|needs more information|todo|coming soon)\)?\]?[. ]*", re.I)
MAX_CARD_CHARS = 1_000_000
"""Of a longer card only the beginning is read."""


@dataclass(frozen=True)
class Card:
    """A parsed card: `data` is the YAML header; sections go by lower-case heading."""

    data: Mapping[str, Any] = field(default_factory=dict)
    sections: Mapping[str, str] = field(default_factory=dict)

    def section(self, *names: str) -> str | None:
        """Text of the first section that is there and says something; comments and placeholders say nothing."""
        for name in names:
            text = self.sections.get(name)
            if text:
                return text
        return None

    def strings(self, *keys: str) -> tuple[str, ...]:
        """All strings under these keys of the header: one value, a list, or a mapping of lists (by config)."""
        found: list[str] = []
        for key in keys:
            stack = [self.data.get(key)]
            while stack:
                value = stack.pop(0)
                if isinstance(value, Mapping):
                    stack[:0] = list(value.values())
                elif isinstance(value, list):
                    stack[:0] = value
                elif value is not None and str(value).strip():
                    found.append(str(value).strip())
        return tuple(dict.fromkeys(found))


def parse_card(text: str) -> Card:
    """Reads a README.md; raises UnreadableCard when its header is not YAML."""
    text = text[:MAX_CARD_CHARS].lstrip("\ufeff")
    match = _HEADER.match(text)
    data: Any = {}
    if match:
        try:
            data = yaml.load(match[1], Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        except (yaml.YAMLError, ValueError) as error:
            where = getattr(error, "problem_mark", None)
            line = f" at line {where.line + 2}" if where else ""
            raise DynosaurError(Code.UNREADABLE_CARD, f"the header of its README is not YAML{line}") from error
        if data is not None and not isinstance(data, dict):
            raise DynosaurError(Code.UNREADABLE_CARD, "the header of its README is not a mapping")
    return Card(data=data or {}, sections=_sections(text[match.end() :] if match else text))


def listing_fields(card: Card) -> dict[str, Any]:
    """What a catalogue's listing tells of a dataset, read from its card: arguments of a DatasetRef."""
    description = card.data.get("description")
    return {
        "licenses": tuple(name for name in map(licenses.normalise, card.strings("license", "licenses")) if name),
        "languages": tuple(
            dict.fromkeys(tag for tag in map(languages.normalise, card.strings("language", "languages")) if tag)
        ),
        "task_categories": card.strings("task_categories"),
        "task_ids": card.strings("task_ids"),
        "tags": card.strings("tags"),
        "description": str(description).strip() or None if description else None,
    }


def citation(card: Card) -> str | None:
    """The BibTeX of the citation section, without its fence."""
    text = card.section("citation information", "citation", "citations", "bibtex")
    match = re.search(r"@\w+\s*\{.*\}", text or "", re.DOTALL)
    return match[0].strip()[:4_000] if match else None


def _sections(text: str) -> dict[str, str]:
    """Lower-case heading -> text up to the next heading, the first of equal headings; code fences hide headings."""
    lines = text.splitlines()
    tokens = MarkdownIt().parse(text)
    heads = []
    for token, inline in itertools.pairwise(tokens):
        if token.type == "heading_open" and token.map:
            heads.append((token.map[0], token.map[1], re.sub(r"[*_`#:]", "", inline.content).strip().lower()))
    sections: dict[str, str] = {}
    for (_, start, name), following in zip(heads, [*heads[1:], (len(lines), 0, "")], strict=False):
        body = _clean("\n".join(lines[start : following[0]]))
        if body:
            sections.setdefault(name, body)
    return sections


def _clean(text: str) -> str:
    text = re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
    text = _PLACEHOLDER.sub("", text)
    return text.strip() if re.search(r"\w", text) else ""
