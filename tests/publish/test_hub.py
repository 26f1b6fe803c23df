"""Releases to a dataset repository of the loopback Hub, through the real client."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import datasets
import pyarrow.parquet as pq
import pytest
from huggingface_hub import HfApi

from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.models import Release
from dynosaur_core.publish import release as release_module
from dynosaur_core.publish.sinks.hub import HubSink
from dynosaur_core.settings import ReleaseSettings
from dynosaur_core.store import Store
from tests.support.hub import Fault, Faults, LoopbackHub

from .conftest import NOW, contribute, make_release

REPO = "loopback/grown"
SETTINGS = ReleaseSettings(shard_records=2)


@pytest.fixture
def hub() -> Iterator[LoopbackHub]:
    with LoopbackHub() as running:
        yield running
    assert running.errors == []


def sink_of(hub: LoopbackHub, kind: type[HubSink] = HubSink) -> HubSink:
    return kind(f"hf://datasets/{REPO}", api=HfApi(endpoint=hub.url, token=hub.token), pause_s=0.001)


def held(hub: LoopbackHub) -> dict[str, bytes]:
    return {path: blob.read() for path, blob in hub[REPO].head.files.items() if path != ".gitattributes"}


def inputs(hub: LoopbackHub) -> list[str]:
    """The inputs of the manifest's files, which are all the data files there are."""
    files = held(hub)
    manifest = Release.model_validate_json(files["manifest.json"])
    assert {path for path in files if path.startswith("data/")} == {file.path for file in manifest.files}
    tables = [pq.read_table(io.BytesIO(files[file.path])) for file in manifest.files]
    return sorted(text for table in tables for text in table["input"].to_pylist())


def test_one_commit_for_each_release_and_none_for_the_same(hub: LoopbackHub, store: Store, tmp_path: Path) -> None:
    wanted = [contribute(store, f"a/{number}", [f"{number}x", f"{number}y"]) for number in range(3)]
    assert make_release(wanted, sink_of(hub), store, SETTINGS, NOW).changed
    assert hub[REPO].private and len(hub[REPO].commits) == 2 and inputs(hub) == ["0x", "0y", "1x", "1y", "2x", "2y"]
    assert hub[REPO].tags == {"v1": hub[REPO].head.sha}
    hub.reset_counts()
    assert not make_release(wanted, sink_of(hub), store, SETTINGS, NOW).changed
    assert len(hub[REPO].commits) == 2 and set(hub.requests) == {"dataset-info", "resolve", "refs"}
    outcome = make_release(wanted[1:], sink_of(hub), store, SETTINGS, NOW)
    assert (outcome.version, outcome.records) == (2, 4)
    assert len(hub[REPO].commits) == 3 and inputs(hub) == ["1x", "1y", "2x", "2y"]
    assert set(hub[REPO].tags) == {"v1", "v2"}
    assert json.loads(held(hub)["removals.jsonl"])["repo_id"] == "a/0"
    for path, data in held(hub).items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(data)
    assert len(datasets.load_dataset(str(tmp_path), cache_dir=str(tmp_path / "cache"))["train"]) == 4


def test_a_data_file_that_no_manifest_names_leaves_by_a_commit(hub: LoopbackHub, store: Store) -> None:
    wanted = [contribute(store, "a/one", ["x"])]
    make_release(wanted, sink_of(hub), store, SETTINGS, NOW)
    hub.edit(REPO, {"data/extra.parquet": "by hand", "notes.md": "by hand"}, "A person's commit")
    assert not make_release(wanted, sink_of(hub), store, SETTINGS, NOW).changed
    assert inputs(hub) == ["x"] and held(hub)["notes.md"] == b"by hand"
    commits = len(hub[REPO].commits)
    assert not make_release(wanted, sink_of(hub), store, SETTINGS, NOW).changed
    assert len(hub[REPO].commits) == commits
    hub.edit(REPO, {"data/extra.parquet": "by hand"}, "A person's commit")
    assert make_release([*wanted, contribute(store, "a/two", ["y"])], sink_of(hub), store, SETTINGS, NOW).changed
    assert inputs(hub) == ["x", "y"]
    assert len(hub[REPO].commits) == commits + 2


def test_another_commit_meanwhile_is_read_and_built_upon(hub: LoopbackHub, store: Store) -> None:
    first, second = contribute(store, "a/first", ["a"]), contribute(store, "b/second", ["b"])
    make_release([first], sink_of(hub), store, SETTINGS, NOW)

    class Slow(HubSink):
        others = 1

        def commit(self, *arguments):  # type: ignore[no-untyped-def]
            if self.others:
                self.others -= 1
                hub.edit(REPO, {"notes.md": "by hand"}, "A person's commit")
            super().commit(*arguments)

    assert make_release([first, second], sink_of(hub, Slow), store, SETTINGS, NOW, pause_s=0).version == 2
    assert inputs(hub) == ["a", "b"] and held(hub)["notes.md"] == b"by hand"
    assert hub.requests["commit"] == 3


def test_conflicts_are_bounded(hub: LoopbackHub, store: Store) -> None:
    make_release([contribute(store, "a/first", ["a"])], sink_of(hub), store, SETTINGS, NOW)
    before = hub[REPO].head

    class Unlucky(HubSink):
        def commit(self, *arguments):  # type: ignore[no-untyped-def]
            hub.edit(REPO, {"notes.md": hub.tick().isoformat()})
            super().commit(*arguments)

    with pytest.raises(DynosaurError) as caught:
        make_release([contribute(store, "b", ["b"])], sink_of(hub, Unlucky), store, SETTINGS, NOW, pause_s=0)
    assert caught.value.code is Code.RELEASE_CONFLICT
    assert hub.requests["commit"] == 1 + release_module.ATTEMPTS
    assert held(hub)["manifest.json"] == before.files["manifest.json"].read()


def test_a_process_that_ends_before_its_commit_changes_nothing(hub: LoopbackHub, store: Store) -> None:
    make_release([contribute(store, "a/first", ["a"])], sink_of(hub), store, SETTINGS, NOW)
    before = held(hub)

    class Ends(HubSink):
        def commit(self, *arguments):  # type: ignore[no-untyped-def]
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_release([contribute(store, "b", ["b"])], sink_of(hub, Ends), store, SETTINGS, NOW)
    assert held(hub) == before


def test_a_commit_whose_answer_is_lost_is_made_once(hub: LoopbackHub, store: Store) -> None:
    hub.faults.add(Fault("truncated", endpoints=["commit"], times=1))
    outcome = make_release([contribute(store, "a/first", ["a"])], sink_of(hub), store, SETTINGS, NOW, pause_s=0)
    assert (outcome.version, outcome.changed) == (1, True)
    assert len(hub[REPO].commits) == 2 and set(hub[REPO].tags) == {"v1"}


@pytest.mark.parametrize("seed", [0, 1])
def test_faults_change_nothing_in_the_release(hub: LoopbackHub, store: Store, seed: int) -> None:
    wanted = [contribute(store, f"a/{number}", [f"{number}x", f"{number}y"]) for number in range(3)]
    hub.faults = Faults(rate=0.1, kinds=("500", "503", "reset", "truncated", "garbage"), seed=seed)
    for held_back in (1, 0):
        make_release(wanted[held_back:], sink_of(hub), store, SETTINGS, NOW, pause_s=0.001)
    hub.faults.clear()
    assert inputs(hub) == ["0x", "0y", "1x", "1y", "2x", "2y"]
    assert json.loads(held(hub)["manifest.json"])["version"] == 2 and len(hub[REPO].commits) == 3


def test_an_unreachable_hub_is_not_an_empty_one(hub: LoopbackHub, store: Store) -> None:
    make_release([contribute(store, "a/first", ["a"])], sink_of(hub), store, SETTINGS, NOW)
    hub.faults.add(Fault("503", endpoints=["resolve"]))
    with pytest.raises(DynosaurError) as caught:
        sink_of(hub).manifest()
    assert caught.value.policy.transient
    with pytest.raises(DynosaurError) as caught:
        HubSink(f"hf://datasets/{REPO}", api=HfApi(endpoint=hub.url, token="wrong"), pause_s=0)._create()
    assert caught.value.code is Code.RELEASE_FAILED
