"""Small dataset repositories for tests."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from datasets import Features

SUMMARY = "## Dataset Summary\n\nShort reviews of films with the opinion of their writers.\n"


def card(prose: str = SUMMARY, **header: Any) -> str:
    """README.md with a YAML header; licence and language are set unless the header says otherwise."""
    header = {"license": "mit", "language": ["en"], **header}
    return f"---\n{yaml.safe_dump(header, sort_keys=False)}---\n{prose}"


def parquet(columns: Mapping[str, Sequence[Any]], features: Features | None = None, group: int = 1000) -> bytes:
    """A parquet file as `datasets` writes it, its features in the schema."""
    features = features or Features.from_arrow_schema(pa.table(dict(columns)).schema)
    table, sink = pa.table(dict(columns), schema=features.arrow_schema), io.BytesIO()
    pq.write_table(table, sink, group)
    return sink.getvalue()


def jsonl(rows: Sequence[Mapping[str, Any]]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def reviews(count: int, words: int = 8) -> dict[str, list[Any]]:
    """Columns `text` and `label`; sorted by label, so that a sample of the first rows would have one class only."""
    texts = [" ".join(f"w{(n * 7919 + k * 104729) % 50021}" for k in range(words)) for n in range(count)]
    return {"text": texts, "label": [int(n >= count // 2) for n in range(count)]}
