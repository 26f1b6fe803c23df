"""The data card of a synthetic split, with the report of what overlapped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dynosaur_core.continual.card import SHOWN, header, short, sources, table
from dynosaur_core.continual.choice import SplitChoice
from dynosaur_core.continual.overlap import NGRAM, OVERLAPS
from dynosaur_core.publish.card import cell

_LEAKS = f"""\
## What does not leak

A task is in one stage. A held-out row has no copy among the rows that are trained on, in any stage: rows of one row of
a source, with the same words as input, or with inputs that share {NGRAM} words in a row (as in Brown et al., 2020) are
held out together or not at all, whatever their tasks; words that stand in more than half of a task's rows are the
wording of its form, and do not count. {{rows}} rows are in neither part: they belong to held-out rows, and their task
has enough of those. Of {{without}} tasks no row is held out, since all belong together.
"""
_TEST = f"""\
## What overlapped with the test

Left out are {{count}} of {{tasks}} tasks, which share words with one of the suite's {{tests}} tasks: the instruction, a
row, {NGRAM} words in a row, or the name of the dataset. `tasks.parquet` names all of them.
"""


def split_card(summary: Mapping[str, Any], tasks: Sequence[Mapping[str, Any]], choice: SplitChoice, key: str) -> str:
    """README.md of a split; `tasks` are the rows of tasks.parquet."""
    kept = [task for task in tasks if task["stage"]]
    how = choice.model_dump(exclude={"records", "out"}, exclude_none=True)
    lines = [
        header({task["license"] for task in kept}, _configs(summary["stages"]), key),
        "# Stages for experiments\n",
        f"The tasks of {cell(summary['records'])} in {len(summary['stages'])} stages, made by `dynosaur split`: "
        f"{cell(', '.join(f'{name} = {value}' for name, value in how.items()))}.\n",
        *table(
            ("stage", "tasks", "rows to train on", "rows held out"),
            [
                (str(number), *(f"{each[name]:,}" for name in ("tasks", "train", "held_out")))
                for number, each in enumerate(summary["stages"], start=1)
            ],
        ),
        '`load_dataset(FOLDER, "stage-1")` has the splits `train` and `held_out`; `stage-1/exports` and '
        "`stage-1/held-out/exports` have the same rows in other forms. `dynosaur replay --stage FOLDER@2 --from "
        "FOLDER@1` makes the mixture of the second stage.\n",
        *sources((task["repo_id"], task["license"]) for task in kept),
        _LEAKS.format(rows=f"{summary['left_out_rows']:,}", without=f"{summary['without_held_out']:,}"),
    ]
    if choice.test:
        left = summary["left_out_tasks"]
        counts = {"count": sum(left.values()), "tasks": len(tasks), "tests": summary["test_tasks"]}
        lines.append(_TEST.format(**{name: f"{value:,}" for name, value in counts.items()}))
        lines += overlaps(left, [task for task in tasks if task["why_left_out"] in OVERLAPS])
    return "\n".join(lines)


def overlaps(counts: Mapping[str, int], left_out: Sequence[Mapping[str, Any]]) -> list[str]:
    """Tables of the kinds of overlap with their counts, and of the first tasks with what they share."""
    known = [(cell(kind), why, f"{counts[kind]:,}") for kind, why in OVERLAPS.items() if counts.get(kind)]
    lines = table(("", "why", "tasks"), known) if known else []
    if left_out:
        shown = [
            (
                short(task["instruction"]),
                cell(task["repo_id"]),
                cell(task["why_left_out"]),
                cell(task["test_task"]),
                short(task["example"]),
            )
            for task in left_out[:SHOWN]
        ]
        lines += table(("task", "dataset", "why", "test task", "what they share"), shown)
    return lines


def _configs(stages: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, str]]:
    configs = {}
    for number, each in enumerate(stages, start=1):
        held = {"held_out": f"stage-{number}/held-out/*.parquet"} if each["held_out"] else {}
        configs[f"stage-{number}"] = {"train": f"stage-{number}/data/*.parquet", **held}
    return configs
