"""One dataset of the Hub, read for few requests and few bytes, at one revision.

What is there is found from the card and the list of files: two requests. A sample of a split is then read by the first
of `STRATEGIES` that suits it:

    small files     whole, where all sampled splits of the config are small together, or the split has few rows
    viewer          a few stretches of rows, where the dataset viewer has this revision
    moderate files  whole
    row groups      a few of parquet files, the dataset's own or those of the branch that the viewer has converted
    stream          the first rows by `datasets`, in a process of its own

A strategy that meets something that another may not meet (UnusableError, or an error whose policy is `one_strategy`)
is followed by the next one; any other error is the dataset's. Where no strategy is left the first error is raised.
"""

from __future__ import annotations

import math
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from dynosaur_core.catalog.formats import first_line
from dynosaur_core.catalog.hub.files import RemoteRepo, SkeletonSource
from dynosaur_core.catalog.hub.ranges import sample_ranges
from dynosaur_core.catalog.hub.viewer import PAGE_ROWS, Viewer
from dynosaur_core.catalog.hub.windows import UnseenError, UnusableError, sample_windows
from dynosaur_core.catalog.inside import OutsideError
from dynosaur_core.catalog.splits import split_role
from dynosaur_core.digest import digest
from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.logs import logger
from dynosaur_core.models import DatasetRef, Split
from dynosaur_core.protocols import SourceSubset
from dynosaur_core.reading.features import check_columns
from dynosaur_core.settings import Sampling

_LOG = logger("hub")
SMALL = 250_000
"""Bytes: all sampled splits of a config together, when they are read whole at once."""
FEW = 3
"""A split of at most this many times the wanted rows costs less as a file than as the viewer's JSON."""
MODERATE = {True: 2_000_000, False: 16_000_000}
"""Bytes of one split that is read whole where the viewer cannot help: parquet files, all others."""
PACKED = {".gz": 500_000, ".bz2": 0, ".xz": 0, ".zst": 0, ".lz4": 0, ".zip": 0}
"""Bytes of a packed file that is unpacked in this process at most: it may hold a thousand times its size, or more."""
REQUESTS = 6
"""What a dataset of one config should cost at most; decides in how many windows the viewer is asked."""
WINDOWS = (2, 4)
"""At least and at most, for one split."""

Stream = Callable[[dict[str, str], Sampling, float], pa.Table]
"""Reads a sample of a split (repo_id, revision, config, split) until the deadline, as `stream.sample_streamed`."""


class HubSource:
    """A `protocols.Source` of the Hub. Use it from one thread; `folder` is for the files that are brought here."""

    def __init__(
        self, repo: RemoteRepo, viewer: Viewer, stream: Stream, ref: DatasetRef, deadline_s: float, folder: Path
    ) -> None:
        self.ref = ref
        self._repo, self._viewer, self._stream = repo, viewer, stream
        self._deadline_s = deadline_s
        self._folder = folder
        self._card: str | None = None
        self._files: SkeletonSource | None = None
        self._found: list[SourceSubset] | None = None
        self._sampled: set[tuple[str, str]] = set()
        self._brought: set[tuple[str, str]] = set()
        """Splits whose files were read whole, or tried to be."""
        self._unseen = False
        """The viewer does not have this revision."""

    @property
    def requests(self) -> int:
        """Requests made for this dataset so far."""
        return self._repo.requests

    def card(self) -> str:
        self._begin()
        if self._card is None:
            self._card = self._repo.card()
        return self._card

    def subsets(self) -> list[SourceSubset]:
        self._begin()
        if self._found is None:
            card = self.card()
            self._files = SkeletonSource(self._folder, self._repo, card, SMALL)
            try:
                self._found = self._files.subsets()
            except OutsideError:
                raise  # what the viewer has of it is not the dataset's own, either
            except zipfile.BadZipFile:  # to know what an archive holds it would have to be here
                self._found = self._converted_subsets(DynosaurError(Code.NO_DATA_FILES, "it holds zip archives only"))
            except DynosaurError as error:
                self._found = self._converted_subsets(error)
        return self._found

    def sample(self, subset: SourceSubset, split: Split, sampling: Sampling) -> pa.Table:
        self._begin()
        self.subsets()
        check_columns(len(subset.features or ()), sampling.max_columns)
        problem: DynosaurError | None = None
        passed: list[str] = []
        for strategy in STRATEGIES:
            if not strategy.suits(self, subset, split, sampling):
                continue
            try:
                table = strategy.read(self, subset, split, sampling)
            except UnusableError as why:
                passed.append(f"{strategy.name}: {why}")
            except DynosaurError as error:
                if not error.policy.one_strategy:
                    raise
                problem = problem or error
                passed.append(f"{strategy.name}: {error}")
            else:
                check_columns(len(table.schema) - 1, sampling.max_columns)
                self._sampled.add((subset.config, split.name))
                if passed:
                    place = f"{self.ref.repo_id}: {subset.config}/{split.name}"
                    _LOG.info("%s is read by %s, after %s", place, strategy.name, "; ".join(passed))
                return table
        raise problem or DynosaurError(Code.UNREADABLE_FILES, f"{subset.config}/{split.name} cannot be read")

    def _begin(self) -> None:
        """The time for reading starts with the first request."""
        if math.isinf(self._repo.deadline):
            self._repo.deadline = time.monotonic() + self._deadline_s

    def _converted_subsets(self, error: DynosaurError) -> list[SourceSubset]:
        """What the viewer made of files that we do not read, such as those of a loading script; else the error."""
        files = self._viewer.converted(self._repo, self.ref.revision)
        if not error.policy.one_strategy or not files:
            raise error
        self._files = None
        configs: dict[str, list[str]] = {}
        for file in files:
            names = configs.setdefault(file.config, [])
            if file.split not in names:
                names.append(file.split)
        return [
            SourceSubset(config, tuple(Split(name=name, role=split_role(name)) for name in names))
            for config, names in configs.items()
        ]

    def _is_small(self, subset: SourceSubset, split: Split, sampling: Sampling) -> bool:
        size = sum(self._split_size(subset, other) for other in {split, *subset.sampled(sampling)})
        few = split.rows is not None and split.rows <= FEW * sampling.rows_per_split
        return size <= SMALL or (few and self._split_size(subset, split) <= MODERATE[True])

    def _is_seen(self, _subset: SourceSubset, _split: Split, _sampling: Sampling) -> bool:
        return not self._unseen

    def _windows(self, subset: SourceSubset, split: Split, sampling: Sampling) -> pa.Table:
        given = (self._repo, self._viewer, subset.config, split.name, sampling)
        count, text_format = self._window_count(subset, sampling), self._text_format(subset)
        try:
            return sample_windows(*given, count=count, text_format=text_format)
        except UnseenError:
            self._unseen = True
            raise

    def _text_format(self, subset: SourceSubset) -> str | None:
        return self._files.text_format(subset.config) if self._files is not None else None

    def _window_count(self, subset: SourceSubset, sampling: Sampling) -> int:
        waiting = sum((subset.config, split.name) not in self._sampled for split in subset.sampled(sampling))
        low, high = WINDOWS
        affordable = (REQUESTS - self.requests) // max(waiting, 1)
        return max(-(-sampling.rows_per_split // PAGE_ROWS), low, min(high, affordable))

    def _split_size(self, subset: SourceSubset, split: Split) -> float:
        """Bytes of the split's own files; infinite where they may not be unpacked here."""
        if self._files is None:
            return math.inf
        files = self._files.remote(subset.config, split.name)
        if any(file.size > PACKED.get(Path(file.path).suffix.lower(), file.size) for file in files):
            return math.inf
        return sum(file.size for file in files)

    def _is_moderate(self, subset: SourceSubset, split: Split, _sampling: Sampling) -> bool:
        files = self._files
        return files is not None and self._split_size(subset, split) <= MODERATE[files.is_parquet(subset.config)]

    def _whole(self, subset: SourceSubset, split: Split, sampling: Sampling) -> pa.Table:
        assert self._files is not None, "files without a list have no size, which is never small"
        self._brought.add((subset.config, split.name))
        return self._files.read_and_sample(subset, split, sampling)

    def _is_binary(self, subset: SourceSubset, _split: Split, _sampling: Sampling) -> bool:
        return self._text_format(subset) is None

    def _ranges(self, subset: SourceSubset, split: Split, sampling: Sampling) -> pa.Table:
        if self._files is not None and self._files.is_parquet(subset.config):
            files = [(self._repo.url(file), file.size) for file in self._files.remote(subset.config, split.name)]
        else:
            asked = (self._repo, self.ref.revision, subset.config)
            converted = () if self._unseen else self._viewer.converted(*asked)
            files = [(file.url, file.size) for file in converted if file.split == split.name]
        if not files:
            raise UnusableError("it has no parquet files, nor has the viewer made any")
        name = digest(self.ref.repo_id, subset.config, split.name)
        try:
            return sample_ranges(self._repo, files, sampling, name)
        except (pa.ArrowException, OSError, ValueError) as error:
            message = f"{subset.config}/{split.name} does not parse: {first_line(error)}"
            raise DynosaurError(Code.UNREADABLE_FILES, message) from error

    def _may_stream(self, subset: SourceSubset, split: Split, _sampling: Sampling) -> bool:
        """What could not be read from the files here is no better as a stream."""
        return self._files is not None and (subset.config, split.name) not in self._brought

    def _streamed(self, subset: SourceSubset, split: Split, sampling: Sampling) -> pa.Table:
        request = {
            "repo_id": self.ref.repo_id,
            "revision": self.ref.revision,
            "config": subset.config,
            "split": split.name,
        }
        return self._stream(request, sampling, self._repo.deadline)


@dataclass(frozen=True)
class Strategy:
    """A way to read a sample of a split."""

    name: str
    suits: Callable[[HubSource, SourceSubset, Split, Sampling], bool]
    """Whether it is worth a try; decided without a request."""
    read: Callable[[HubSource, SourceSubset, Split, Sampling], pa.Table]


STRATEGIES = (
    Strategy("small files", HubSource._is_small, HubSource._whole),
    Strategy("viewer", HubSource._is_seen, HubSource._windows),
    Strategy("moderate files", HubSource._is_moderate, HubSource._whole),
    Strategy("row groups", HubSource._is_binary, HubSource._ranges),
    Strategy("stream", HubSource._may_stream, HubSource._streamed),
)
"""The cheapest first."""
