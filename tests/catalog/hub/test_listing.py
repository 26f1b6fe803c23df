"""The Hub's listing as a catalogue."""

from __future__ import annotations

import io
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dynosaur_core.catalog.hub.catalog import HubCatalog
from dynosaur_core.catalog.hub.http import HubHttp
from dynosaur_core.catalog.hub.listing import OVERLAP, entry_ref
from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.models import DatasetRef
from dynosaur_core.protocols import Cursor
from dynosaur_core.settings import Settings
from tests.support.hub import Fault, Faults, LoopbackHub
from tests.support.hub.content import card


def catalog(hub: LoopbackHub, **part: Any) -> HubCatalog:
    return HubCatalog(Settings(hub=part), http=HubHttp(hub.url, hub.token, backoff_s=0.01, timeout_s=1))


def ids(refs: Any) -> list[str]:
    return [ref.repo_id for ref in refs]


def test_a_ref_holds_what_the_listing_tells(hub: LoopbackHub) -> None:
    header = {
        "license": ["mit", "CC-BY-4.0"],
        "task_categories": ["text-classification"],
        "task_ids": ["fact-checking"],
    }
    repo = hub.add("me/x", {"README.md": card(**header), "a.txt": "a" * 100})
    hub.gate("me/x", "manual")
    [ref] = catalog(hub).list()
    assert ref.repo_id == "me/x" and ref.revision == repo.head.sha and ref.last_modified == repo.head.date
    assert ref.licenses == ("mit", "cc-by-4.0") and ref.languages == ("en",)
    assert ref.task_categories == ("text-classification",) and ref.task_ids == ("fact-checking",)
    assert ref.gated and not ref.private and not ref.disabled
    assert ref.size_bytes == sum(blob.size for blob in repo.head.files.values())
    assert "license:mit" in ref.tags and "Short reviews" in (ref.description or "")
    assert catalog(hub).ref("me/x") == ref


def entry(**fields: Any) -> DatasetRef | None:
    return entry_ref({"id": "me/x", "sha": "a" * 40, **fields})


def test_licences_of_tags_and_of_the_card_count(hub: LoopbackHub) -> None:
    ref = entry(tags=["license:mit", "language:en", "region:us"], cardData={"licenses": ["cc-by-nc-4.0"]})
    assert ref and set(ref.licenses) == {"mit", "cc-by-nc-4.0"} and ref.languages == ("en",)


@pytest.mark.parametrize(
    "broken",
    [
        None,
        7,
        "x",
        {},
        {"id": 7, "sha": "a" * 40},
        {"id": "me/x"},
        {"id": "me/x", "sha": "main"},
        {"id": "me/../x", "sha": "a" * 40},
    ],
)
def test_entries_that_name_no_revision_are_left_out(broken: Any) -> None:
    assert entry_ref(broken) is None


@pytest.mark.parametrize(
    "odd",
    [
        {"cardData": "no mapping", "tags": None, "lastModified": "yesterday", "usedStorage": "much"},
        {"cardData": {"license": {"a": [{"b": 7}]}, "language": [None, True]}, "tags": [None, 3, "license:"]},
        {"description": 7, "gated": "auto", "usedStorage": -1, "lastModified": 7},
    ],
)
def test_odd_entries_are_read_as_far_as_they_go(odd: dict[str, Any]) -> None:
    ref = entry(**odd)
    assert ref and ref.repo_id == "me/x" and ref.size_bytes is None and ref.last_modified is None


def test_the_watermark_ends_the_listing(hub: LoopbackHub) -> None:
    hub.add_synthetic(5000)
    watermark = hub.tick(10_000)
    hub.add("me/before", {"README.md": card()})
    hub.tick(10_000)
    hub["me/before"].commit(hub["me/before"].head.files, watermark - OVERLAP - timedelta(seconds=1), "old")
    for name in "abc":
        hub.add(f"me/{name}", {"README.md": card()})
    cat = catalog(hub)
    cursor = Cursor(since=watermark)
    found = ids(cat.list(cursor))
    assert found[:4] == ["me/c", "me/b", "me/a", "me/before"]
    assert hub.requests["list"] == cursor.pages == 1
    assert len(found) == 1000 and cursor.finished and not cursor.whole
    assert cat.scope == "" != catalog(hub, author="me").scope


def test_a_hub_of_one_page_is_seen_whole(hub: LoopbackHub) -> None:
    for name in "abc":
        hub.add(f"me/{name}", {"README.md": card()})
    cursor = Cursor(since=hub.tick(10_000))
    assert ids(catalog(hub).list(cursor)) == ["me/c", "me/b", "me/a"]
    assert cursor.whole and hub.requests["list"] == 1


def test_the_query_narrows(hub: LoopbackHub) -> None:
    hub.add("me/films", {"README.md": card(license="mit")})
    hub.add("you/films", {"README.md": card(license="gpl-3.0")})
    hub.add("you/songs", {"README.md": card(license="mit")})
    assert ids(catalog(hub, author="you").list()) == ["you/songs", "you/films"]
    assert ids(catalog(hub, search="film").list()) == ["you/films", "me/films"]
    assert ids(catalog(hub, tags=["license:mit"]).list()) == ["you/songs", "me/films"]


def test_entries_that_move_while_pages_are_read_come_once(hub: LoopbackHub) -> None:
    for n in range(8):
        hub.add(f"me/{n}", {"README.md": card()})
    hub.page_size = 2
    seen = []
    for ref in catalog(hub).list():
        if ref.repo_id in ("me/6", "me/4"):
            hub.edit_prose("me/7")
        seen.append(ref.repo_id)
    assert sorted(seen) == sorted(set(seen)) == [f"me/{n}" for n in range(8)]


def test_a_bad_page_is_asked_for_again_and_in_smaller_pieces(hub: LoopbackHub) -> None:
    hub.add_synthetic(3000)
    hub.faults.add(Fault("garbage", {"list"}, "limit=1000&", times=7))  # more than one page's tries
    assert ids(catalog(hub).list()) == [f"bulk/d{n:07d}" for n in range(3000)]


def test_a_listing_that_was_cut_off_goes_on_from_its_cursor(hub: LoopbackHub) -> None:
    hub.add_synthetic(3500)
    hub.faults.add(Fault("503", {"list"}, "cursor=MTk5OQ"))  # the page after bulk/d0001999
    cursor, cat = Cursor(), catalog(hub)
    seen = []
    with pytest.raises(DynosaurError) as caught:
        for ref in cat.list(cursor=cursor):
            seen.append(ref.repo_id)
    assert caught.value.code is Code.SERVER_ERROR
    assert len(seen) == 2000 and cursor.pages == 2 and not cursor.finished
    hub.faults.clear()
    seen += ids(cat.list(cursor=Cursor(url=cursor.url)))
    assert seen == [f"bulk/d{n:07d}" for n in range(3500)]


def test_random_faults_change_nothing(hub: LoopbackHub) -> None:
    hub.add_synthetic(2000)
    hub.page_size = 100
    hub.faults = Faults(0.3, seed=3)
    assert ids(catalog(hub).list()) == [f"bulk/d{n:07d}" for n in range(2000)]


def test_renamed_gone_private_and_disabled_ones(hub: LoopbackHub) -> None:
    for name in ("old", "gone", "private", "disabled", "gated"):
        hub.add(f"me/{name}", {"README.md": card()})
    hub.rename("me/old", "you/new")
    hub.delete("me/gone")
    hub.privatise("me/private")
    hub.disable("me/disabled")
    hub.gate("me/gated")
    cat = HubCatalog(Settings(), http=HubHttp(hub.url, None))
    assert cat.ref("me/old").repo_id == "you/new"
    assert cat.ref("me/gated").gated
    codes = {"me/gone": Code.NOT_FOUND, "me/private": Code.NOT_FOUND, "me/disabled": Code.NOT_ALLOWED}
    for name, code in codes.items():
        with pytest.raises(DynosaurError) as caught:
            cat.ref(name)
        assert (name, caught.value.code) == (name, code)
    for name in ("a/b?c=d", "a/b/../../../whoami-v2", "..", "a/..", "a b/c#d", "a/b%2f%2e%2e", ""):
        with pytest.raises(DynosaurError) as caught:
            cat.ref(name)
        assert caught.value.code is Code.NOT_FOUND


def test_a_census_stands_for_the_listing(hub: LoopbackHub, tmp_path: Path) -> None:
    hub.add_synthetic(6000)
    rows = [hub.synthetic.entry(n) for n in range(6000)]
    for row in rows:
        row["cardData"] = json.dumps(row["cardData"])
        row["gated"] = "False"
    rows[5] |= {"gated": "auto", "cardData": "{not json"}
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), sink, row_group_size=1000)
    (tmp_path / "census.parquet").write_bytes(sink.getvalue())
    listed = list(catalog(hub).list())
    cat = catalog(hub, census=f"file://{tmp_path}/census.parquet")
    hub.reset_counts()
    found = list(cat.list())
    assert not hub.requests
    assert found[5].gated and set(found[5].licenses) == set(listed[5].licenses)
    assert found[:5] == listed[:5] and found[6:] == listed[6:]
    middle = listed[3000].last_modified
    assert middle is not None
    narrow = catalog(hub, census=f"file://{tmp_path}/census.parquet", tags=["license:mit"])
    newer = list(narrow.list(Cursor(since=middle + OVERLAP)))
    assert newer == [ref for ref in listed[:3001] if "license:mit" in ref.tags]
    with pytest.raises(DynosaurError) as caught:
        list(catalog(hub, census=str(tmp_path / "none.parquet")).list())
    assert caught.value.code is Code.BAD_CATALOG
