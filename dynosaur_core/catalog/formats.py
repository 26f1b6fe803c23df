"""What `datasets` finds in a folder: which formats are only data, and what their parsers say when they cannot read."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import yaml
from datasets import Audio, Image, Pdf, Value, Video
from datasets.exceptions import DatasetGenerationError, DatasetsError

FORMATS = {"parquet", "json", "csv", "text", "arrow"}
"""Packaged modules of `datasets` that only read data."""
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
