"""Content digests: the same content has the same name on every machine and in every run."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no spaces; pydantic models are dumped in JSON mode."""
    return _ENCODER.encode(value)


def digest(*parts: Any) -> str:
    """SHA-256 over the canonical JSON of `parts`, the first 32 hex digits (128 bits)."""
    return hashlib.sha256(canonical_json(parts).encode()).hexdigest()[:32]


def digest_bytes(data: bytes) -> str:
    """SHA-256 of raw bytes, the first 32 hex digits."""
    return hashlib.sha256(data).hexdigest()[:32]


def digest_file(path: Path) -> str:
    """`digest_bytes` of a file's content, which need not fit into memory."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:32]


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, set | frozenset):
        return sorted(value)
    raise TypeError(f"{type(value).__name__} has no canonical JSON")


_ENCODER = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=_plain)
