"""The figures that the filter owes, on GPT-3.5's designs as two annotators judged them, with real rows."""

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
def test_bad_designs_fall_and_good_ones_stay(corpus: Path, tmp_path: Path) -> None:
    lines = (corpus / "gpt35_labels.jsonl").read_text(encoding="utf-8").splitlines()
    checker = Checker(FolderCatalog(corpus / "hub"), Store(str(tmp_path)), Settings())
    rejected: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for line, verdict in zip(lines, checker.check(lines), strict=True):
        judged = json.loads(line)["verdict"]
        total[judged] += 1
        rejected[judged] += not verdict.accepted
    assert total["invalid"] == 57
    assert rejected["invalid"] >= 0.7 * total["invalid"]
    assert rejected["valid"] <= 0.05 * total["valid"]
