"""The configs of a folder, as `datasets` finds and loads them: all together, else each by itself."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml
from datasets import get_dataset_config_names, load_dataset_builder
from datasets.config import DATASETDICT_INFOS_FILENAME, REPOCARD_FILENAME

from dynosaur_core.catalog.formats import READ_ERRORS, UnparsableError, first_line, parsing
from dynosaur_core.catalog.header import alone, config_names, read_header
from dynosaur_core.catalog.inside import check_folder
from dynosaur_core.errors import Code, DynosaurError

_ERRORS = (*READ_ERRORS, RecursionError)
_ODD_FORM = (TypeError, KeyError, UnparsableError)


class Configs:
    """What `datasets` knows of one folder. It reads the folder itself, or a mirror of it in `scratch`: a card of ours
    beside links to the files."""

    def __init__(self, folder: Path, scratch: Path) -> None:
        self._folder, self._mirror = folder, scratch / "mirror"
        self._root: Path | None = None
        """What `datasets` reads; None until the folder has been checked."""
        self._header: dict[str, Any] = {}
        self._together = True
        """Whether `datasets` can read all configs of the card at once, as far as is known."""

    def names(self) -> list[Any]:
        """The names of all configs, which may be no texts. Raises DynosaurError."""
        if self._together:
            try:
                return list(self._call(get_dataset_config_names))
            except _ERRORS as error:
                self._part(error)
        return config_names(self._header)

    def load(self, config: str) -> Any:
        """The builder of one config. Raises DynosaurError."""
        if self._together:
            try:
                return self._call(load_dataset_builder, config)
            except _ERRORS as error:
                self._part(error)
        if config not in config_names(self._header):
            raise DynosaurError(Code.NO_DATA_FILES, f"there is no config {config!r}")
        try:
            self._write_mirror(alone(self._header, config))
            return self._call(load_dataset_builder, config)
        except _ERRORS as error:
            raise _listing_error(self._folder, error) from error

    def _call(self, function: Callable[..., Any], *given: str) -> Any:
        if self._root is None:
            check_folder(self._folder)  # before anything of it is parsed, whatever is asked first
            self._header, odd = read_header(self._folder)
            self._root = self._folder
            if odd:
                self._write_mirror(self._header)
        with parsing():
            return function(str(self._root), *given)

    def _part(self, error: Exception) -> None:
        """From now on the configs are read one by one; raises what is wrong where the card does not list several."""
        names = config_names(self._header)
        if len(names) < 2 and all(isinstance(name, str) for name in names):
            raise _listing_error(self._folder, error) from error
        self._together = False

    def _write_mirror(self, header: Mapping[str, Any]) -> None:
        if self._root != self._mirror:
            _link_files(self._folder, self._mirror)
            self._root = self._mirror
        if not self._together:  # it describes all configs together
            (self._mirror / DATASETDICT_INFOS_FILENAME).unlink(missing_ok=True)
        text = yaml.safe_dump(dict(header), sort_keys=False)
        (self._mirror / REPOCARD_FILENAME).write_text(f"---\n{text}---\n", encoding="utf-8")


def _link_files(folder: Path, into: Path) -> None:
    """Links to all files of a folder but its card and hidden ones."""
    into.mkdir(exist_ok=True)
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        hidden = any(part.startswith(".") for part in name.parts)
        if path.is_file() and not hidden and name.as_posix() != REPOCARD_FILENAME:
            (into / name).parent.mkdir(parents=True, exist_ok=True)
            if not (into / name).is_symlink():
                (into / name).symlink_to(path.absolute())


def _listing_error(folder: Path, error: Exception) -> DynosaurError:
    scripts = [path.name for path in folder.glob("*.py")]
    if scripts:  # `datasets` says so with a RuntimeError, or finds nothing else to read
        return DynosaurError(Code.SCRIPT_DATASET, f"it has a loading script ({scripts[0]}) and no data files")
    if isinstance(error, yaml.YAMLError):  # the card's parser took more than YAML allows
        return DynosaurError(
            Code.UNREADABLE_CARD, f"its card's header is no YAML: {' '.join(str(error).split())[:300]}"
        )
    if isinstance(error, RecursionError):
        return DynosaurError(Code.UNREADABLE_FILES, "its configs hold values that are nested too deeply")
    if isinstance(error, zipfile.BadZipFile):
        return DynosaurError(Code.NO_DATA_FILES, "its zip archives cannot be opened")
    if not any(path.is_file() and path.name != REPOCARD_FILENAME for path in folder.rglob("*")):
        return DynosaurError(Code.NO_DATA_FILES, "the folder holds no data file")
    if isinstance(error, _ODD_FORM):  # their words are of Python, not of the card
        what = "its card's `dataset_info` or `configs`, or dataset_infos.json, is of no form that `datasets` reads"
        return DynosaurError(Code.UNREADABLE_FILES, f"{what}: {first_line(error)}")
    return DynosaurError(Code.UNREADABLE_FILES, f"its configs cannot be read: {first_line(error)}")
