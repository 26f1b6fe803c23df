"""The figures that the filter owes, on designs of models and of people as annotators judged them, with real rows."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from dynosaur_core.catalog.folder import FolderCatalog
from dynosaur_core.check import Checker
from dynosaur_core.settings import Settings
from dynosaur_core.store import Store


@pytest.mark.corpus
@pytest.mark.parametrize(
    ("name", "designs", "least_rejected", "most_lost"),
    [("gpt35_labels", 141, 0.4, 0.03), ("modern_designs", 70, 0.0, 0.05), ("human_designs", 180, 0.3, 0.03)],
)
def test_bad_designs_fall_and_good_ones_stay(
    corpus: Path, tmp_path: Path, name: str, designs: int, least_rejected: float, most_lost: float
) -> None:
    """Without a judge, whose part the rest is."""
    lines = (corpus / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    checker = Checker(FolderCatalog(corpus / "hub"), Store(str(tmp_path)), Settings())
    rejected: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for line, verdict in zip(lines, checker.check(lines), strict=True):
        judged = json.loads(line)["verdict"]
        total[judged] += 1
        rejected[judged] += not verdict.accepted
    assert total["valid"] + total["invalid"] == designs
    assert rejected["invalid"] >= least_rejected * total["invalid"]
    assert rejected["valid"] <= most_lost * total["valid"]
