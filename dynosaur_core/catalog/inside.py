"""Everything that reading a dataset would open lies in the dataset: checked before anything of it is opened.

A card, and a `.huggingface.yaml`, may name its data files by any pattern that fsspec understands: other folders, other
repositories, any address of the web.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from datasets.config import DATASETDICT_INFOS_FILENAME, REPOCARD_FILENAME, REPOYAML_FILENAME

from dynosaur_core.card import parse_header
from dynosaur_core.catalog.header import headers
from dynosaur_core.errors import Code, DynosaurError

_READ_FIRST = (REPOCARD_FILENAME, REPOYAML_FILENAME, DATASETDICT_INFOS_FILENAME)
"""What `datasets` opens to learn which files there are."""
_CONTROL = re.compile(r"[\x00-\x1f]")


class OutsideError(DynosaurError):
    """The dataset names what is not its own: there is no other way to read it, either."""


def check_folder(folder: Path) -> None:
    """Raises UnreadableFiles where a pattern or a link leads out of the folder, and UnreadableCard where the headers
    that `datasets` will read are not YAML."""
    root = folder.resolve()
    if signs := re.search(r"[*?\[]|::", str(root)):  # it becomes part of the patterns, where they mean other folders
        message = f"the folder's path holds {signs[0]!r}, which file patterns use: rename it"
        raise DynosaurError(Code.UNREADABLE_FILES, message)
    for name in _READ_FIRST:
        if (folder / name).is_file():
            check_path(folder / name, root)
    for parent, names, _ in os.walk(folder):  # which follows no link; `datasets` does
        for name in names:
            if (Path(parent) / name).is_symlink():
                raise DynosaurError(Code.UNREADABLE_FILES, f"its folder {name[:200]!r} is a link")
    for pattern in _patterns(folder):
        check_pattern(pattern)


def check_pattern(pattern: str) -> None:
    """Raises UnreadableFiles for a pattern that is not relative to the dataset."""
    try:
        scheme = urlsplit(pattern).scheme
    except ValueError:
        scheme = "unknown"
    parts = re.split(r"[/\\]", pattern)
    if scheme or "://" in pattern or "::" in pattern or pattern.startswith(("/", "\\", "~")) or ".." in parts:
        message = f"its card names files outside of the dataset: {pattern[:200]!r}"
        raise OutsideError(Code.UNREADABLE_FILES, message)


def check_path(path: Path, root: Path) -> None:
    """Raises UnreadableFiles where a file, links followed, is not below `root` or is no plain file."""
    real = path.resolve()
    if not real.is_relative_to(root):
        raise OutsideError(Code.UNREADABLE_FILES, "a data file is a link to outside of the dataset")
    if real.exists() and not real.is_file():
        raise DynosaurError(Code.UNREADABLE_FILES, f"{path.name[:200]!r} is no file")


def check_files(builder: Any, folder: Path) -> None:
    """Raises UnreadableFiles where a file of a builder of this folder lies elsewhere, or is passed over."""
    root = folder.resolve()
    for split, paths in builder.config.data_files.items():
        odd = () if paths else (path for path in folder.rglob("*") if _CONTROL.search(path.name))
        for path in odd:  # `datasets` drops them without a word
            message = f"split {str(split)!r} has no file: the name {path.name[:200]!r} holds a control character"
            raise DynosaurError(Code.UNREADABLE_FILES, message)
        for path in paths:
            check_path(Path(str(path)), root)


def check_addresses(builder: Any, prefix: str) -> None:
    """Raises UnreadableFiles where a builder would open an address that does not begin with `prefix`, which names a
    repository at a revision."""
    for paths in builder.config.data_files.values():
        for path in map(str, paths):
            if not path.startswith(prefix) or "::" in path or ".." in path.split("/"):
                raise OutsideError(Code.UNREADABLE_FILES, f"a data file lies outside of the dataset: {path[:200]!r}")


def _patterns(folder: Path) -> Iterator[str]:
    """What the dataset itself names as its data files, found where `datasets` looks for it."""
    header: dict[str, Any] = {}
    for place in headers(folder):
        header |= parse_header(*place)
    configs = header.get("configs")
    entries = configs if isinstance(configs, list) else []
    stack = [entry.get(key) for entry in entries if isinstance(entry, dict) for key in ("data_files", "data_dir")]
    while stack:
        value = stack.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            stack.extend(part for key, part in value.items() if key != "split")
        elif isinstance(value, list):
            stack.extend(value)
