"""Releases to a folder: whole, conserved, rewritten only where sources left, and unchanged by the same again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from pathlib import Path

import datasets
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynosaur_core.digest import digest
from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.models import Contribution, LicenseEvidence, Release, ReleaseFile, Removal, ShardHandle
from dynosaur_core.publish.plan import plan_release
from dynosaur_core.publish.release import ReleaseOutcome
from dynosaur_core.publish.sinks import open_sink
from dynosaur_core.publish.sinks.local import LocalSink
from dynosaur_core.publish.standing import Maker
from dynosaur_core.settings import ReleaseSettings
from dynosaur_core.store import Store

from .conftest import NOW, Planned, contribute, make_release


def release_to(
    folder: Path, store: Store, wanted: list[Contribution], removals: list[Removal] | None = None, **settings: int
) -> ReleaseOutcome:
    sink = open_sink(str(folder), ReleaseSettings(**settings))
    return make_release(wanted, sink, store, ReleaseSettings(**settings), NOW, removals or [])


def manifest(folder: Path) -> Release:
    return Release.model_validate_json((folder / "manifest.json").read_bytes())


def inputs(folder: Path) -> list[str]:
    """The inputs that the manifest's files hold."""
    return [text for file in manifest(folder).files for text in pq.read_table(folder / file.path)["input"].to_pylist()]


def snapshot(folder: Path) -> dict[str, tuple[int, bytes]]:
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != ".dynosaur.lock"]
    return {str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes()) for path in files}


def test_a_release_loads_and_holds_everything_once(tmp_path: Path, store: Store) -> None:
    folder = tmp_path / "release"
    wanted = [contribute(store, "b/two", ["c", "d", "e"]), contribute(store, "a/one", ["a", "b"])]
    outcome = release_to(folder, store, wanted)
    assert outcome == ReleaseOutcome(1, 5, changed=True)
    assert inputs(folder) == ["a", "b", "c", "d", "e"]
    loaded = datasets.load_dataset(str(folder), cache_dir=str(tmp_path / "cache"))
    assert loaded["train"]["input"][:] == ["a", "b", "c", "d", "e"]
    assert loaded["train"].column_names[:6] == ["instruction", "input", "output", "license", "website", "taskname"]
    assert pq.read_table(folder / "data").num_rows == 5
    sources = pq.read_table(folder / "sources.parquet").to_pylist()
    assert [(source["repo_id"], source["records"], source["tasks"]) for source in sources] == [
        ("a/one", 2, 1),
        ("b/two", 3, 1),
    ]
    assert sources[0]["license_evidence"] == [{"license": "mit", "source": "card_yaml", "text": "license: mit"}]
    tasks = pq.read_table(folder / "tasks.parquet").to_pylist()
    assert [(task["repo_id"], task["sampled"], task["recorded"]) for task in tasks] == [
        ("a/one", 2, 2),
        ("b/two", 3, 3),
    ]
    assert tasks[0]["task_id"] == wanted[1].tasks[0].task.task_id


def test_two_releases_in_folders_of_one_name_are_read_apart(tmp_path: Path, store: Store) -> None:
    read = []
    for name in ("aaa", "bbb"):
        folder = tmp_path / name / "release"
        make_release([contribute(store, f"{name}/x", [name])], LocalSink(str(folder)), store, ReleaseSettings(), NOW)
        loaded = datasets.load_dataset(str(folder), split="train", cache_dir=str(tmp_path / "cache"))
        read.append(loaded["input"][0])
    assert read == ["aaa", "bbb"]


def test_the_same_again_writes_nothing(tmp_path: Path, store: Store) -> None:
    folder = tmp_path / "release"
    wanted = [contribute(store, "a/one", ["a", "b"]), contribute(store, "b/two", ["c"])]
    release_to(folder, store, wanted)
    before = snapshot(folder)
    assert release_to(folder, store, wanted[::-1]) == ReleaseOutcome(1, 3, changed=False)
    assert snapshot(folder) == before


def test_known_names_save_reading_what_stands_already(tmp_path: Path, store: Store) -> None:
    wanted = [contribute(store, "a/one", ["x"]), contribute(store, "a/two", ["y"])]
    names = {each.repo_id: digest(each) for each in wanted}
    sink = LocalSink(str(tmp_path / "release"))

    def unread() -> Iterator[Contribution]:
        raise AssertionError("a contribution was read")
        yield

    def make(given: Iterable[Contribution]) -> ReleaseOutcome:
        return make_release(given, sink, store, ReleaseSettings(), NOW, names=lambda: names)

    assert make(wanted).changed
    assert make(unread()) == ReleaseOutcome(1, 2, changed=False)
    del names["a/one"]
    assert make(wanted[1:]).version == 2


def test_the_same_contributions_give_the_same_bytes(tmp_path: Path, store: Store) -> None:
    wanted = [contribute(store, f"a/{number}", [f"{number}-{row}" for row in range(9)]) for number in range(5)]
    for name, order in (("x", wanted), ("y", wanted[::-1])):
        release_to(tmp_path / name, store, order, shard_records=20)
    x, y = ({name: data for name, (_, data) in snapshot(tmp_path / name).items()} for name in "xy")
    assert x == y and len([name for name in x if name.startswith("data/")]) == 3


def test_only_files_with_withdrawn_or_changed_records_are_rewritten(tmp_path: Path, store: Store) -> None:
    folder = tmp_path / "release"
    wanted = [contribute(store, f"a/{number}", [f"{number}x", f"{number}y"]) for number in range(6)]
    release_to(folder, store, wanted, shard_records=4)
    first = manifest(folder)
    assert [list(file.contributions) for file in first.files] == [["a/0", "a/1"], ["a/2", "a/3"], ["a/4", "a/5"]]
    why = Removal(
        repo_id="a/0", revision="r1", reason="gated", detail="asks for consent", when=NOW - timedelta(hours=1)
    )
    unheld = Removal(repo_id="z/9", revision="r1", reason="gone", when=NOW)
    changed = contribute(store, "a/5", ["5z"], revision="r2")
    added = contribute(store, "a/35", ["35x"])
    outcome = release_to(folder, store, [*wanted[1:5], changed, added], [why, unheld], shard_records=4)
    assert (outcome.version, outcome.records) == (2, 10)
    second = manifest(folder)
    assert second.files[0] == first.files[1]
    assert [file.path for file in second.files[1:]] == ["data/000002-00000.parquet", "data/000002-00001.parquet"]
    assert [list(file.contributions) for file in second.files[1:]] == [["a/1", "a/35"], ["a/4", "a/5"]]
    assert sorted(inputs(folder)) == ["1x", "1y", "2x", "2y", "35x", "3x", "3y", "4x", "4y", "5z"]
    # the rows are gone from the folder too, not only from the manifest
    assert sorted(pq.read_table(folder / "data")["input"].to_pylist()) == sorted(inputs(folder))
    log = [json.loads(line) for line in (folder / "removals.jsonl").read_text().splitlines()]
    assert [(line["repo_id"], line["reason"], line["detail"]) for line in log] == [("a/0", "gated", "asks for consent")]
    card = (folder / "README.md").read_text()
    assert "**10 records · 6 tasks · 6 source datasets** — version 2" in card and "1 source left" in card
    assert (
        second.changelog[0].endswith("1 new, 1 updated, 1 withdrawn; now 10 records from 6")
        and len(second.changelog) == 2
    )


def test_relicensed_records_are_labelled_anew(tmp_path: Path, store: Store) -> None:
    folder = tmp_path / "release"
    release_to(folder, store, [contribute(store, "a/one", ["a"])])
    evidence = (LicenseEvidence(license="cc-by-4.0", source="card_yaml"),)
    release_to(folder, store, [contribute(store, "a/one", ["a"], license="cc-by-4.0", licenses=evidence)])
    (file,) = manifest(folder).files
    assert pq.read_table(folder / file.path)["license"].to_pylist() == ["cc-by-4.0"]
    assert "cc-by-4.0" in (folder / "README.md").read_text()
    assert (folder / "removals.jsonl").read_bytes() == b""


def test_the_last_source_can_leave(tmp_path: Path, store: Store) -> None:
    folder = tmp_path / "release"
    assert release_to(folder, store, []) == ReleaseOutcome(0, 0, changed=False)
    release_to(folder, store, [contribute(store, "a/one", ["a"])])
    assert release_to(folder, store, []).records == 0
    assert manifest(folder).files == () and list((folder / "data").iterdir()) == []
    assert json.loads((folder / "removals.jsonl").read_text())["reason"] == "not_in_store"


def test_a_contribution_larger_than_a_file_has_files_of_its_own(tmp_path: Path, store: Store) -> None:
    folder = tmp_path / "release"
    wanted = [
        contribute(store, "a/one", ["a"]),
        contribute(store, "b/big", [str(n) for n in range(50)]),
        contribute(store, "c", ["z"]),
    ]
    release_to(folder, store, wanted, shard_records=20)
    files = manifest(folder).files
    assert [(list(file.contributions), file.records) for file in files] == [
        (["a/one"], 1), (["b/big"], 20), (["b/big"], 20), (["b/big"], 10), (["c"], 1)
    ]  # fmt: skip
    release_to(folder, store, wanted[::2], shard_records=20)
    assert inputs(folder) == ["a", "z"] and manifest(folder).files == (files[0], files[4])


def test_two_contributions_of_one_source_are_an_error(tmp_path: Path, store: Store) -> None:
    with pytest.raises(DynosaurError, match="two contributions") as caught:
        release_to(tmp_path / "release", store, [contribute(store, "a", ["x"]), contribute(store, "a", ["y"])])
    assert caught.value.code is Code.RELEASE_FAILED


@pytest.mark.parametrize(
    "url",
    [
        "gs://bucket/x",
        "hf://owner/name",
        "http://host/x",
        "hf:/datasets/me/x",
        "hf://datasets/",
        "hf://datasets/me/x/y",
        "s3:/b/x",
        "s3://",
        "S3://b/x",
        "",
        " ",
        "file://",
        "a\0b",
    ],
)
def test_an_unknown_kind_of_place_is_said(url: str) -> None:
    with pytest.raises(DynosaurError) as caught:
        open_sink(url, ReleaseSettings())
    assert caught.value.code is Code.BAD_SETTING


@pytest.mark.parametrize(
    ("url", "store"),
    [
        ("s", "s"), ("s/", "s"), ("./s/release", "s"), ("t/../s/x", "file://{here}/s"), ("s3://b/s/x", "s3://b/s/")
    ],
)  # fmt: skip
def test_a_release_into_the_store_is_refused(
    url: str, store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DynosaurError, match="into the store") as caught:
        open_sink(url, ReleaseSettings(), store.format(here=tmp_path))
    assert caught.value.code is Code.BAD_SETTING
    for beside in ("r", "store", "./a:b", "s3://b/store"):
        open_sink(beside, ReleaseSettings(), store)


KILLED = """
import os, signal, sys
from datetime import UTC, datetime
from dynosaur_core.models import Contribution
from tests.publish.conftest import make_release
from dynosaur_core.publish.sinks.local import LocalSink
from dynosaur_core.settings import ReleaseSettings
from dynosaur_core.store import Store

class Dies(LocalSink):
    def _die(self, at):
        if sys.argv[4] == at:
            os.kill(os.getpid(), signal.SIGKILL)
    def put(self, name, file):
        done = super().put(name, file)
        self._die("put")
        return done
    def commit(self, *arguments):
        self._die("commit")
        super().commit(*arguments)
    def tidy(self, release):
        self._die("tidy")
        super().tidy(release)

wanted = [Contribution.model_validate_json(line) for line in open(sys.argv[3])]
settings = ReleaseSettings(shard_records=4)
make_release(wanted, Dies(sys.argv[2]), Store(sys.argv[1]), settings, datetime(2026, 3, 1, 4, tzinfo=UTC))
"""


@pytest.mark.parametrize("moment", ["put", "commit", "tidy"])
def test_killed_in_the_middle_leaves_a_whole_release_and_the_next_run_completes_it(
    tmp_path: Path, store: Store, moment: str
) -> None:
    folder, undisturbed = tmp_path / "release", tmp_path / "undisturbed"
    old = [contribute(store, f"a/{number}", [f"{number}x", f"{number}y"]) for number in range(4)]
    new = [*old[1:], contribute(store, "b/new", ["n"])]
    release_to(folder, store, old, shard_records=4)
    before = snapshot(folder)
    (tmp_path / "wanted").write_text("".join(contribution.model_dump_json() + "\n" for contribution in new))
    command = [sys.executable, "-c", KILLED, store.url, str(folder), str(tmp_path / "wanted"), moment]
    assert subprocess.run(command, env=os.environ | {"PYTHONPATH": str(Path.cwd())}).returncode == -signal.SIGKILL
    if moment == "tidy":
        assert manifest(folder).version == 2 and len(inputs(folder)) == 7
    else:
        assert {name: content for name, content in snapshot(folder).items() if name in before} == before
        assert len(datasets.load_dataset(str(folder), cache_dir=str(tmp_path / "cache"))["train"]) == 8
    release_to(folder, store, new, shard_records=4)
    for contributions in (old, new):
        release_to(undisturbed, store, contributions, shard_records=4)
    wanted, found = ({name: data for name, (_, data) in snapshot(each).items()} for each in (undisturbed, folder))
    assert found == wanted


def test_two_writers_take_turns(tmp_path: Path, store: Store) -> None:
    folder = tmp_path / "release"
    wanted = [[contribute(store, f"{owner}/{number}", [f"{owner}{number}"]) for number in range(8)] for owner in "ab"]
    threads = [
        threading.Thread(target=release_to, args=(folder, store, each), kwargs={"shard_records": 1}) for each in wanted
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    held = manifest(folder)
    assert held.version == 2
    assert sorted(inputs(folder)) in [[f"{owner}{number}" for number in range(8)] for owner in "ab"]
    with LocalSink(str(folder)).writing(), pytest.raises(DynosaurError) as caught:
        make_release(wanted[0], LocalSink(str(folder), wait_s=0.01), store, ReleaseSettings(), NOW, pause_s=0)
    assert caught.value.code is Code.RELEASE_CONFLICT


def test_a_card_of_another_release_is_made_anew(tmp_path: Path, store: Store) -> None:
    folder = tmp_path / "release"
    wanted = [contribute(store, "a/one", ["a"])]
    release_to(folder, store, wanted)
    card = (folder / "README.md").read_text()
    (folder / "README.md").write_text("something else")
    assert release_to(folder, store, wanted).changed
    assert manifest(folder).files[0].path == "data/000001-00000.parquet"
    assert len((folder / "README.md").read_text().splitlines()) == len(card.splitlines()) + 1


SIZES = st.dictionaries(st.sampled_from("abcdefgh"), st.tuples(st.integers(0, 9), st.integers(0, 1)), max_size=8)


@given(SIZES, SIZES, st.integers(1, 10))
def test_a_plan_keeps_or_writes_every_contribution_once(
    before: dict[str, tuple[int, int]], after: dict[str, tuple[int, int]], size: int
) -> None:
    def contributions(sizes: dict[str, tuple[int, int]]) -> list[Contribution]:
        return [_contribution(name, records, str(revision)) for name, (records, revision) in sizes.items()]

    first = plan_release(Planned(contributions(before)), None, [], size, NOW)
    files = tuple(
        ReleaseFile(
            path=str(number),
            digest="",
            records=0,
            size_bytes=0,
            contributions={source.contribution.repo_id: source.digest for source in group},
        )
        for number, group in enumerate(first.groups)
    )
    previous = Release(version=1, digest=first.digest, created=NOW, records=0, tasks=0, sources=0, files=files)
    plan = plan_release(Planned(contributions(after)), previous, [], size, NOW)
    kept = {repo_id for file in plan.keep for repo_id in file.contributions}
    written = [entry.contribution.repo_id for group in plan.groups for entry in group]
    assert kept.isdisjoint(written) and kept | set(written) == set(after) and len(set(written)) == len(written)
    assert all(before[repo_id] == after[repo_id] for repo_id in kept)
    assert {removal.repo_id for removal in plan.removals} == before.keys() - after.keys()
    assert (plan.digest == first.digest) == (before == after)
    for group in plan.groups:
        assert len(group) == 1 or sum(entry.contribution.shard.records for entry in group) <= size
        assert written == sorted(written)


def _contribution(repo_id: str, records: int, revision: str) -> Contribution:
    return Contribution(
        repo_id=repo_id,
        revision=revision,
        license="mit",
        licenses=(),
        website="",
        title="",
        languages=(),
        citation=None,
        tasks=(),
        shard=ShardHandle(digest="d", records=records, size_bytes=1),
    )


def made_by(store_id: str = "mine", *, adopt: bool = False) -> Maker:
    return Maker(store_id, holds=lambda _: True, growth=lambda: 1, may_leave=lambda *_: None, adopt=adopt)


def release_as(
    folder: Path, store: Store, wanted: list[Contribution], maker: Maker, *, verify: bool = False
) -> ReleaseOutcome:
    names = {each.repo_id: digest(each) for each in wanted}
    sink = open_sink(str(folder), ReleaseSettings())
    return make_release(wanted, sink, store, ReleaseSettings(), NOW, names=lambda: names, maker=maker, verify=verify)


@pytest.mark.parametrize("table", ["tasks.parquet", "sources.parquet"])
def test_verify_compares_the_tables_too(table: str, tmp_path: Path, store: Store) -> None:
    folder, wanted = tmp_path / "release", [contribute(store, "a/one", ["a", "b"])]
    release_as(folder, store, wanted, made_by())
    whole = (folder / table).read_bytes()
    (folder / table).write_bytes(bytes(byte ^ 0xFF for byte in whole))
    assert not release_as(folder, store, wanted, made_by()).changed
    assert release_as(folder, store, wanted, made_by(), verify=True).changed
    assert (folder / table).read_bytes() == whole
    assert not release_as(folder, store, wanted, made_by(), verify=True).changed


def test_a_data_file_that_no_manifest_names_is_removed(tmp_path: Path, store: Store) -> None:
    folder, wanted = tmp_path / "release", [contribute(store, "a/one", ["a", "b"])]
    release_as(folder, store, wanted, made_by())
    held = pq.read_table(folder / "data")
    pq.write_table(held, folder / "data" / "extra.parquet")
    (folder / "data" / "notes.txt").write_text("mine")
    assert not release_as(folder, store, wanted, made_by()).changed
    assert sorted(path.name for path in (folder / "data").iterdir()) == ["000001-00000.parquet", "notes.txt"]


@pytest.mark.parametrize(
    "change",
    [
        lambda _: {},
        lambda _: None,
        lambda _: [],
        lambda text: {**text, "records": "many"},
        lambda text: {**text, "version": -1},
        lambda text: {**text, "version": 10**20},
    ],
)
def test_a_manifest_that_is_none_is_made_anew(
    change: Callable[[dict[str, object]], object], tmp_path: Path, store: Store
) -> None:
    folder, wanted = tmp_path / "release", [contribute(store, "a/one", ["a", "b"])]
    release_as(folder, store, wanted, made_by())
    path = folder / "manifest.json"
    path.write_text(json.dumps(change(json.loads(path.read_text()))))
    with pytest.raises(DynosaurError, match="--adopt"):
        release_as(folder, store, wanted, made_by("other"))
    assert release_as(folder, store, wanted, made_by()) == ReleaseOutcome(2, 2, changed=True)
    assert inputs(folder) == ["a", "b"] and pq.read_table(folder / "data").num_rows == 2


def test_a_manifest_of_a_later_version_is_left_alone(tmp_path: Path, store: Store) -> None:
    folder, wanted = tmp_path / "release", [contribute(store, "a/one", ["a", "b"])]
    release_as(folder, store, wanted, made_by())
    path = folder / "manifest.json"
    path.write_text(path.read_text().replace('"dynosaur/1"', '"dynosaur/2"'))
    before = snapshot(folder)
    with pytest.raises(DynosaurError, match="newer version of Dynosaur") as caught:
        release_as(folder, store, wanted, made_by(adopt=True))
    assert caught.value.code is Code.RELEASE_FAILED and snapshot(folder) == before


@pytest.mark.parametrize("name", ["README.md", "data/train.parquet", "tasks.parquet", "sources.parquet"])
def test_files_of_somebody_else_are_not_written_over(name: str, tmp_path: Path, store: Store) -> None:
    folder, wanted = tmp_path / "theirs", [contribute(store, "a/one", ["a", "b"])]
    (folder / name).parent.mkdir(parents=True)
    (folder / name).write_bytes(b"theirs")
    before = snapshot(folder)
    with pytest.raises(DynosaurError, match=name) as caught:
        release_as(folder, store, wanted, made_by())
    assert caught.value.code is Code.FOREIGN_STORE and snapshot(folder) == before
    assert release_as(folder, store, wanted, made_by(adopt=True)).changed
    assert pq.read_table(folder / "data").num_rows == 2


@pytest.mark.parametrize("left", [(), ("tasks.parquet",), ("README.md", "tasks.parquet", "sources.parquet")])
def test_a_release_of_ours_without_its_manifest_is_made_whole(
    left: tuple[str, ...], tmp_path: Path, store: Store
) -> None:
    """Deleted by hand, or an attempt that was cut off before it."""
    folder, wanted = tmp_path / "release", [contribute(store, "a/one", ["a", "b"])]
    release_as(folder, store, wanted, made_by())
    for path in folder.iterdir():
        if path.is_file() and path.name not in left:
            path.unlink()
    assert release_as(folder, store, wanted, made_by()).changed
    assert inputs(folder) == ["a", "b"] and pq.read_table(folder / "data").num_rows == 2
