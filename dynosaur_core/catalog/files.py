"""Reading a dataset that lies in a local folder in the Hub's layout, through `datasets` and `pyarrow`.

Only formats that are plain data are read: a pickle or a loading script would run its author's code.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from datasets import Audio, Features, Image, Pdf, Value, Video, get_dataset_config_names, load_dataset_builder
from datasets.exceptions import DatasetGenerationError, DatasetsError
from datasets.utils import disable_progress_bars, tqdm
from datasets.utils.logging import set_verbosity

from dynosaur_core.card import MAX_CARD_BYTES, decode_card
from dynosaur_core.catalog.inside import check_folder, check_path
from dynosaur_core.catalog.splits import split_role
from dynosaur_core.digest import digest
from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.models import ROW_COLUMN, Split
from dynosaur_core.protocols import SourceSubset
from dynosaur_core.settings import Sampling

FORMATS = {"parquet", "json", "csv", "text", "arrow"}
"""Packaged modules of `datasets` that only read data."""
_BATCH = 1_000
READ_ERRORS = (
    OSError,
    ValueError,
    TypeError,
    KeyError,
    NotImplementedError,
    pa.ArrowException,
    yaml.YAMLError,
    DatasetsError,
    DatasetGenerationError,
)
"""What `datasets` and its parsers raise for files and cards that they cannot read; anything else is a bug."""

disable_progress_bars()
set_verbosity(logging.CRITICAL)  # what it cannot read is an error of ours, with its cause
# threads that find no lock each make one and delete it after use, under the feet of the others
tqdm.set_lock(tqdm.get_lock())


class FolderSource:
    """A `protocols.Source` over one local folder."""

    def __init__(self, folder: Path, repo_id: str) -> None:
        self.folder = folder
        self.repo_id = repo_id
        self._builders: dict[str, Any] = {}

    def card(self) -> str:
        return read_card(self.folder)

    def subsets(self) -> list[SourceSubset]:
        check_folder(self.folder)
        try:
            names = get_dataset_config_names(str(self.folder))
        except (*READ_ERRORS, RuntimeError) as error:
            raise self._listing_error(error) from error
        return [self._subset(name) for name in names]

    def sample(self, subset: SourceSubset, split: Split, sampling: Sampling) -> pa.Table:
        builder = self._builder(subset.config)
        files = [str(path) for path in builder.config.data_files[split.name]]
        keep = None if subset.features is None else [name for name, f in subset.features.items() if not is_media(f)]
        try:
            if module_of(builder) == "parquet":
                return sample_parquet(files, keep, sampling, digest(self.repo_id, subset.config, split.name))
            return sample_stream(builder, split.name, keep, sampling, digest(self.repo_id, subset.config, split.name))
        except READ_ERRORS as error:
            raise DynosaurError(
                Code.UNREADABLE_FILES, f"{subset.config}/{split.name} does not parse: {first_line(error)}"
            ) from error

    def _subset(self, name: str) -> SourceSubset:
        builder = self._builder(name)
        counts = {key: info.num_examples for key, info in (builder.info.splits or {}).items()}
        features = builder.info.features
        if features is None and module_of(builder) == "parquet":
            features = self._parquet_features(builder)
        splits = []
        for split in builder.config.data_files:
            rows = counts.get(str(split)) or None
            splits.append(Split(name=str(split), role=split_role(str(split)), rows=rows))
        return SourceSubset(config=name, splits=tuple(splits), features=features)

    def _builder(self, config: str) -> Any:
        if config not in self._builders:
            try:
                builder = load_dataset_builder(str(self.folder), config)
            except (*READ_ERRORS, RuntimeError) as error:
                raise self._listing_error(error) from error
            if module_of(builder) not in FORMATS:
                kind = module_of(builder)
                raise DynosaurError(Code.NO_DATA_FILES, f"config {config!r} is of the kind {kind!r}, which is not read")
            self._check_files(builder)
            self._builders[config] = builder
        return self._builders[config]

    def _parquet_features(self, builder: Any) -> Features | None:
        files = [str(path) for paths in builder.config.data_files.values() for path in paths]
        try:
            return Features.from_arrow_schema(pq.read_schema(files[0])) if files else None
        except READ_ERRORS as error:
            raise DynosaurError(Code.UNREADABLE_FILES, f"{Path(files[0]).name}: {first_line(error)}") from error

    def _check_files(self, builder: Any) -> None:
        root = self.folder.resolve()
        for paths in builder.config.data_files.values():
            for path in paths:
                check_path(Path(str(path)), root)

    def _listing_error(self, error: Exception) -> DynosaurError:
        scripts = [path.name for path in self.folder.glob("*.py")]
        if scripts:  # `datasets` says so with a RuntimeError, or finds nothing else to read
            return DynosaurError(Code.SCRIPT_DATASET, f"it has a loading script ({scripts[0]}) and no data files")
        if isinstance(error, RecursionError):
            return DynosaurError(Code.UNREADABLE_FILES, "its configs hold values that are nested too deeply")
        if isinstance(error, RuntimeError) and not isinstance(error, NotImplementedError):
            return DynosaurError(Code.UNEXPECTED, f"its configs cannot be read: {first_line(error)}")
        if not any(path.is_file() and path.name != "README.md" for path in self.folder.rglob("*")):
            return DynosaurError(Code.NO_DATA_FILES, "the folder holds no data file")
        return DynosaurError(Code.UNREADABLE_FILES, f"its configs cannot be read: {first_line(error)}")


def read_card(folder: Path) -> str:
    """Text of README.md, "" where there is none; a link to a file elsewhere is none. Raises UnreadableCard."""
    path = folder / "README.md"
    if not path.is_file() or not path.resolve().is_relative_to(folder.resolve()):
        return ""
    with path.open("rb") as file:
        return decode_card(file.read(MAX_CARD_BYTES))


def module_of(builder: Any) -> str:
    """`json` for a builder of datasets.packaged_modules.json.json."""
    for base in type(builder).__mro__:
        if base.__module__.startswith("datasets.packaged_modules."):
            return base.__module__.split(".")[2]
    return "script"


def is_media(feature: Any) -> bool:
    """Whether a feature is, or holds, an image, sound, video, document or bytes."""
    if isinstance(feature, Image | Audio | Video | Pdf):
        return True
    if isinstance(feature, Value):
        return "binary" in feature.dtype
    if isinstance(feature, dict):
        return any(is_media(part) for part in feature.values())
    inner = getattr(feature, "feature", None)
    return inner is not None and is_media(inner)


def first_line(error: BaseException) -> str:
    """The innermost cause in one line, without the paths of this machine where it names a file."""
    while error.__cause__ is not None:
        error = error.__cause__
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0][:300]}" if text else type(error).__name__


def spread(n_rows: int, n: int, seed: str, first: bool = False) -> list[int]:
    """At most `n` row numbers of `n_rows`: one drawn from each of `n` equal stretches, so that sorted data keep all
    their classes; or the first `n`. Ascending; the same seed gives the same rows."""
    if first or n_rows <= n:
        return list(range(min(n, n_rows)))
    bounds = np.linspace(0, n_rows, n + 1).astype(np.int64)
    draws = np.random.default_rng(int(seed[:16], 16)).random(n)
    return [int(low + draw * (high - low)) for low, high, draw in zip(bounds, bounds[1:], draws, strict=False)]


def sample_parquet(files: list[str], keep: list[str] | None, sampling: Sampling, name: str) -> pa.Table:
    """Reads just the chosen rows, row group by row group; memory is bounded by one batch."""
    counts = [pq.read_metadata(path).num_rows for path in files]
    total = sum(counts)
    chosen = np.array(
        spread(total, sampling.rows_per_split, digest(name, sampling.seed), sampling.first_rows), dtype=np.int64
    )
    parts: list[pa.Table] = []
    start = 0
    for path, count in zip(files, counts, strict=True):
        wanted = chosen[(chosen >= start) & (chosen < start + count)]
        if len(wanted) or (path is files[-1] and not parts):
            with pq.ParquetFile(path) as file:
                parts.append(_take_groups(file, keep, wanted, start))
        start += count
    return pa.concat_tables(parts, promote_options="permissive")


def _take_groups(file: pq.ParquetFile, keep: list[str] | None, wanted: np.ndarray, start: int) -> pa.Table:
    columns = keep if keep is not None else file.schema_arrow.names
    parts: list[pa.Table] = []
    for group in range(file.num_row_groups):
        stop = start + file.metadata.row_group(group).num_rows
        here = wanted[(wanted >= start) & (wanted < stop)]
        if len(here):
            parts.append(_take(file.iter_batches(_BATCH, [group], columns), here, start))
        start = stop
    if not parts:
        return file.schema_arrow.empty_table().select(columns).append_column(ROW_COLUMN, _rows([]))
    return pa.concat_tables(parts, promote_options="permissive")


def _take(batches: Iterator[pa.RecordBatch], wanted: np.ndarray, start: int) -> pa.Table:
    parts = []
    for batch in batches:
        here = wanted[(wanted >= start) & (wanted < start + len(batch))]
        if len(here):
            table = pa.Table.from_batches([batch]).take(pa.array(here - start))
            parts.append(table.append_column(ROW_COLUMN, _rows(here)))
        start += len(batch)
    return pa.concat_tables(parts)


def sample_stream(builder: Any, split: str, keep: list[str] | None, sampling: Sampling, name: str) -> pa.Table:
    """One pass over a split of unknown length: every row draws a number by its position, the smallest stay."""
    stream = builder.as_streaming_dataset(split)
    if keep is not None and set(keep) != set(stream.column_names or keep):
        stream = stream.select_columns(keep)
    kept: pa.Table | None = None
    priorities = np.array([], dtype=np.float64)
    start, seed = 0, int(digest(name, sampling.seed)[:15], 16)
    for batch in stream.with_format("arrow").iter(batch_size=_BATCH):
        table = batch if isinstance(batch, pa.Table) else pa.table(batch)
        rows = np.arange(start, start + len(table))
        start += len(table)
        drawn = rows.astype(np.float64) if sampling.first_rows else _draw(rows, seed)
        merged = np.concatenate([priorities, drawn])
        table = table.append_column(ROW_COLUMN, _rows(rows))
        both = table if kept is None else pa.concat_tables([kept, table], promote_options="permissive")
        stay = np.sort(np.argsort(merged, kind="stable")[: sampling.rows_per_split])
        kept, priorities = both.take(pa.array(stay)), merged[stay]
        if sampling.first_rows and start >= sampling.rows_per_split:
            break
    if kept is None:
        return pa.table({ROW_COLUMN: _rows([])})
    return kept.combine_chunks()


def _draw(rows: np.ndarray, seed: int) -> np.ndarray:
    """A pseudo-random number per row position (SplitMix64's mixing), the same in every run."""
    with np.errstate(over="ignore"):
        x = rows.astype(np.uint64) + np.uint64(seed)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return (x ^ (x >> np.uint64(31))).astype(np.float64)


def _rows(values: Any) -> pa.Array:
    return pa.array(values, type=pa.int64())
