"""Where folders of the continual part can go beside a local one: S3 is in `test_mixture.py`."""

from __future__ import annotations

import pytest
from huggingface_hub import HfApi

from dynosaur_core.continual.choice import ReplayChoice, SplitChoice
from dynosaur_core.continual.mixture import replay
from dynosaur_core.continual.split_folder import make_split
from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.settings import Settings
from dynosaur_core.store import Store
from tests.support.hub import LoopbackHub

SPLIT = "hf://datasets/me/split"


@pytest.fixture
def api(hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch) -> HfApi:
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    monkeypatch.setenv("HF_TOKEN", hub.token)
    return HfApi(endpoint=hub.url, token=hub.token)


def commits(api: HfApi, repo_id: str) -> int:
    return len(api.list_repo_commits(repo_id, repo_type="dataset"))


def test_split_goes_to_the_hub_in_one_commit(api: HfApi, grown: Settings) -> None:
    first = make_split(SplitChoice(out=SPLIT, stages=2), grown)
    made = commits(api, "me/split")
    names = set(api.list_repo_files("me/split", repo_type="dataset"))
    assert first.changed and {"split.json", "README.md", "stage-2/data/train-00000.parquet"} <= names
    assert api.dataset_info("me/split").private
    assert not make_split(SplitChoice(out=SPLIT, stages=2), grown).changed and commits(api, "me/split") == made
    assert make_split(SplitChoice(out=SPLIT, stages=1), grown).changed and commits(api, "me/split") == made + 1
    left = set(api.list_repo_files("me/split", repo_type="dataset"))
    assert not any(name.startswith("stage-2/") for name in left) and "split.json" in left


def test_mixture_goes_to_the_hub_beside_the_split_that_it_is_of(api: HfApi, grown: Settings) -> None:
    make_split(SplitChoice(out=SPLIT, stages=2), grown)
    before = set(api.list_repo_files("me/split", repo_type="dataset"))
    choice = ReplayChoice(stage=f"{SPLIT}@2", earlier=f"{SPLIT}@1", strategy="instr-diverse", tasks=1)
    summary = replay(choice, grown, Store(grown.store))
    assert summary.out == f"{SPLIT}/mixtures/000002-instr-diverse" and summary.replayed_tasks == 1
    after = set(api.list_repo_files("me/split", repo_type="dataset"))
    assert before < after and "mixtures/000002-instr-diverse/replay.json" in after
    assert not replay(choice, grown, Store(grown.store)).changed


def test_place_of_somebody_else_is_left_alone(api: HfApi, grown: Settings) -> None:
    api.create_repo("me/mine", repo_type="dataset")
    api.upload_file(path_or_fileobj=b"x", path_in_repo="thesis.txt", repo_id="me/mine", repo_type="dataset")
    with pytest.raises(DynosaurError, match="holds files and no split"):
        make_split(SplitChoice(out="hf://datasets/me/mine"), grown)
    assert make_split(SplitChoice(out="hf://datasets/me/mine/split"), grown).changed
    assert "thesis.txt" in api.list_repo_files("me/mine", repo_type="dataset")


@pytest.mark.parametrize("out", ["hf://me/split", "hf:/datasets/me/split", "hf://datasets/me", "nothing://x"])
def test_place_that_is_none_is_said(grown: Settings, out: str) -> None:
    with pytest.raises(DynosaurError, match=r"is no place on the Hub|cannot be opened") as caught:
        make_split(SplitChoice(out=out), grown)
    assert caught.value.code is Code.BAD_SETTING


def test_place_on_the_hub_needs_a_token(
    hub: LoopbackHub, api: HfApi, grown: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    with pytest.raises(DynosaurError, match="me/split") as caught:
        make_split(SplitChoice(out=SPLIT, stages=2), grown)
    assert caught.value.code is Code.RELEASE_FAILED and "hf_wrong" not in str(caught.value)
