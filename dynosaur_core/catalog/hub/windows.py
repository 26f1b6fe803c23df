"""A sample of a split by the dataset viewer: a few stretches of consecutive rows, spread over the split."""

from __future__ import annotations

import pyarrow as pa

from dynosaur_core.catalog.hub.files import RemoteRepo
from dynosaur_core.catalog.hub.viewer import PAGE_ROWS, Viewer, as_written, window_table
from dynosaur_core.catalog.sampling import spread
from dynosaur_core.digest import digest
from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.reading.features import check_columns
from dynosaur_core.settings import Sampling


class UnusableError(Exception):
    """What a strategy needs is not there, for this reason; another strategy may do."""


class UnseenError(UnusableError):
    """The viewer does not have the revision, nor any split of it."""


def sample_windows(
    repo: RemoteRepo,
    viewer: Viewer,
    config: str,
    split: str,
    sampling: Sampling,
    *,
    count: int,
    text_format: str | None,
) -> pa.Table:
    """A sample in `count` windows. `text_format` is that of the files, `csv` or `json`, where the viewer may have
    rewritten their values.

    Raises UnusableError where the viewer does not have the rows as they are in the files, TruncatedCells where it has
    shortened cells, TooManyColumns.
    """
    length = min(PAGE_ROWS, -(-sampling.rows_per_split // count))
    first = viewer.window(repo, repo.revision, config, split, 0, length)
    if first is None:
        raise UnseenError("it does not have the revision")
    if text_format is not None and not as_written(first, text_format):
        raise UnusableError(f"its values are not those that the {text_format} files hold")
    check_columns(len(first.features), sampling.max_columns)
    windows = [first]
    seed = digest(digest(repo.repo_id, config, split), sampling.seed)
    for offset in _offsets(first.total, length, count, seed, sampling.first_rows):
        following = viewer.window(repo, repo.revision, config, split, offset, length)
        if following is None:
            raise UnusableError(f"it has no rows from {offset} on")
        windows.append(following)
    if any(window.cut for window in windows):
        raise DynosaurError(Code.TRUNCATED_CELLS, f"the viewer cut cells of {config}/{split}")
    try:
        return window_table(windows).slice(0, sampling.rows_per_split)
    except ValueError as error:  # a value that the viewer writes in another way than we know: the files tell
        raise UnusableError(str(error)) from error


def _offsets(total: int, length: int, count: int, seed: str, first: bool) -> list[int]:
    """Where the windows after the first begin: one drawn from each of the following stretches of the split."""
    if first or total <= length * count:
        return list(range(length, min(total, length * count), length))
    bounds = [length + (total - length) * n // (count - 1) for n in range(count)]
    draws = spread(1 << 32, count, seed)
    return [
        low + (high - low - length) * (draw % (1 << 16)) // (1 << 16)
        for low, high, draw in zip(bounds, bounds[1:], draws, strict=False)
    ]
