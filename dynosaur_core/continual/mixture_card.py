"""The data card of a mixture. Text of sources is untrusted: it is escaped for the place where it stands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from dynosaur_core.continual.card import SHOWN, header, short, sources, table
from dynosaur_core.continual.choice import ReplayChoice
from dynosaur_core.continual.choosing import Chosen
from dynosaur_core.publish.card import cell


def mixture_card(
    summary: Mapping[str, Any], chosen: Chosen, why: pa.Table, choice: ReplayChoice, key: str, *, pictured: bool
) -> str:
    """README.md: what the mixture is of, how it was chosen, and the first of the chosen tasks with the reason."""
    pool = chosen.pool
    tasks = [*pool.new, *(pool.earlier[at] for at, _ in chosen.picks)]
    how = {name: value for name, value in choice.model_dump(exclude={"out"}).items() if value is not None}
    lines = [
        header({task.license for task in tasks}, {"default": {"train": "data/*.parquet"}}, key),
        "# A training mixture\n",
        f"The rows of {cell(summary['stage'])} and what is replayed of {cell(summary['earlier'])}, made by "
        "`dynosaur replay`. The column `replayed` says which is which, and `version` which version of the release "
        "added a row.\n",
        *table(
            ("", "tasks", "rows"),
            [
                ("new", f"{summary['new_tasks']:,}", f"{summary['new_rows']:,}"),
                ("replayed", f"{summary['replayed_tasks']:,}", f"{summary['replayed_rows']:,}"),
            ],
        ),
        f"The replayed tasks were chosen from {summary['earlier_tasks']:,}"
        + (f", compared by {cell(summary['encoder'])}" if summary.get("encoder") else "")
        + f": {cell(', '.join(f'{name} = {value}' for name, value in how.items()))}.\n",
        *sources((task.repo_id, task.license) for task in tasks),
    ]
    if pictured:
        lines.append("![The tasks by the first two principal components of their embeddings](map.png)\n")
    if why.num_rows:
        shown = [
            (
                str(row["rank"]),
                short(row["instruction"]),
                cell(row["repo_id"]),
                str(row["version"]),
                row["why"],
            )
            for row in why.slice(0, SHOWN).to_pylist()
        ]
        lines.append(f"## Chosen first\n\nAll {why.num_rows:,} are in `chosen.parquet`.\n")
        lines += table(("", "instruction", "dataset", "version", "why"), shown)
    return "\n".join(lines)
