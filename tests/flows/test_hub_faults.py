"""A Hub with failing parts, and datasets with odd ones: the release is the same, and every fault stays where it is."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.flows.conftest import Grown
from tests.flows.hub_case import add_dataset, add_reviews, release_commits, released
from tests.support.datasets import questions, reviews
from tests.support.hub import Fault, Faults, LoopbackHub
from tests.support.hub.content import card, parquet

Night = Callable[..., Grown]


def fill(hub: LoopbackHub, count: int) -> None:
    for n in range(count):
        add_reviews(hub, f"shop/r{n}", start=n * 100)
    add_dataset(hub, "museum/questions", {"train": questions(30), "validation": questions(12, 100)}, summary=None)
    texts = [row["text"] for row in reviews(3_000)]
    columns = {"text": texts, "label": [n % 2 for n in range(3_000)], "note": ["x" * 200] * 3_000}
    hub.add("big/rows", {"README.md": card(), "data/train.parquet": parquet(columns, group=500)})


def test_a_tenth_of_the_requests_failing_changes_nothing(night: Night, hub: LoopbackHub, tmp_path: Path) -> None:
    fill(hub, 12)
    undisturbed = night(store=str(tmp_path / "a"))
    assert undisturbed.report.grown == 14 and undisturbed.report.failures == []
    expected = released(hub).content
    first = hub["me/grown"].head.sha
    hub.delete("me/grown")
    hub.faults = Faults(0.1, seed=1)
    disturbed = night(store=str(tmp_path / "b"))
    hub.faults.clear()
    assert hub.faults.committed.total() >= 4
    assert disturbed.report.failures == [] and disturbed.report.grown == 14
    assert disturbed.report.release_errors == {}
    assert released(hub).content == expected
    assert len(set(expected)) == len(expected)
    [made] = release_commits(hub)
    assert made != first
    assert hub["me/grown"].tags == {"v1": made}


def test_odd_datasets_fail_by_their_own_codes(night: Night, hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DYNOSAUR_SAMPLING__DEADLINE_S", "40")
    monkeypatch.setenv("DYNOSAUR_SAMPLING__MAX_BYTES", "100000")
    monkeypatch.setenv("DYNOSAUR_SAMPLING__MAX_ROW_BYTES", "50000")
    monkeypatch.setenv("DYNOSAUR_MAX_FAILURE_RATIO", "1")
    add_reviews(hub, "good/reviews")
    add_dataset(hub, "good/ünusual näme", {"train": reviews()})  # no client could ask for it
    odd = {"train": [{**row, "label": ["no", "yes"][row["label"]]} for row in reviews(start=100)]}
    add_dataset(hub, "good/a.b-c_d--e", odd, configs=[{"config_name": "two words; é#%", "data_files": "*.jsonl"}])
    fields = [{"a field/ñ": row["text"], "label #?%": ["no", "yes"][row["label"]]} for row in reviews(start=200)]
    add_dataset(hub, "good/fields", {"träin set": fields}, configs=[{"config_name": "x", "data_files": "*.jsonl"}])
    head = {"README.md": card()}
    add_reviews(hub, "odd/hangs")
    hub.faults.add(Fault("hang", match="odd/hangs/resolve"))
    add_reviews(hub, "good/late", start=300)
    hub.faults.add(Fault("503", match="good/late/resolve", times=5))  # until the task is tried again
    hub.add("odd/garbage", {**head, "train.jsonl": b'{"text": "half a li'})
    hub.add("odd/garbage-parquet", {**head, "train.parquet": b"PAR1 this is none PAR1"})
    hub.add("odd/script", {**head, "script.py": "raise SystemExit('never run')"})
    hub.add("odd/empty", head)
    wide = pa.table({f"c{n}": ["x", "y"] for n in range(10_000)})
    sink = io.BytesIO()
    pq.write_table(wide, sink)
    hub.add("odd/wide", {**head, "train.parquet": sink.getvalue()})
    hub.add("odd/bad-card", {"README.md": "---\nlicense: [mit\n---\n", "train.jsonl": json.dumps({"a": 1})})
    cells = io.BytesIO()
    pq.write_table(pa.table({"text": ["x" * 3_000_000] * 4, "label": ["a", "b", "a", "b"]}), cells)
    hub.add("odd/huge-cell", {**head, "train.parquet": cells.getvalue()})
    grown = night()
    failures = {failure.repo_id: failure.code for failure in grown.report.failures}
    assert failures == {
        "odd/hangs": "TimedOut",
        "odd/garbage": "UnreadableFiles",
        "odd/garbage-parquet": "UnreadableFiles",
        "odd/script": "ScriptDataset",
        "odd/empty": "NoDataFiles",
        "odd/wide": "TooManyColumns",
        "odd/huge-cell": "TooLarge",
    }
    assert set(released(hub).sources) == {"good/reviews", "good/a.b-c_d--e", "good/fields", "good/late"}
    assert {failure.stage for failure in grown.report.failures} == {"metadata"}
