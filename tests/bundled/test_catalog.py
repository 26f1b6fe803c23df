"""The bundled datasets are what their cards and the README say."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest
import yaml
from datasets import ClassLabel, get_dataset_config_names, load_dataset
from datasets.exceptions import DatasetGenerationError

from dynosaur_core.bundled import bundled_catalog

CATALOG = bundled_catalog()
GOOD = {
    "attic/transport-survey": 37,
    "greenhouse/plant-reviews": 48,
    "harbour/museum-questions": 60,
    "inkwell/polite-rewrites": 40,
    "lantern/everyday-paraphrases": 44,
    "lantern/kitchen-nli": 48,
    "newsroom/topic-labels": 75,
    "newsroom/village-news": 30,
    "quizhall/school-quiz": 72,
    "snakepit/small-functions": 36,
    "switchboard/desk-dialogues": 30,
    "tablewright/bistro-descriptions": 44,
}
"""Rows over all configs and splits."""
ODD = {
    "attic/poem-endings",
    "attic/proverbs",
    "attic/radio-notes",
    "attic/script-only",
    "attic/travel-tips",
    "attic/water-damage",
    "cocina/recetas-breves",
    "pixelworks/coloured-shapes",
    "werkstatt/gartenfragen",
}


def header(repo_id: str) -> dict[str, object]:
    _, text, _ = (CATALOG / repo_id / "README.md").read_text().split("---\n", 2)
    loaded: dict[str, object] = yaml.safe_load(text)
    return loaded


def test_the_readme_names_every_dataset() -> None:
    folders = {f"{path.parent.name}/{path.name}" for path in CATALOG.glob("*/*")}
    assert folders == set(GOOD) | ODD
    named = set(re.findall(r"^\| `([\w-]+/[\w-]+)`", (CATALOG.parent / "README.md").read_text(), re.MULTILINE))
    assert named == folders
    assert sum(path.stat().st_size for path in CATALOG.rglob("*") if path.is_file()) < 300_000


@pytest.mark.parametrize("repo_id", sorted(GOOD))
def test_loads_with_balanced_labels_and_distinct_rows(repo_id: str, tmp_path: Path) -> None:
    folder = str(CATALOG / repo_id)
    total = 0
    for config in get_dataset_config_names(folder):
        splits = load_dataset(folder, config, cache_dir=str(tmp_path))
        rows = [row for split in splits.values() for row in split]
        total += len(rows)
        if repo_id != "attic/transport-survey":
            assert len({repr(row) for row in rows}) == len(rows)
            assert all(value not in (None, "", []) for row in rows for value in row.values())
        for name, feature in next(iter(splits.values())).features.items():
            if isinstance(feature, ClassLabel):
                counts = Counter(row[name] for row in rows if row[name] not in (None, -1))
                assert set(counts) == set(range(feature.num_classes))
                assert max(counts.values()) - min(counts.values()) <= 1
    assert total == GOOD[repo_id]


def test_answers_can_be_found_where_they_are_said_to_be(tmp_path: Path) -> None:
    spans = load_dataset(str(CATALOG / "harbour/museum-questions"), "spans", cache_dir=str(tmp_path))
    for row in (row for split in spans.values() for row in split):
        (text,), (start,) = row["answers"]["text"], row["answers"]["answer_start"]
        assert row["context"][start : start + len(text)] == text


def test_descriptions_name_what_the_attributes_say(tmp_path: Path) -> None:
    bistros = load_dataset(str(CATALOG / "tablewright/bistro-descriptions"), cache_dir=str(tmp_path))
    for row in (row for split in bistros.values() for row in split):
        attributes = dict(re.findall(r"(\w+)\[([^]]*)\]", row["meaning_representation"]))
        assert all(attributes[key] in row["reference"] for key in ("name", "type", "food"))
        assert ("childFriendly" in attributes) == bool(re.search(r"[Cc]hildren", row["reference"]))
        assert attributes.get("childFriendly") != "no" or re.search(r"not", row["reference"])


def test_odd_ones_are_odd_in_their_own_way(tmp_path: Path) -> None:
    assert "license" not in header("attic/radio-notes")
    assert header("attic/poem-endings")["license"] == "cc-by-nd-4.0"
    assert header("attic/travel-tips")["license"] == "cc-by-nc-4.0"
    assert header("werkstatt/gartenfragen")["language"] == ["de"]
    assert "language" not in header("cocina/recetas-breves")
    assert [path.suffix for path in (CATALOG / "attic/script-only").iterdir() if path.suffix != ".md"] == [".py"]
    assert load_dataset(str(CATALOG / "attic/proverbs"), cache_dir=str(tmp_path))["train"].column_names == ["text"]
    shapes = load_dataset(str(CATALOG / "pixelworks/coloured-shapes"), cache_dir=str(tmp_path))["train"]
    assert type(shapes.features["image"]).__name__ == "Image"
    assert shapes.data.column("image")[0].as_py()["bytes"].startswith(b"\x89PNG")
    with pytest.raises((DatasetGenerationError, ValueError)):
        load_dataset(str(CATALOG / "attic/water-damage"), cache_dir=str(tmp_path))
