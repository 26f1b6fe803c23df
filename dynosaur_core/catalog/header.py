"""The part of a card that `datasets` reads: its label names as they are written, and one config of it alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from datasets.config import REPOCARD_FILENAME, REPOYAML_FILENAME
from huggingface_hub.repocard import REGEX_YAML_BLOCK

from dynosaur_core.catalog.inside import header_text

_SAFE: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_WORDS: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
"""Reads every plain word as text: `no`, `on`, `null`, `2022-01-01`, `1.0` too."""


def read_header(folder: Path) -> dict[str, Any]:
    """The YAML header of a folder's card and its extra file together, with label names as they are written; {} where
    there is none. Raises yaml.YAMLError or ValueError for what does not parse."""
    header: dict[str, Any] = {}
    for text in _headers(folder):
        found = yaml.load(text, Loader=_SAFE)
        if isinstance(found, dict):
            if "class_label" in text:
                _as_written(found, yaml.load(text, Loader=_WORDS))
            header |= found
    return header


def has_odd_labels(folder: Path) -> bool:
    """Whether YAML reads a label's name in the card as another thing than a word."""
    return any("class_label" in text and _odd(yaml.load(text, Loader=_SAFE)) for text in _headers(folder))


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


def link_files(folder: Path, into: Path) -> None:
    """Links to all files of a folder but its card and hidden ones."""
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        hidden = any(part.startswith(".") for part in name.parts)
        if path.is_file() and not hidden and name.as_posix() != "README.md":
            (into / name).parent.mkdir(parents=True, exist_ok=True)
            if not (into / name).is_symlink():
                (into / name).symlink_to(path.absolute())


def write_header(into: Path, header: Mapping[str, Any]) -> None:
    """A card with nothing but this header."""
    text = yaml.safe_dump(dict(header), allow_unicode=True, sort_keys=False)
    (into / "README.md").write_text(f"---\n{text}---\n", encoding="utf-8")


def _headers(folder: Path) -> tuple[str, str]:
    """The YAML of the card and of the extra file; `inside.check_folder` has found that both parse within limits."""
    card = REGEX_YAML_BLOCK.match(header_text(folder / REPOCARD_FILENAME))
    return card.group(2) if card else "", header_text(folder / REPOYAML_FILENAME)


def _as_written(value: Any, words: Any) -> None:
    """Puts the names that `words` has into the labels of `value`, in their place."""
    if isinstance(value, dict) and isinstance(words, dict):
        for (key, part), written in zip(value.items(), words.values(), strict=False):
            if key == "class_label" and isinstance(part, dict) and isinstance(written, dict) and "names" in part:
                part["names"] = _names(part["names"], written.get("names"))
            else:
                _as_written(part, written)
    elif isinstance(value, list) and isinstance(words, list):
        for part, written in zip(value, words, strict=False):
            _as_written(part, written)


def _names(names: Any, words: Any) -> Any:
    if isinstance(names, dict) and isinstance(words, dict):
        return dict(zip(map(str, names), words.values(), strict=False))
    return words if isinstance(words, list) else names


def _odd(value: Any) -> bool:
    if isinstance(value, list):
        return any(map(_odd, value))
    if not isinstance(value, dict):
        return False
    label = value.get("class_label")
    names = label.get("names") if isinstance(label, dict) else None
    found = names.values() if isinstance(names, dict) else names if isinstance(names, list) else ()
    return any(not isinstance(name, str) for name in found) or any(map(_odd, value.values()))
