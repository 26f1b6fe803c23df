"""Dataset cards: the YAML header and the sections of a README.md."""

from __future__ import annotations

import codecs
import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from markdown_it import MarkdownIt

from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.plain_yaml import BadYamlError, read_yaml
from dynosaur_core.policy import languages, licenses

_HEADER = re.compile(r"\A\s*---[ \t]*\r?\n(.*?)^---[ \t]*\r?$", re.DOTALL | re.MULTILINE)
_OPEN_HEADER = re.compile(r"\A\s*---[ \t]*\r?\n\s*[A-Za-z_][\w-]*[ \t]*:")
"""The beginning of a header, not of a text below a rule."""
_BLOCKS = MarkdownIt().disable("inline")
"""Finds headings. What stands in the lines is not parsed: that takes hostile text far longer."""
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_PLACEHOLDER = re.compile(r"\[?\(?(more information needed|needs more information|todo|coming soon)\)?\]?[. ]*", re.I)
_FENCED = re.compile(r"^ {0,3}(```|~~~).*?(?:^ {0,3}\1[^\n]*$|\Z)", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"!?\[[^\]\n]{0,200}\]\([^)\n]{0,1000}\)|<?https?://[^\s>]{1,1000}>?")
_LABEL = re.compile(r"(?:[^:]{0,80}:)?[\s:*_]*")
_IN_EVERY_TEMPLATE = re.compile(
    r"(?:size of|total amount of|number of|an example of)\b"
    r"|(?:homepage|repository|paper|leaderboard|point of contact)[\s*_]*:.{0,200}\Z",
    re.IGNORECASE,
)
_BEFORE_WORDS = " \t>*+-_"
_BETWEEN_LINKS = " \t,;.|"
_MARKUP = re.compile(r"[`*_#]")
_WORDS = re.compile(r"[^\W\d_]{2,}|[\u3040-\u30ff\u4e00-\u9fff]{4}")
_TEMPLATE = re.compile(
    r"aims to be a base template|provide a (?:quick|longer) summary|briefly summarize the dataset|"
    r"^\W*(?:dataset description|add (?:a )?(?:summary|description) here)\W*$",
    re.IGNORECASE,
)
MIN_PROSE_WORDS = 3
MAX_CARD_CHARS = 1_000_000
"""Of a longer card only the beginning is read."""
MAX_BODY_CHARS = 300_000
"""Of the text below its header; a list of a million characters takes ten seconds to parse."""
MAX_ADDRESS_CHARS = 1_000
MAX_CARD_BYTES = 4 * MAX_CARD_CHARS + 4


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

    def prose(self, *names: str) -> str | None:
        """What the first of these sections says in sentences: lines of links, of sizes and of code say nothing, neither
        does an empty template."""
        return next((said for name in names if (said := prose(self.sections.get(name)))), None)

    def strings(self, *keys: str) -> tuple[str, ...]:
        """All strings under these keys of the header: one value, a list, or a mapping of lists (by config)."""
        found: list[str] = []
        for key in keys:
            stack = [self.data.get(key)]
            while stack:
                value = stack.pop()
                if isinstance(value, Mapping):
                    stack.extend(reversed([*value.values()]))
                elif isinstance(value, list):
                    stack.extend(reversed(value))
                elif value is not None and str(value).strip():
                    found.append(str(value).strip())
        return tuple(dict.fromkeys(found))


def heading(text: str) -> str:
    """A heading as `Card.sections` names it."""
    return re.sub(r"[*_`#:]", "", text).strip().lower()


def decode_card(data: bytes) -> str:
    """The text of a README.md, of which it is enough to give the first MAX_CARD_BYTES; raises UnreadableCard for what
    is UTF-16. Bytes that are no UTF-8 become U+FFFD."""
    if data.startswith(_UTF_16):
        raise DynosaurError(Code.UNREADABLE_CARD, "README.md is not UTF-8 but UTF-16, from line 1 on")
    return data[:MAX_CARD_BYTES].decode("utf-8", "replace")


def parse_card(text: str, *, header_only: bool = False) -> Card:
    """Reads a README.md; raises UnreadableCard, with the line, when its header is not YAML or beyond the limits."""
    whole = len(text) <= MAX_CARD_CHARS
    text = text[:MAX_CARD_CHARS].lstrip("\ufeff")
    match = _HEADER.match(text)
    if match is None and _OPEN_HEADER.match(text):
        why = "has no end" if whole else f"is longer than {MAX_CARD_CHARS:,} characters"
        raise DynosaurError(Code.UNREADABLE_CARD, f"the header of its README {why}: no line is `---` after the first")
    data = parse_header(text, match.start(1), match.end(1)) if match else {}
    body = text[match.end() if match else 0 :][:MAX_BODY_CHARS]
    return Card(data=data, sections={} if header_only else _sections(body))


def parse_header(text: str, start: int, end: int, name: str = "the header of its README") -> dict[str, Any]:
    """The mapping in `text[start:end]`: texts, lists and mappings, as written. Raises UnreadableCard with the line of
    `text` at which it is not YAML."""
    try:
        data = read_yaml(text[start:end])
    except BadYamlError as error:
        line = f" at line {error.line + text.count(chr(10), 0, start)}" if error.line else ""
        raise DynosaurError(Code.UNREADABLE_CARD, f"{name} cannot be read{line}: {error}") from error
    if data is not None and not isinstance(data, dict):
        raise DynosaurError(Code.UNREADABLE_CARD, f"{name} is not a mapping")
    return data or {}


def listing_fields(card: Card) -> dict[str, Any]:
    """Reads from a card what a listing states of a dataset. Returns arguments of a DatasetRef."""
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


def prose(text: str | None) -> str | None:
    """The lines of `text` that say something; None where those are hardly a sentence."""
    lines = [line for line in _FENCED.sub("", text or "").splitlines() if line.strip() and not _is_bare(line)]
    said = "\n".join(lines).strip()
    words = _WORDS.findall(_MARKUP.sub("", _LINK.sub("", said)))
    return said if len(words) >= MIN_PROSE_WORDS and not _TEMPLATE.search(said) else None


def _is_bare(line: str) -> bool:
    """Whether a line is a link, or one of those that every template has."""
    line = line.lstrip(_BEFORE_WORDS)
    if _IN_EVERY_TEMPLATE.match(line):
        return True
    link = _LINK.search(line)
    return bool(
        link
        and _LABEL.fullmatch(line[: link.start()])
        and not _LINK.sub("", line[link.start() :]).strip(_BETWEEN_LINKS)
    )


def citation(card: Card) -> str | None:
    """The BibTeX of the citation section, without its fence."""
    text = card.section("citation information", "citation", "citations", "bibtex")
    begin = re.search(r"@\w+\s*\{", text or "")
    end = (text or "").rfind("}")
    return (text or "")[begin.start() : end + 1][:4_000] if begin and end >= begin.end() else None


def web_address(value: object) -> str | None:
    """Returns a page that a card names if its address is one of the web, since readers of the records may follow it."""
    text = " ".join(str(value).split()) if isinstance(value, str) else ""
    try:
        parts = urlsplit(text)
        plain = parts.scheme in ("http", "https") and parts.hostname and text.isprintable() and " " not in text
    except ValueError:
        return None
    return text if plain and len(text) <= MAX_ADDRESS_CHARS else None


def _sections(text: str) -> dict[str, str]:
    """Lower-case heading -> text up to the next heading, the first of equal headings; code fences hide headings."""
    lines = text.splitlines()
    tokens = _BLOCKS.parse(text)
    heads = []
    for token, inline in itertools.pairwise(tokens):
        if token.type == "heading_open" and token.map:
            heads.append((token.map[0], token.map[1], heading(inline.content)))
    sections: dict[str, str] = {}
    for (_, start, name), following in zip(heads, [*heads[1:], (len(lines), 0, "")], strict=False):
        body = _clean("\n".join(lines[start : following[0]]))
        if body:
            sections.setdefault(name, body)
    return sections


def _clean(text: str) -> str:
    text = _PLACEHOLDER.sub("", _without_comments(text))
    return text.strip() if re.search(r"\w", text) else ""


def _without_comments(text: str) -> str:
    """`text` without what stands between `<!--` and the next `-->`; a comment without an end stays."""
    parts, at = [], 0
    while (start := text.find("<!--", at)) >= 0 and (end := text.find("-->", start + 4)) >= 0:
        parts.append(text[at:start])
        at = end + 3
    return "".join((*parts, text[at:]))
