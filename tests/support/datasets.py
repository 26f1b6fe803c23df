"""Makes small datasets in the Hub's layout, for tests."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

Row = Mapping[str, Any]


def write_dataset(
    root: Path,
    repo_id: str,
    splits: Mapping[str, Sequence[Row]],
    *,
    license: str | None = "mit",
    language: str | None = "en",
    summary: str | None = "A small dataset for tests.",
    features: list[dict[str, Any]] | None = None,
    **header: Any,
) -> Path:
    """Writes `<split>.jsonl` files and a card; `features` goes into the card's dataset_info."""
    folder = root / repo_id
    folder.mkdir(parents=True, exist_ok=True)
    for split, rows in splits.items():
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (folder / f"{split}.jsonl").write_text(text)
    data: dict[str, Any] = dict(header)
    if license:
        data["license"] = license
    if language:
        data["language"] = language
    if splits and "configs" not in data:
        files = [{"split": split, "path": f"{split}.jsonl"} for split in splits]
        data["configs"] = [{"config_name": "default", "data_files": files}]
    if features:
        data["dataset_info"] = {"features": features}
    card = f"---\n{yaml.safe_dump(data)}---\n# {repo_id}\n"
    if summary:
        card += f"\n## Dataset Summary\n\n{summary}\n"
    (folder / "README.md").write_text(card)
    return folder


_THINGS = ("kettle", "lamp", "chair", "radio", "jacket", "bicycle", "camera", "carpet", "pillow", "mirror")
_GOOD = ("works very well", "was a joy to use", "looks lovely in our home", "is worth every penny")
_BAD = ("broke after a week", "arrived with a crack", "never worked at all", "was a waste of money")


def reviews(count: int = 40, start: int = 0) -> list[dict[str, Any]]:
    """Rows of text and label (0 negative, 1 positive), both equally often, sorted by label."""
    rows = []
    for number in range(start, start + count):
        label = int(number - start >= count // 2)
        phrase = (_GOOD if label else _BAD)[number % 4]
        text = f"The {_THINGS[number % 10]} I bought in week {number} {phrase}, and I told my family about it."
        rows.append({"text": text, "label": label})
    return rows


REVIEW_FEATURES = [
    {"name": "text", "dtype": "string"},
    {"name": "label", "dtype": {"class_label": {"names": {"0": "negative", "1": "positive"}}}},
]


def questions(count: int = 40, start: int = 0) -> list[dict[str, Any]]:
    """Rows of context, question and answer; the answer stands in the context."""
    rows = []
    for number in range(start, start + count):
        thing = _THINGS[number % 10]
        place = f"room {number * 7 + 3}"
        context = f"In the museum of household things, the {thing} of the year {1900 + number} is shown in {place}."
        rows.append(
            {"context": context, "question": f"Where is the {thing} of {1900 + number} shown?", "answer": place}
        )
    return rows


def two_good_and_one_refused(root: Path) -> None:
    """A catalogue of a sentiment dataset, a question answering one, and one that may not be derived from."""
    write_dataset(root, "shop/reviews", {"train": reviews()}, features=REVIEW_FEATURES)
    write_dataset(root, "museum/questions", {"train": questions(30), "validation": questions(12, 100)}, summary=None)
    write_dataset(root, "press/stories", {"train": reviews()}, license="cc-by-nd-4.0")
