"""The data card of a mixture. Text of sources is untrusted: it is escaped for the place where it stands."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
from huggingface_hub import DatasetCardData

from dynosaur_core.continual.choice import ReplayChoice
from dynosaur_core.continual.choosing import Chosen
from dynosaur_core.publish.card import CARD as CARD
from dynosaur_core.publish.card import cell
from dynosaur_core.text import one_line

_SHOWN = 25
_CHARS = 160


def mixture_card(
    summary: Mapping[str, Any], chosen: Chosen, table: pa.Table, choice: ReplayChoice, *, pictured: bool
) -> str:
    """README.md: what the mixture is of, how it was chosen, and the first of the chosen tasks with the reason."""
    pool = chosen.pool
    tasks = [*pool.new, *(pool.earlier[at] for at, _ in chosen.picks)]
    licenses = Counter(task.license for task in tasks)
    header = DatasetCardData(
        license=sorted({name if re.fullmatch(r"[a-z0-9.+-]+", name) else "other" for name in licenses}) or None,
        task_categories=["text-generation"],
        tags=["instruction-tuning", "dynosaur"],
        configs=[{"config_name": "default", "data_files": [{"split": "train", "path": "data/*.parquet"}]}],
    )
    how = {name: value for name, value in choice.model_dump(exclude={"out"}).items() if value is not None}
    lines = [
        f"---\n{header.to_yaml()}\n---\n",
        "# A training mixture\n",
        f"The rows of {cell(summary['stage'])} and what is replayed of {cell(summary['earlier'])}, made by "
        "`dynosaur replay`. The column `replayed` says which is which, and `version` which version of the release "
        "added a row.\n",
        *_table(
            ("", "tasks", "rows"),
            [
                ("new", f"{summary['new_tasks']:,}", f"{summary['new_rows']:,}"),
                ("replayed", f"{summary['replayed_tasks']:,}", f"{summary['replayed_rows']:,}"),
            ],
        ),
        f"The replayed tasks were chosen from {summary['earlier_tasks']:,}"
        + (f", compared by {cell(summary['encoder'])}" if summary.get("encoder") else "")
        + f": {cell(', '.join(f'{name} = {value}' for name, value in how.items()))}.\n",
        *_table(("licence", "tasks"), [(cell(name), f"{count:,}") for name, count in licenses.most_common()]),
    ]
    if pictured:
        lines.append("![The tasks by the first two principal components of their embeddings](map.png)\n")
    if table.num_rows:
        shown = [
            (
                str(row["rank"]),
                cell(one_line(row["instruction"], _CHARS)),
                cell(row["repo_id"]),
                str(row["version"]),
                row["why"],
            )
            for row in table.slice(0, _SHOWN).to_pylist()
        ]
        lines.append(f"## Chosen first\n\nAll {table.num_rows:,} are in `chosen.parquet`.\n")
        lines += _table(("", "instruction", "dataset", "version", "why"), shown)
    return "\n".join(lines)


def _table(columns: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> list[str]:
    return [" | ".join(("", *row, "")).strip() for row in (columns, ("---",) * len(columns), *rows)] + [""]
