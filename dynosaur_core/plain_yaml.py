"""YAML from strangers, read within limits: mappings, lists and texts, and nothing that a tag could construct.

Values stay the words that were written: `no` is the text `no`, `1.10` is `1.10`. The parser's events are counted before
anything is built, so that no document costs more than its size: PyYAML itself expands aliases of aliases without an
end, recurses once for each level, and lets whatever a tag's constructor raises pass.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import yaml

from dynosaur_core.text import storable

MAX_CHARS = 1_000_000
MAX_NODES = 200_000
"""Values of one document, those behind aliases counted each time; a long text counts as several."""
MAX_DEPTH = 64
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NULLS = {"", "~", "null", "Null", "NULL"}
_CORE = "tag:yaml.org,2002:"
_CONTAINERS = {None, "!", f"{_CORE}seq", f"{_CORE}map"}
_TEXTS = {None, "!", f"{_CORE}str"}
_WORDS = {f"{_CORE}{name}" for name in ("null", "bool", "int", "float", "timestamp")}
_RESOLVER: Any = yaml.resolver.Resolver()
_CHARS_PER_NODE = 1_000


class BadYamlError(ValueError):
    """A document that is not YAML, or beyond the limits. `line` counts from 1; None where none can be named."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.line = line


@dataclass
class _Open:
    """A mapping or list whose end has not come yet."""

    value: dict[str, Any] | list[Any]
    anchor: str | None
    line: int
    size: int = 1
    key: str | None = None


def read_yaml(text: str) -> Any:
    """The document's value: dicts with text keys, lists, texts and None. Raises BadYamlError."""
    if len(text) > MAX_CHARS:
        raise BadYamlError(f"it is longer than {MAX_CHARS:,} characters")
    for number, words in enumerate(text.split("\n"), start=1):
        if words.startswith("%"):  # the C parser compares every such line with all before it
            raise BadYamlError("it holds a YAML directive", number)
    builder = _Builder()
    try:
        for event in yaml.parse(storable(text), Loader=_LOADER):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise BadYamlError(error.problem or "it is not YAML", mark.line + 1 if mark else None) from error
    except yaml.reader.ReaderError as error:
        line = _line_of_character(text, error)
        raise BadYamlError(f"it holds a character that YAML does not allow: {error.reason}", line) from error
    except yaml.YAMLError as error:
        raise BadYamlError(str(error).splitlines()[0]) from error
    return builder.root


def _line_of_character(text: str, error: yaml.reader.ReaderError) -> int | None:
    at = text.find(chr(error.character)) if isinstance(error.character, int) else -1
    return text.count("\n", 0, at) + 1 if at >= 0 else None


class _Builder:
    """Makes values of a parser's events, and refuses the event with which a limit is passed."""

    def __init__(self) -> None:
        self.root: Any = None
        self._open: list[_Open] = []
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._nodes = 0
        self._documents = 0

    def take(self, event: Any) -> None:
        line = event.start_mark.line + 1
        match event:
            case yaml.ScalarEvent():
                self._scalar(event, line)
            case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                self._begin(event, line)
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                self._end()
            case yaml.AliasEvent():
                self._alias(event, line)
            case yaml.DocumentStartEvent():
                self._documents += 1
                if self._documents > 1:
                    raise BadYamlError("it holds a second document", line)

    def _scalar(self, event: yaml.ScalarEvent, line: int) -> None:
        plain_null = event.implicit[0] and event.value in _NULLS
        if event.tag not in _TEXTS and not self._is_word(event):
            raise BadYamlError(f"it holds a value with the tag {str(event.tag)[:100]!r}", line)
        size = 1 + len(event.value) // _CHARS_PER_NODE
        self._add(None if plain_null else event.value, size, event.anchor, line)

    @staticmethod
    def _is_word(event: yaml.ScalarEvent) -> bool:
        """Whether a number, date... that is tagged as such is written like one."""
        if event.tag not in _WORDS or len(event.value) > 100:
            return False
        return bool(_RESOLVER.resolve(yaml.ScalarNode, event.value, (True, False)) == event.tag)

    def _begin(self, event: Any, line: int) -> None:
        if event.tag not in _CONTAINERS:
            raise BadYamlError(f"it holds a value with the tag {event.tag[:100]!r}", line)
        if len(self._open) == MAX_DEPTH:
            raise BadYamlError(f"it is nested deeper than {MAX_DEPTH} levels", line)
        value: dict[str, Any] | list[Any] = {} if isinstance(event, yaml.MappingStartEvent) else []
        if event.anchor:
            self._anchors.pop(event.anchor, None)  # an alias inside of it would make it endless
        self._open.append(_Open(value, event.anchor, line))

    def _end(self) -> None:
        done = self._open.pop()
        self._nodes -= done.size - 1  # its parts have been counted; `_add` counts them with it
        self._add(done.value, done.size, done.anchor, done.line)

    def _alias(self, event: yaml.AliasEvent, line: int) -> None:
        known = self._anchors.get(str(event.anchor))
        if known is None:
            raise BadYamlError(f"the alias *{str(event.anchor)[:100]} names nothing that is complete", line)
        self._add(*known, None, line)

    def _add(self, value: Any, size: int, anchor: str | None, line: int) -> None:
        self._nodes += size
        if self._nodes > MAX_NODES:
            raise BadYamlError(f"it holds more than {MAX_NODES:,} values", line)
        if anchor:
            self._anchors[anchor] = (value, size)
        if not self._open:
            self.root = value
            return
        parent = self._open[-1]
        parent.size += size
        if isinstance(parent.value, list):
            parent.value.append(value)
        elif parent.key is None:
            if isinstance(value, dict | list):
                raise BadYamlError("a key is no text", line)
            if value == "<<":  # what it would merge is not seen here, and by others it is
                raise BadYamlError("it holds a merge key", line)
            parent.key = "null" if value is None else value
        else:
            parent.value[parent.key], parent.key = value, None
