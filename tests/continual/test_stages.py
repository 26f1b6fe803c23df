"""Stages: what a range of versions added, whatever files it lies in by now."""

from __future__ import annotations

from pathlib import Path

import pytest

from dynosaur_core.continual.rows import draw
from dynosaur_core.continual.stages import Stage, open_stages
from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.settings import Settings
from dynosaur_core.store import Store
from tests.continual.conftest import ROWS, VERSIONS, contribute, release_to, settings_of


def held(stage: Stage) -> dict[str, int]:
    """repo id -> version, of the rows that the stage has."""
    return {row["repo_id"]: row["version"] for table in stage.tables(("repo_id",)) for row in table.to_pylist()}


@pytest.mark.parametrize(
    ("stage", "earlier", "new", "old"),
    [
        ("new", "earlier", (3,), (1, 2)),
        ("2", "earlier", (2,), (1,)),
        ("2-3", "earlier", (2, 3), (1,)),
        ("2-", "1", (2, 3), (1,)),
        ("3", "2", (3,), (2,)),
        ("1", "2-3", (1,), (2, 3)),
    ],
)
def test_stages_are_what_versions_added(
    grown: Settings, stage: str, earlier: str, new: tuple[int, ...], old: tuple[int, ...]
) -> None:
    for found, versions in zip(open_stages(stage, earlier, grown), (new, old), strict=True):
        assert held(found) == {repo_id: version for version in versions for repo_id in VERSIONS[version - 1]}


def test_stages_may_be_of_other_releases(grown: Settings, store: Store, tmp_path: Path) -> None:
    release_to(str(tmp_path / "other"), store, [contribute(store, "z/other", ["Count the words."])])
    new, earlier = open_stages(f"{tmp_path}/other@1", f"{grown.release[0]}@2-3", grown)
    assert (set(held(new)), set(held(earlier))) == ({"z/other"}, {"c/french", "d/facts", "e/german"})
    assert new.name == f"{tmp_path}/other@1" and earlier.name.endswith("release@2-3")


def test_a_stage_keeps_what_a_later_version_only_moved(store: Store, tmp_path: Path) -> None:
    """Where a dataset leaves a file, what else is in it is written anew: it is of its old version all the same."""
    url = str(tmp_path / "release")
    kept, leaves = contribute(store, "a/kept", ["Sort."]), contribute(store, "a/leaves", ["Count."])
    release_to(url, store, [kept, leaves])
    release_to(url, store, [kept, contribute(store, "b/new", ["Add."])])
    release_to(url, store, [kept, contribute(store, "b/new", ["Multiply."])])
    new, earlier = open_stages("new", "1-2", settings_of(url, store))
    assert (held(new), held(earlier)) == ({"b/new": 3}, {"a/kept": 1})


@pytest.mark.parametrize(
    ("stage", "earlier", "words"),
    [
        ("4", "earlier", "has the versions 1 to 3"),
        ("3-2", "earlier", "has the versions 1 to 3"),
        ("0", "earlier", "has the versions 1 to 3"),
        ("newest", "earlier", "'newest' names no versions of a release"),
        ("2-3-4", "earlier", "names no versions of a release"),
        ("nowhere@1", "earlier", "there is no release at nowhere"),
        ("1", "earlier", "no version before 1"),
        ("new", "7", "has the versions 1 to 3"),
        ("ftp://x@1", "earlier", "a release cannot go to"),
    ],
)
def test_a_mistyped_stage_is_named(grown: Settings, stage: str, earlier: str, words: str) -> None:
    with pytest.raises(DynosaurError, match=words) as caught:
        open_stages(stage, earlier, grown)
    assert caught.value.code is Code.BAD_SETTING


def test_a_stage_needs_a_release() -> None:
    with pytest.raises(DynosaurError, match="no release is set"):
        open_stages("new", "earlier", Settings(release=()))


def test_a_stage_with_a_damaged_file_says_so(grown: Settings) -> None:
    new, _ = open_stages("new", "earlier", grown)
    Path(grown.release[0], new.parts[0].path).write_bytes(b"PAR1")
    with pytest.raises(DynosaurError, match=r"ReleaseFailed: .*cannot be read"):
        held(new)


def test_draw_takes_the_same_rows_in_whatever_files_they_lie(grown: Settings, store: Store, tmp_path: Path) -> None:
    everything, _ = open_stages("1-3", "1-3", grown)
    url = str(tmp_path / "at-once")
    release_to(url, store, [contribute(store, name, texts) for each in VERSIONS for name, texts in each.items()])
    at_once, _ = open_stages("1", "1", settings_of(url, store))
    for rows, seed in ((2, 0), (2, 1), (None, 0), (99, 0)):
        found = [drawn_inputs(stage, rows, seed) for stage in (everything, at_once)]
        assert found[0] == found[1]
        assert all(len(each) == min(rows or ROWS, ROWS) for each in found[0].values()) and len(found[0]) == 7
    assert drawn_inputs(everything, 2, 0) != drawn_inputs(everything, 2, 1)


def drawn_inputs(stage: Stage, rows: int | None, seed: int) -> dict[str, list[str]]:
    drawn = draw(stage, rows, seed)
    tables = [{row["at"]: row["input"] for row in table.to_pylist()} for table in stage.tables(("input",))]
    return {task_id: [tables[part][at] for part, at in places] for task_id, places in drawn.places.items()}


def test_draw_counts_records_and_tokens(grown: Settings) -> None:
    new, _ = open_stages("new", "earlier", grown)
    [task] = draw(new, 2, 0).tasks
    assert (task.repo_id, task.license, task.stage, task.records) == ("e/german", "mit", 3, ROWS)
    chars = len("Translate the sentence into German.") + len("e/german 0") + len("label of e/german 0")
    assert task.tokens == 2 * -(-chars // 4)
