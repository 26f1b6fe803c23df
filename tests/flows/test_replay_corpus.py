"""Two growths of real datasets, half of them each, with recorded designs: what the second stage's mixture is."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import datasets
import pyarrow.parquet as pq
import pytest
from PIL import Image

from dynosaur_core.continual.choice import ReplayChoice
from flows.progress import MixtureMade, listening
from flows.replay import replay
from tests.flows.conftest import Grown
from tests.support.llm import LlmServer, Replay

pytestmark = pytest.mark.corpus
COLUMNS = {
    "alpaca": ["instruction", "input", "output"],
    "messages": ["messages"],
    "tk-instruct": ["Task", "Definition", "Instance"],
    "reference": ["instruction", "input", "output", "license", "website", "taskname"],
}


def test_replay_after_a_real_growth_makes_a_mixture_that_datasets_reads(
    run_growth: Callable[..., Grown],
    endpoint: LlmServer,
    corpus: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DYNOSAUR_EMBEDDING__ENCODER", "hashing")
    endpoint.behaviour.answerer = Replay(corpus / "gpt35.jsonl")
    hub, known = tmp_path / "half", sorted(path.relative_to(corpus / "hub") for path in (corpus / "hub").glob("*/*"))
    grown = []
    for half in (known[::2], known[1::2]):
        for name in half:
            shutil.copytree(corpus / "hub" / name, hub / name)
        [made] = run_growth(catalog=str(hub)).report.releases.values()
        grown.append(made.records)
    assert 0 < grown[0] < grown[1]
    summaries = []
    choice = ReplayChoice(strategy="coverage", tasks=8, rows=10, out=str(tmp_path / "mixture"))
    with listening(lambda event: summaries.append(event.summary) if isinstance(event, MixtureMade) else None):
        state = replay(choice, str(tmp_path / "store"), [str(tmp_path / "release")], return_state=True)
    assert state.is_completed(), state.message
    [summary] = summaries
    assert summary.new_rows == grown[1] - grown[0]
    assert summary.replayed_tasks == 8 and 8 < summary.replayed_rows <= 80
    rows = summary.new_rows + summary.replayed_rows
    out, cache = tmp_path / "mixture", str(tmp_path / "cache")
    loaded = datasets.load_dataset(str(out), cache_dir=cache)["train"]
    assert loaded.num_rows == rows and loaded.column_names == pq.read_schema(out / "data/train-00000.parquet").names
    assert sum(loaded["replayed"]) == summary.replayed_rows and set(loaded["version"]) == {1, 2}
    assert {path.stem for path in (out / "exports").iterdir()} == set(COLUMNS)
    for form, columns in COLUMNS.items():
        found = datasets.load_dataset("json", data_files=str(out / f"exports/{form}.jsonl"), cache_dir=cache)["train"]
        assert (found.column_names, found.num_rows) == (columns, rows)
    with Image.open(out / "map.png") as picture:
        assert picture.format == "PNG" and picture.size[0] > 600
