"""Reading a dataset that lies in a local folder in the Hub's layout, through `datasets` and `pyarrow`.

Only formats that are plain data are read: a pickle or a loading script would run its author's code.
"""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from datasets.utils import disable_progress_bars, tqdm
from datasets.utils.logging import set_verbosity

from dynosaur_core.card import MAX_CARD_BYTES, decode_card
from dynosaur_core.catalog.configs import Configs
from dynosaur_core.catalog.formats import (
    FORMATS,
    READ_ERRORS,
    check_pointers,
    first_line,
    is_memory,
    module_of,
    parsing,
)
from dynosaur_core.catalog.inside import check_files
from dynosaur_core.catalog.reader import sample_files
from dynosaur_core.catalog.splits import split_role
from dynosaur_core.digest import digest
from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.models import Split
from dynosaur_core.protocols import SourceSubset
from dynosaur_core.reading.features import is_media
from dynosaur_core.reading.together import Together, together
from dynosaur_core.settings import Sampling

disable_progress_bars()
set_verbosity(logging.CRITICAL)  # what it cannot read is an error of ours, with its cause
# threads that find no lock each make one and delete it after use, under the feet of the others
tqdm.set_lock(tqdm.get_lock())

_NAMING = {"name", "version", "description", "data_dir", "data_files", "features"}
"""Options of a config that say nothing of how its files are read, or that its fields show."""
_MOST_ROWS = 1 << 63


class FolderSource:
    """A `protocols.Source` over one local folder. `scratch` is for files of its own; the caller removes it."""

    def __init__(self, folder: Path, repo_id: str, scratch: Path) -> None:
        self.folder = folder
        self.repo_id = repo_id
        self._configs = Configs(folder, scratch)
        self._builders: dict[str, Any] = {}

    def card(self) -> str:
        return read_card(self.folder)

    def subsets(self) -> list[SourceSubset]:
        found = [self._subset(name) for name in self._configs.names()]
        problems = [subset.problem for subset in found if subset.problem is not None]
        if problems and len(problems) == len(found):
            raise problems[0]
        return found

    def sample(self, subset: SourceSubset, split: Split, sampling: Sampling) -> pa.Table:
        builder = self._builder(subset.config)
        keep = None if subset.features is None else [name for name, f in subset.features.items() if not is_media(f)]
        check_pointers(builder.config.data_files[split.name])
        try:
            return sample_files(builder, split.name, keep, sampling, digest(self.repo_id, subset.config, split.name))
        except (*READ_ERRORS, UnicodeError) as error:
            raise DynosaurError(
                Code.UNREADABLE_FILES, f"{subset.config}/{split.name} does not parse: {first_line(error)}"
            ) from error

    def _subset(self, name: Any) -> SourceSubset:
        try:
            if not isinstance(name, str):
                message = f'the names of configs must be text: write `config_name: "{name}"`, with quotes, in its card'
                raise DynosaurError(Code.UNREADABLE_FILES, message)
            return self._described(name)
        except DynosaurError as error:
            if not error.policy.one_config or is_memory(error):
                raise
            return SourceSubset(config=str(name), splits=(), problem=error)

    def _described(self, name: str) -> SourceSubset:
        builder = self._builder(name)
        counts = _row_counts(builder.info.splits)
        features, left_out = builder.info.features, {}
        if features is None and module_of(builder) == "parquet":
            seen = self._common(builder)
            features, left_out = (seen.features, seen.left_out) if seen else (None, {})
        splits = []
        for split in builder.config.data_files:
            splits.append(Split(name=str(split), role=split_role(str(split)), rows=counts.get(str(split)) or None))
        content = self._content(builder)
        return SourceSubset(name, tuple(splits), features, left_out, content)

    def _content(self, builder: Any) -> dict[str, str]:
        """A digest of what decides a split's rows: its files, and the options with which they are read."""
        options = {key: repr(value) for key, value in vars(builder.config).items() if key not in _NAMING}
        files = {
            str(split): [self._checksum(Path(str(path))) for path in paths]
            for split, paths in builder.config.data_files.items()
        }
        read_by = (module_of(builder), options)
        return {split: digest(read_by, known) for split, known in files.items() if all(known)}

    def _checksum(self, path: Path) -> str | None:
        """Digest of a file's content; None where it is not known, of which the reading of its rows says more."""
        try:
            with path.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError:
            return None

    def _builder(self, config: str) -> Any:
        if config not in self._builders:
            builder = self._configs.load(config)
            if module_of(builder) not in FORMATS:
                kind = module_of(builder)
                raise DynosaurError(Code.NO_DATA_FILES, f"config {config!r} is of the kind {kind!r}, which is not read")
            check_files(builder, self.folder)
            self._builders[config] = builder
        return self._builders[config]

    def _common(self, builder: Any) -> Together | None:
        """The features that parquet files have in common."""
        files = self._decisive(builder)
        return self._features_of(files) if files else None

    def _decisive(self, builder: Any) -> list[str]:
        """The files whose features count: of all splits but test splits, where there are others."""
        splits = builder.config.data_files
        wanted = [name for name in splits if split_role(str(name)) != "test"] or list(splits)
        return [str(path) for name in wanted for path in splits[name]]

    def _features_of(self, files: list[str]) -> Together:
        check_pointers(files)
        path = files[0]
        schemas: list[pa.Schema] = []
        try:
            for path in files:
                with parsing():
                    schema = pq.read_schema(path)
                if not any(schema.equals(other, check_metadata=True) for other in schemas):
                    schemas.append(schema)
            return together([schema.empty_table() for schema in schemas], None)
        except READ_ERRORS as error:
            raise DynosaurError(Code.UNREADABLE_FILES, f"{Path(path).name}: {first_line(error)}") from error


def _row_counts(splits: Any) -> dict[str, int]:
    """Rows of each split as far as the card counts them; it may say anything there."""
    said = splits.items() if isinstance(splits, dict) else ()
    counts = {str(name): getattr(info, "num_examples", None) for name, info in said}
    return {name: count for name, count in counts.items() if type(count) is int and 0 <= count < _MOST_ROWS}


def read_card(folder: Path) -> str:
    """Text of README.md, "" where there is none; a link to a file elsewhere is none. Raises UnreadableCard."""
    path = folder / "README.md"
    if not path.is_file() or not path.resolve().is_relative_to(folder.resolve()):
        return ""
    with path.open("rb") as file:
        return decode_card(file.read(MAX_CARD_BYTES))
