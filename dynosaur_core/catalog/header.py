"""The part of a card that `datasets` reads: its label names as they are written, and one config of it alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from datasets.config import REPOCARD_FILENAME, REPOYAML_FILENAME
from huggingface_hub.repocard import REGEX_YAML_BLOCK

from dynosaur_core.card import MAX_CARD_BYTES
from dynosaur_core.errors import Code, DynosaurError

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""Numbers, truth values and dates are what `datasets` takes them for, unlike those of `plain_yaml`."""
_TEXT = "tag:yaml.org,2002:str"


def headers(folder: Path) -> Iterator[tuple[str, int, int, str]]:
    """The texts with YAML that `datasets` reads, the card and the extra file: each with the YAML's beginning and end in
    it, and its name. Raises UnreadableCard."""
    text = _text_of(folder / REPOCARD_FILENAME)
    if match := REGEX_YAML_BLOCK.match(text):
        yield text, match.start(2), match.end(2), "the header of its README"
    if text := _text_of(folder / REPOYAML_FILENAME):
        yield text, 0, len(text), REPOYAML_FILENAME


def read_header(folder: Path) -> tuple[dict[str, Any], bool]:
    """The mappings of all `headers` together, with label names as they are written, and whether YAML would read one of
    those as another thing than a word. `inside.check_folder` has found that they parse within limits.

    Raises yaml.YAMLError or ValueError for what does not parse.
    """
    header: dict[str, Any] = {}
    odd = False
    for text, start, end, _ in headers(folder):
        loader = _LOADER(text[start:end])
        try:
            node = loader.get_single_node()
            odd = _keep_words(node) or odd
            found = loader.construct_document(node) if node is not None else None
        finally:
            loader.dispose()
        header |= found if isinstance(found, dict) else {}
    return header, odd


def config_names(header: Mapping[str, Any]) -> list[Any]:
    """The names of the header's configs; [] where it lists none."""
    entries = header.get("configs")
    listed = entries if isinstance(entries, list) else []
    return [entry.get("config_name", "default") for entry in listed if isinstance(entry, dict)]


def alone(header: Mapping[str, Any], config: str) -> dict[str, Any]:
    """The header as if it had this config only."""
    infos = header.get("dataset_info")
    listed = infos if isinstance(infos, list) else [infos]
    infos = [i for i in listed if isinstance(i, dict) and i.get("config_name", "default") == config]
    entries = [e for e in header["configs"] if isinstance(e, dict) and e.get("config_name", "default") == config]
    rest = {key: value for key, value in header.items() if key != "dataset_info"}
    return {**rest, "configs": entries, **({"dataset_info": infos} if infos else {})}


def _text_of(path: Path) -> str:
    """The text of a file with a header; "" where there is none. `datasets` reads it whole, and only as UTF-8."""
    if not path.is_file():
        return ""
    if path.stat().st_size > MAX_CARD_BYTES:
        raise DynosaurError(Code.UNREADABLE_CARD, f"{path.name} is larger than {MAX_CARD_BYTES:,} bytes")
    data = path.read_bytes()
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DynosaurError(Code.UNREADABLE_CARD, f"{path.name} is not UTF-8 at line {line}") from error


def _keep_words(node: Any) -> bool:
    """Makes texts of all label names below the node; whether one of them was none."""
    odd: list[bool] = []
    if isinstance(node, yaml.SequenceNode):
        odd = [_keep_words(part) for part in node.value]
    elif isinstance(node, yaml.MappingNode):
        odd = [_keep_words(part) for _, part in node.value]
        labels = [part for key, part in node.value if key.value == "class_label"]
        parts = [part for label in labels if isinstance(label, yaml.MappingNode) for part in label.value]
        odd += [_make_texts(names) for name, names in parts if name.value == "names"]
    return any(odd)


def _make_texts(names: Any) -> bool:
    before = names.value
    if isinstance(names, yaml.SequenceNode):
        names.value = [_text(name) for name in before]
    elif isinstance(names, yaml.MappingNode):
        names.value = [(number, _text(name)) for number, name in before]
    return bool(names.value != before)


def _text(node: Any) -> Any:
    """The node, or another one where it is no text: an alias may name it elsewhere."""
    if isinstance(node, yaml.ScalarNode) and node.tag != _TEXT:
        return yaml.ScalarNode(_TEXT, node.value, node.start_mark, node.end_mark)
    return node
