"""The data card of a subset, which explains its choice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from dynosaur_core.continual.card import SHOWN, header, short, sources, table
from dynosaur_core.continual.choice import SubsetChoice
from dynosaur_core.continual.overlap import OVERLAPS
from dynosaur_core.continual.split_card import overlaps
from dynosaur_core.publish.card import cell


def subset_card(summary: Mapping[str, Any], tasks: pa.Table, choice: SubsetChoice, key: str) -> str:
    """README.md of a subset; `tasks` is its tasks.parquet."""
    rows = tasks.to_pylist()
    chosen = [row for row in rows if row["rank"]]
    served = Counter(row["taken_for"] for row in chosen).most_common()
    lines = [
        header({row["license"] for row in chosen}, {"default": {"train": "data/*.parquet"}}, key),
        "# Tasks for an evaluation suite\n",
        f"{len(chosen):,} of the {summary['tasks']:,} tasks of {cell(summary['records'])}, with at most "
        f"{choice.rows:,} rows each, {summary['chosen_rows']:,} rows in all, made by `dynosaur subset` for the "
        f"{summary['test_tasks']:,} tasks of {cell(choice.suite)}.\n",
        "The test tasks took turns: each took the task whose instruction is nearest to its definition, by the cosine "
        f"of their embeddings ({cell(summary['encoder'])}), of those that were left. `tasks.parquet` says of every "
        "task which test task took it, or why it was left out.\n",
        "![The tasks by the first two principal components of their embeddings](map.png)\n",
        *sources((row["repo_id"], row["license"]) for row in chosen),
        "## Chosen first\n",
        *table(
            ("", "instruction", "dataset", "why"),
            [
                (str(row["rank"]), short(row["instruction"]), cell(row["repo_id"]), cell(row["why"]))
                for row in chosen[:SHOWN]
            ],
        ),
        "## For which test tasks\n",
        *table(("test task", "tasks"), [(cell(name), f"{count:,}") for name, count in served[:SHOWN]]),
        "## What was left out\n",
        f"{summary['left_out'].get('less_alike', 0):,} tasks, since others are nearer to every test task, and those "
        "that overlap with a test task:\n",
        *overlaps(summary["left_out"], [row for row in rows if row["why_left_out"] in OVERLAPS]),
    ]
    return "\n".join(lines)
