"""The loopback Hub, asked by the real clients."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi
from huggingface_hub.errors import (
    DisabledRepoError,
    GatedRepoError,
    HfHubHTTPError,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from tests.support.hub import Fault, Faults, LoopbackHub
from tests.support.hub.content import card, jsonl, parquet, reviews


@pytest.fixture
def api(hub: LoopbackHub) -> HfApi:
    return HfApi(endpoint=hub.url, token=hub.token)


def client(hub: LoopbackHub, home: Path, code: str, **environment: str) -> Any:
    """What `code` prints as JSON, in a process of its own: the clients read their settings when they are imported."""
    settings = {"HF_ENDPOINT": hub.url, "HF_TOKEN": hub.token, "HF_HOME": str(home), "HF_UPDATE_DOWNLOAD_COUNTS": "0"}
    answer = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **settings, **environment}, capture_output=True, check=True
    )
    return json.loads(answer.stdout)


def test_listing_is_newest_first_and_paged(hub: LoopbackHub, api: HfApi) -> None:
    for name in "abcde":
        hub.add(f"me/{name}", {"README.md": card(license=["mit", "cc-by-4.0"])})
    hub.add_synthetic(7)
    hub.page_size = 4
    hub.edit_prose("me/b")
    listed = list(api.list_datasets(sort="last_modified", expand=["sha", "lastModified", "tags", "cardData"]))
    assert [entry.id for entry in listed[:5]] == ["me/b", "me/e", "me/d", "me/c", "me/a"]
    assert [entry.id for entry in listed[5:]] == [f"bulk/d{n:07d}" for n in range(7)]
    assert listed == sorted(listed, key=lambda entry: entry.last_modified, reverse=True)
    assert listed[0].sha == hub["me/b"].head.sha
    assert {"license:mit", "license:cc-by-4.0", "language:en"} <= set(listed[0].tags)
    assert listed[0].card_data.license == ["mit", "cc-by-4.0"]
    assert listed[0].downloads is None  # not asked for
    assert hub.requests["list"] == 3


def test_listing_is_filtered(hub: LoopbackHub, api: HfApi) -> None:
    hub.add("me/films", {"README.md": card(license="mit")})
    hub.add("you/films", {"README.md": card(license="gpl-3.0")})
    hub.add("me/secret", {"README.md": card()}, private=True)
    hub.gate("you/films")
    assert {entry.id for entry in api.list_datasets(search="film")} == {"me/films", "you/films"}
    assert {entry.id for entry in api.list_datasets(author="me")} == {"me/films", "me/secret"}
    assert {entry.id for entry in api.list_datasets(author="me", token=False)} == {"me/films"}
    assert {entry.id for entry in api.list_datasets(filter="license:gpl-3.0")} == {"you/films"}
    assert {entry.id: entry.gated for entry in api.list_datasets(gated=True)} == {"you/films": "auto"}


def test_info_tree_and_refs(hub: LoopbackHub, api: HfApi) -> None:
    hub.add("me/x", {"README.md": card(), "data/train.parquet": parquet(reviews(10)), "notes/a/b.txt": "hello"})
    first = hub["me/x"].head.sha
    second = hub.edit("me/x", {"notes/a/b.txt": None, "new.txt": "new"}).sha
    info = api.dataset_info("me/x", files_metadata=True)
    assert info.sha == second
    assert {file.rfilename for file in info.siblings} == {"README.md", "data/train.parquet", "new.txt"}
    assert next(file for file in info.siblings if file.lfs).rfilename == "data/train.parquet"
    assert api.dataset_info("me/x", revision=first).sha == first
    tree = list(api.list_repo_tree("me/x", recursive=True, revision=first, repo_type="dataset"))
    assert {entry.path for entry in tree} == {
        "README.md", "data", "data/train.parquet", "notes", "notes/a", "notes/a/b.txt"}  # fmt: skip
    top = api.list_repo_tree("me/x", repo_type="dataset")
    assert {entry.path for entry in top} == {"README.md", "data", "new.txt"}
    paths = api.get_paths_info("me/x", ["new.txt", "data", "nothing"], repo_type="dataset")
    assert {entry.path for entry in paths} == {"new.txt", "data"}
    refs = api.list_repo_refs("me/x", repo_type="dataset")
    assert refs.branches[0].target_commit == second
    assert refs.converts[0].ref == "refs/convert/parquet"
    assert [commit.commit_id for commit in api.list_repo_commits("me/x", repo_type="dataset")] == [second, first]


def test_refusals_carry_the_codes_that_the_clients_know(hub: LoopbackHub, api: HfApi, tmp_path: Path) -> None:
    for name in ("gated", "private", "disabled", "open"):
        hub.add(f"me/{name}", {"README.md": card(), "a.txt": "a"})
    hub.gate("me/gated")
    hub.privatise("me/private")
    hub.disable("me/disabled")

    def download(name: str, path: str = "a.txt", **options: Any) -> str:
        return api.hf_hub_download(f"me/{name}", path, repo_type="dataset", cache_dir=tmp_path, **options)

    for token in (hub.token, False):
        with pytest.raises(RepositoryNotFoundError):
            api.dataset_info("me/none", token=token)
        with pytest.raises(GatedRepoError):
            download("gated", token=token)
    assert api.dataset_info("me/gated").gated == "auto"
    hub["me/gated"].granted.add("loopback")
    assert Path(download("gated")).read_text() == "a"
    assert api.dataset_info("me/private").private is True
    with pytest.raises(RepositoryNotFoundError):
        api.dataset_info("me/private", token=False)
    with pytest.raises(DisabledRepoError):
        api.dataset_info("me/disabled")
    with pytest.raises(RevisionNotFoundError):
        download("open", revision="0" * 40)
    with pytest.raises(RemoteEntryNotFoundError):
        download("open", "b.txt")
    with pytest.raises(HfHubHTTPError, match="Invalid user token"):
        api.whoami(token="hf_wrong")


def test_downloads_follow_redirects_and_ranges(hub: LoopbackHub, api: HfApi, tmp_path: Path) -> None:
    data = parquet(reviews(500))
    hub.add("me/old", {"README.md": card(), "data/train.parquet": data})
    hub.rename("me/old", "me/new")
    hub.resolve_cache = True
    assert api.dataset_info("me/old").id == "me/new"
    for path, content in (("data/train.parquet", data), ("README.md", card().encode())):
        file = api.hf_hub_download("me/old", path, repo_type="dataset", cache_dir=tmp_path)
        assert Path(file).read_bytes() == content
    request = urllib.request.Request(f"{hub.url}/datasets/me/new/resolve/main/data/train.parquet")
    request.add_header("Range", "bytes=-8")
    with urllib.request.urlopen(request) as answer:
        assert (answer.status, answer.read()) == (206, data[-8:])
        assert answer.headers["Content-Range"] == f"bytes {len(data) - 8}-{len(data) - 1}/{len(data)}"
    hub.delete("me/new")
    with pytest.raises(RepositoryNotFoundError):
        api.dataset_info("me/old")


def test_commits_check_their_parent_and_are_whole(hub: LoopbackHub, api: HfApi) -> None:
    url = api.create_repo("me/x", repo_type="dataset", private=True)
    assert url.repo_id == "me/x" and hub["me/x"].private
    with pytest.raises(HfHubHTTPError) as conflict:
        api.create_repo("me/x", repo_type="dataset")
    assert conflict.value.response.status_code == 409
    api.create_repo("me/x", repo_type="dataset", exist_ok=True)
    readme = CommitOperationAdd("README.md", card().encode())
    first = api.create_commit("me/x", [readme], commit_message="one", repo_type="dataset")
    operations = [CommitOperationAdd("a.txt", b"a"), CommitOperationDelete("README.md")]
    second = api.create_commit("me/x", operations, commit_message="two", repo_type="dataset", parent_commit=first.oid)
    assert hub["me/x"].head.sha == second.oid
    assert hub["me/x"].head.files.keys() == {".gitattributes", "a.txt"}
    with pytest.raises(HfHubHTTPError) as stale:
        api.create_commit(
            "me/x", [CommitOperationAdd("b.txt", b"b")], commit_message="3", repo_type="dataset",
            parent_commit=first.oid,
        )  # fmt: skip
    assert stale.value.response.status_code == 412
    with pytest.raises(HfHubHTTPError):
        operations = [CommitOperationAdd("c.txt", b"c"), CommitOperationDelete("nothing")]
        api.create_commit("me/x", operations, commit_message="four", repo_type="dataset")
    assert hub["me/x"].head.sha == second.oid
    again = api.create_commit("me/x", [CommitOperationAdd("a.txt", b"a")], commit_message="5", repo_type="dataset")
    assert again.oid == second.oid  # nothing new
    api.create_tag("me/x", tag="v1", repo_type="dataset", revision=first.oid)
    with pytest.raises(HfHubHTTPError):
        api.create_tag("me/x", tag="v1", repo_type="dataset")
    assert api.dataset_info("me/x", revision="v1").sha == first.oid
    api.delete_tag("me/x", tag="v1", repo_type="dataset")
    assert api.list_repo_refs("me/x", repo_type="dataset").tags == []


UPLOAD = """
import json
from huggingface_hub import CommitOperationAdd, HfApi
data = b"".join((n % 1000).to_bytes(4, "little") for n in range(200_000)) + bytes(range(256)) * 400
HfApi().create_commit("me/x", [CommitOperationAdd("data/a.parquet", data)], commit_message="m", repo_type="dataset")
print(json.dumps(len(data)))
"""


@pytest.mark.parametrize("way", ["xet", "lfs", "parts"])
def test_large_files_are_uploaded_by_xet_and_by_lfs(hub: LoopbackHub, tmp_path: Path, way: str) -> None:
    hub.add("me/x", {"README.md": card()})
    hub.part_bytes = 300_000 if way == "parts" else None
    size = client(hub, tmp_path, UPLOAD, HF_HUB_DISABLE_XET="0" if way == "xet" else "1")
    expected = b"".join((n % 1000).to_bytes(4, "little") for n in range(200_000)) + bytes(range(256)) * 400
    assert size == len(expected)
    assert hub["me/x"].head.files["data/a.parquet"].read() == expected
    assert hub.requests["lfs-batch"] == (0 if way == "xet" else 1)
    assert hub.requests["xet-token"] == (1 if way == "xet" else 0)


STREAM = """
import json
from datasets import load_dataset
rows = {split: list(load_dataset("me/x", "two", split=split, streaming=True)) for split in ("train", "test")}
print(json.dumps(rows))
"""


def test_datasets_streams_from_it(hub: LoopbackHub, tmp_path: Path) -> None:
    configs = [
        {"config_name": "one", "data_files": [{"split": "train", "path": "one.parquet"}]},
        {"config_name": "two", "data_files": [{"split": s, "path": f"two/{s}.parquet"} for s in ("train", "test")]},
    ]
    train, test = reviews(20), reviews(5)
    hub.add(
        "me/x",
        {
            "README.md": card(configs=configs),
            "one.parquet": parquet({"a": [1]}),
            "two/train.parquet": parquet(train),
            "two/test.parquet": parquet(test),
        },
    )
    rows = client(hub, tmp_path, STREAM)
    assert [row["text"] for row in rows["train"]] == train["text"]
    assert [row["label"] for row in rows["test"]] == test["label"]


def view(hub: LoopbackHub, path: str) -> tuple[int, dict[str, str], Any]:
    request = urllib.request.Request(f"{hub.url}/{path}", headers={"Authorization": f"Bearer {hub.token}"})
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, dict(answer.headers), json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers), json.load(error)


def test_viewer_endpoints(hub: LoopbackHub) -> None:
    hub.add("me/x", {"README.md": card(), "train.jsonl": jsonl([{"n": n, "t": "x" * 500} for n in range(150)])})
    before = hub["me/x"].head.sha
    status, headers, rows = view(hub, "rows?dataset=me/x&config=default&split=train&offset=120&length=100")
    assert (status, headers["X-Revision"]) == (200, before)
    assert [row["row_idx"] for row in rows["rows"]] == list(range(120, 150))
    assert rows["num_rows_total"] == 150
    assert rows["features"][0] == {"feature_idx": 0, "name": "n", "type": {"dtype": "int64", "_type": "Value"}}
    assert view(hub, "is-valid?dataset=me/x")[2]["viewer"] is True
    assert view(hub, "splits?dataset=me/x")[2]["splits"] == [{"dataset": "me/x", "config": "default", "split": "train"}]
    assert view(hub, "info?dataset=me/x")[2]["dataset_info"]["default"]["splits"]["train"]["num_examples"] == 150
    assert view(hub, "size?dataset=me/x")[2]["size"]["dataset"]["num_rows"] == 150
    [converted] = view(hub, "parquet?dataset=me/x")[2]["parquet_files"]
    with urllib.request.urlopen(converted["url"]) as answer:
        assert len(answer.read()) == converted["size"]
    hub.viewer.max_bytes = 20_000
    cut = view(hub, "first-rows?dataset=me/x&config=default&split=train")[2]
    assert cut["truncated"] is True
    assert {cell for row in cut["rows"] for cell in row["truncated_cells"]} == {"t"}
    hub.edit_rows("me/x")
    hub["me/x"].viewer = "stale"
    assert view(hub, "splits?dataset=me/x")[1]["X-Revision"] == before
    hub["me/x"].viewer = "pending"
    assert view(hub, "splits?dataset=me/x")[:1] == (500,)
    assert view(hub, "splits?dataset=me/x")[1]["X-Error-Code"] == "ResponseNotReady"
    assert view(hub, "splits?dataset=me/none")[1]["X-Error-Code"] == "ExternalAuthenticatedError"


def test_random_faults_do_not_depend_on_the_order_of_requests() -> None:
    targets = [f"/datasets/me/{n}" for n in range(400)]

    def hit(order: list[str]) -> dict[str, str]:
        faults = Faults(0.1, seed=7)
        drawn = {target: faults.choose("resolve", "GET", target) for target in order}
        return {target: fault.kind for target, fault in drawn.items() if fault}

    assert hit(targets) == hit(targets[::-1])
    assert 20 < len(hit(targets)) < 60
    assert len(set(hit(targets).values())) > 3


def test_quota_and_faults_answer_as_the_hub_does(hub: LoopbackHub) -> None:
    hub.add("me/x", {"README.md": card()})
    hub.quota["api"] = 2
    headers = [view(hub, "api/datasets/me/x")[1]["RateLimit"].split(";")[1] for _ in range(2)]
    assert headers == ["r=1", "r=0"]
    status, refused, _ = view(hub, "api/datasets/me/x")
    assert status == 429 and refused["RateLimit-Policy"] == '"fixed window";"api";q=2;w=300'
    hub.faults.add(Fault("429", {"resolve"}, retry_after=3, times=1))
    hub.faults.add(Fault("reset", match="README", times=1))
    with pytest.raises(urllib.error.HTTPError) as limited:
        urllib.request.urlopen(f"{hub.url}/datasets/me/x/resolve/main/README.md")
    assert limited.value.headers["Retry-After"] == "3"
    with pytest.raises(ConnectionResetError):
        urllib.request.urlopen(f"{hub.url}/datasets/me/x/resolve/main/README.md")
    assert urllib.request.urlopen(f"{hub.url}/datasets/me/x/resolve/main/README.md").status == 200


def test_the_playground_obeys_lines(tmp_path: Path) -> None:
    (tmp_path / "me/x").mkdir(parents=True)
    (tmp_path / "me/x/README.md").write_text(card())
    command = [sys.executable, "-m", "tests.support.hub", str(tmp_path), "--port", "0"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin and process.stdout

        def say(line: str) -> str:
            print(line, file=process.stdin, flush=True)
            return process.stdout.readline().strip()

        url = process.stdout.readline().split("HF_ENDPOINT=")[1].split()[0]
        api = HfApi(endpoint=url, token=False)
        before = api.dataset_info("me/x").sha
        assert say("edit_prose me/x") == "done"
        assert api.dataset_info("me/x").sha != before
        assert say("requests") == "2 requests: {'dataset-info': 2}"
        assert say("delete me/none").startswith("!")
        process.kill()
