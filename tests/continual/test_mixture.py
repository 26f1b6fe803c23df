"""The mixture: its rows, exports, map and reasons; the same again changes nothing, and no half of it looks whole."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from dynosaur_core.continual.choice import ReplayChoice
from dynosaur_core.continual.mixture import ReplaySummary, replay
from dynosaur_core.continual.picture import principal
from dynosaur_core.continual.row_files import EXPORTS
from dynosaur_core.continual.strategies import STRATEGIES
from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.settings import Settings
from dynosaur_core.store import Store
from tests.continual.conftest import ROWS, VERSIONS, contribute, release_to, settings_of


def made(grown: Settings, out: Path | str | None, **choice: Any) -> ReplaySummary:
    given = {"strategy": "instr-diverse", "tasks": 2, "rows": 3, "out": str(out) if out else None, **choice}
    return replay(ReplayChoice(**given), grown, Store(grown.store))


def chosen(out: Path) -> list[dict[str, Any]]:
    return list(pq.read_table(out / "chosen.parquet").to_pylist())


def files(out: Path) -> dict[str, tuple[int, bytes]]:
    return {str(path.relative_to(out)): (path.stat().st_mtime_ns, path.read_bytes()) for path in out.rglob("*.*")}


def test_a_mixture_holds_the_new_stage_and_what_is_replayed(grown: Settings, tmp_path: Path) -> None:
    out = tmp_path / "mixture"
    summary = made(grown, out)
    assert summary.changed and (summary.new_tasks, summary.new_rows) == (1, ROWS)
    assert (summary.earlier_tasks, summary.replayed_tasks, summary.replayed_rows) == (6, 2, 6)
    loaded = datasets.load_dataset(str(out), cache_dir=str(tmp_path / "cache"))["train"]
    assert loaded.num_rows == ROWS + 6 and loaded["replayed"][:] == [False] * ROWS + [True] * 6
    assert set(loaded["version"][:ROWS]) == {3} and set(loaded["version"][ROWS:]) <= {1, 2}
    picked = chosen(out)
    assert {row["instruction"] for row in picked} == set(loaded["instruction"][ROWS:])
    assert [row["rank"] for row in picked] == [1, 2] and all(row["rows"] == 3 for row in picked)
    assert picked[0]["why"] == f"its mean cosine to the new tasks is {picked[0]['score']:.3f}"
    assert picked[0]["nearest_new"] == "Translate the sentence into German."
    assert "Translate the sentence into French." not in set(loaded["instruction"])
    assert sum(row["tokens"] for row in picked) == summary.replayed_tokens


def test_a_mixture_exports_load_in_datasets(grown: Settings, tmp_path: Path) -> None:
    out = tmp_path / "mixture"
    made(grown, out)
    columns = {
        "alpaca": ["instruction", "input", "output"],
        "messages": ["messages"],
        "tk-instruct": ["Task", "Definition", "Instance"],
        "reference": ["instruction", "input", "output", "license", "website", "taskname"],
    }
    assert set(columns) == set(EXPORTS)
    for form, names in columns.items():
        loaded = datasets.load_dataset(
            "json", data_files=str(out / f"exports/{form}.jsonl"), cache_dir=str(tmp_path / "cache")
        )["train"]
        assert (loaded.column_names, loaded.num_rows) == (names, ROWS + 6)


def test_a_mixture_has_a_map_and_a_card(grown: Settings, tmp_path: Path) -> None:
    out = tmp_path / "mixture"
    made(grown, out)
    with Image.open(out / "map.png") as picture:
        assert picture.format == "PNG" and picture.size[0] > 600
        assert len(picture.convert("RGB").getcolors(1 << 24) or ()) > 10
    card = (out / "README.md").read_text()
    assert "instr-diverse" in card and "| mit |" in card and chosen(out)[0]["why"] in card


def test_a_mixture_made_again_changes_nothing(grown: Settings, tmp_path: Path) -> None:
    out = tmp_path / "mixture"
    first, before = made(grown, out), files(out)
    again = made(grown, out)
    assert not again.changed and again == first.model_copy(update={"changed": False}) and files(out) == before
    assert made(grown, out, seed=1).changed and made(grown, out, tasks=1).changed
    assert made(grown, out).changed and {name: data for name, (_, data) in files(out).items()} == {
        name: data for name, (_, data) in before.items()
    }
    (out / "exports/alpaca.jsonl").write_text("")
    assert made(grown, out).changed and files(out)["exports/alpaca.jsonl"][1] == before["exports/alpaca.jsonl"][1]
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []


def test_a_mixture_lies_beside_the_release(grown: Settings, store: Store) -> None:
    summary = made(grown, None)
    assert summary.out == f"{grown.release[0]}/mixtures/000003-instr-diverse"
    url = grown.release[0]
    release_to(url, store, [contribute(store, "e/german", ["Translate the sentence into German."])])
    assert Path(summary.out, "replay.json").exists(), "a later release leaves it alone"


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_strategy_makes_a_mixture(grown: Settings, tmp_path: Path, name: str) -> None:
    summary = made(grown, tmp_path / "mixture", strategy=name, tasks=3)
    assert summary.replayed_tasks == {"none": 0, "full": 6}.get(name, 3)
    assert (
        (tmp_path / "mixture/map.png").exists()
        == (summary.encoder is not None)
        == (name not in ("none", "full", "random"))
    )
    datasets.load_dataset(str(tmp_path / "mixture"), cache_dir=str(tmp_path / "cache"))
    assert name in str(ReplayChoice.model_fields["strategy"].description)


def test_coverage_leaves_the_copy_of_a_task_out(grown: Settings, tmp_path: Path) -> None:
    made(grown, tmp_path / "mixture", strategy="coverage", tasks=5)
    assert len({row["instruction"] for row in chosen(tmp_path / "mixture")}) == 5


def test_a_mixture_keeps_its_quotas(grown: Settings, tmp_path: Path) -> None:
    made(grown, tmp_path / "mixture", tasks=6, per_source=1)
    assert len(chosen(tmp_path / "mixture")) == 5
    budget = made(grown, tmp_path / "mixture", tasks=None, tokens=150)
    assert 0 < budget.replayed_tokens <= 150 and budget.replayed_tasks < 6


def test_a_task_of_both_stages_is_the_new_ones_alone(grown: Settings, store: Store, tmp_path: Path) -> None:
    other = str(tmp_path / "other")
    release_to(other, store, [contribute(store, name, texts) for name, texts in VERSIONS[0].items()])
    summary = made(grown, tmp_path / "mixture", stage=f"{other}@1", earlier=f"{grown.release[0]}@1-2", strategy="full")
    assert (summary.new_tasks, summary.earlier_tasks, summary.replayed_tasks) == (4, 2, 2)
    with pytest.raises(DynosaurError, match="nothing to replay"):
        made(grown, tmp_path / "mixture", stage=f"{other}@1", earlier=f"{grown.release[0]}@1")


def test_a_place_with_other_files_is_left_alone(grown: Settings, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.txt").write_text("x")
    with pytest.raises(DynosaurError, match=r"holds files and no replay\.json") as caught:
        made(grown, tmp_path / "mine")
    assert caught.value.code is Code.BAD_SETTING
    (tmp_path / "file").write_text("x")
    with pytest.raises(DynosaurError, match="BadSetting"):
        made(grown, tmp_path / "file")
    with pytest.raises(DynosaurError, match="cannot be opened"):
        made(grown, "nothing://x")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.txt"]


def test_a_mistyped_strategy_ends_before_anything_is_made(grown: Settings, tmp_path: Path) -> None:
    with pytest.raises(DynosaurError, match="did you mean instr-support"):
        made(grown, tmp_path / "mixture", strategy="instr-suport")
    assert not (tmp_path / "mixture").exists()


_KILLED = """
import os, signal, sys
from dynosaur_core.continual import mixture
from tests.continual.test_mixture import made
from tests.continual.conftest import settings_of
from dynosaur_core.store import Store
before = mixture.draw_map
def killed(*given):
    before(*given)
    os.kill(os.getpid(), signal.SIGKILL)
mixture.draw_map = killed
made(settings_of(sys.argv[1], Store(sys.argv[2])), sys.argv[3])
"""


def test_a_mixture_that_is_killed_half_way_is_not_there(grown: Settings, tmp_path: Path) -> None:
    out = tmp_path / "mixture"
    command = [sys.executable, "-c", _KILLED, grown.release[0], grown.store, str(out)]
    root = str(Path(__file__).parents[2])
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": root}, cwd=root, capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert not out.exists()
    assert made(grown, out).changed and (out / "replay.json").exists()


def test_a_mixture_goes_to_s3(s3_server: Any, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import s3fs

    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
    s3fs.S3FileSystem(skip_instance_cache=True).mkdir("mixtures")
    url = "s3://mixtures/release"
    wanted = [contribute(store, name, texts) for name, texts in VERSIONS[0].items()]
    release_to(url, store, wanted)
    release_to(url, store, [*wanted, contribute(store, "e/german", ["Translate the sentence into German."])])
    settings = settings_of(url, store)
    summary = made(settings, None)
    assert summary.changed and summary.out == f"{url}/mixtures/000002-instr-diverse"
    assert not made(settings, None).changed
    names = s3fs.S3FileSystem(skip_instance_cache=True).find("mixtures/release/mixtures")
    assert {name.rsplit("/", 1)[-1] for name in names} >= {"replay.json", "train-00000.parquet", "map.png", "README.md"}


def test_principal_is_the_plane_in_which_points_differ_most() -> None:
    draw = np.random.default_rng(1)
    flat = draw.normal(size=(200, 2)) * (3, 1)
    turned = np.linalg.qr(draw.normal(size=(5, 5)))[0][:2]
    found = principal((flat @ turned + 7).astype(np.float32))
    own = flat - flat.mean(axis=0)
    assert (
        np.abs(np.abs(found).std(axis=0) - np.abs(own @ np.linalg.svd(own, full_matrices=False)[2].T).std(axis=0)).max()
        < 1e-3
    )
    assert found.shape == (200, 2) and abs(found.mean(axis=0)).max() < 1e-4
