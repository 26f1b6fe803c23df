"""Parts of the data cards of mixtures, splits and subsets. Text of sources is untrusted: it is escaped."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from huggingface_hub import DatasetCardData

from dynosaur_core.publish.card import CARD as CARD
from dynosaur_core.publish.card import cell
from dynosaur_core.text import one_line

SHOWN = 25
"""Lines of a table that a person reads; the files beside the card hold all."""
_CHARS = 160


def header(licenses: Iterable[str], configs: Mapping[str, Mapping[str, str]], key: str) -> str:
    """The YAML: licences, and per config the file of each split. `datasets` caches a local folder by its name and by
    this text: without the key it would take one folder for another that lay at a place of the same name."""
    data = DatasetCardData(
        license=sorted({name if re.fullmatch(r"[a-z0-9.+-]+", name) else "other" for name in licenses}) or None,
        task_categories=["text-generation"],
        tags=["instruction-tuning", "dynosaur"],
        configs=[
            {
                "config_name": name,
                "description": key,
                "data_files": [{"split": split, "path": path} for split, path in files.items()],
            }
            for name, files in configs.items()
        ],
    )
    return f"---\n{data.to_yaml()}\n---\n"


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Lines of a Markdown table, and an empty one after it."""
    return [" | ".join(("", *row, "")).strip() for row in (columns, ("---",) * len(columns), *rows)] + [""]


def short(text: str) -> str:
    """A cell with the beginning of an instruction."""
    return cell(one_line(text, _CHARS))


def sources(tasks: Iterable[tuple[str, str]]) -> list[str]:
    """Tables of licences and of datasets; `tasks` are (dataset, licence) of each task."""
    found = list(tasks)
    licenses = Counter(license for _, license in found).most_common()
    datasets = Counter(found).most_common()
    lines = table(("licence", "tasks"), [(cell(name), f"{count:,}") for name, count in licenses])
    lines += table(
        ("dataset", "licence", "tasks"),
        [(cell(name), cell(license), f"{count:,}") for (name, license), count in datasets[:SHOWN]],
    )
    if len(datasets) > SHOWN:
        lines += [f"... and {len(datasets) - SHOWN:,} more datasets.\n"]
    return lines
