"""JSON from strangers, read within limits."""

from __future__ import annotations

import json
from typing import Any

MAX_BYTES = 64_000_000
MAX_VALUES = 2_000_000
"""Values of one document; an empty list takes two bytes of text, and some sixty of memory."""
MAX_DEPTH = 64


def read_json(data: bytes, max_bytes: int = MAX_BYTES) -> Any:
    """The document's value. Raises ValueError where it is not JSON, or beyond the limits."""
    check_size(data, max_bytes)
    try:
        return json.loads(data)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def check_size(data: bytes, max_bytes: int = MAX_BYTES) -> None:
    """Raises ValueError where a document is longer, or holds more values, than may be read."""
    if len(data) > max_bytes:
        raise ValueError(f"it is longer than {max_bytes:,} bytes")
    if data.count(b",") + data.count(b"[") + data.count(b"{") > MAX_VALUES:
        raise ValueError(f"it holds more than {MAX_VALUES:,} values")


def is_deep(value: Any, most: int = MAX_DEPTH) -> bool:
    """Whether lists and objects lie in one another in more than `most` levels."""
    level = [value]
    for _ in range(most + 1):
        level = [
            part
            for outer in level
            for part in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(part, dict | list)
        ]
        if not level:
            return False
    return True
