"""What every sink must do: whatever a person did to a release, the next one holds what the store holds."""

from __future__ import annotations

import io
import json
from collections.abc import Callable

import pyarrow.parquet as pq
import pytest

from dynosaur_core.digest import digest
from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.models import Contribution, Removal
from dynosaur_core.publish.release import ReleaseOutcome
from dynosaur_core.publish.standing import Maker
from dynosaur_core.store import Store

from .conftest import NOW, contribute, make_release
from .places import SETTINGS, Place

TABLES = ("tasks.parquet", "sources.parquet")


@pytest.fixture
def wanted(store: Store) -> list[Contribution]:
    """Five sources in three files; the last is larger than a file."""
    many = [str(number) for number in range(6)]
    return [*(contribute(store, f"a/{n}", [f"{n}x", f"{n}y"]) for n in range(4)), contribute(store, "b/big", many)]


ALL = sorted([*(f"{n}{x}" for n in range(4) for x in "xy"), *(str(n) for n in range(6))])


def test_a_release_names_its_store_and_its_growth_and_the_same_again_changes_nothing(
    place: Place, store: Store, wanted: list[Contribution]
) -> None:
    assert place.make(wanted, store).changed and place.inputs == ALL
    assert (place.manifest.store, place.manifest.growth) == ("ours", 7)
    before = place.read()
    place.growth += 1
    assert place.make(wanted, store) == ReleaseOutcome(1, len(ALL), changed=False)
    assert place.make(wanted, store, verify=True).changed is False
    assert place.read() == before


HARM: dict[str, Callable[[dict[str, bytes]], dict[str, bytes | None]]] = {
    "a data file deleted": lambda files: {"data/000001-00000.parquet": None},
    "a part of a large source deleted": lambda files: {"data/000001-00003.parquet": None},
    "all data files deleted": lambda files: {name: None for name in files if name.startswith("data/")},
    "a data file cut": lambda files: {"data/000001-00001.parquet": files["data/000001-00001.parquet"][:-100]},
    "a data file emptied": lambda files: {"data/000001-00001.parquet": b""},
    "the card deleted": lambda files: {"README.md": None},
    "the card in latin-1": lambda files: {"README.md": files["README.md"] + "café\n".encode("latin-1")},
    "the card of another": lambda files: {"README.md": b"# Mine"},
    "the tasks cut": lambda files: {"tasks.parquet": files["tasks.parquet"][:-10]},
    "the sources emptied": lambda files: {"sources.parquet": b""},
    "the tasks deleted": lambda files: {"tasks.parquet": None},
    "the sources deleted": lambda files: {"sources.parquet": None},
    "the removals deleted": lambda files: {"removals.jsonl": None},
    "the manifest cut": lambda files: {"manifest.json": files["manifest.json"][:400]},
    "the manifest emptied": lambda files: {"manifest.json": b""},
    "the manifest no text": lambda files: {"manifest.json": b"\xff\xfe\x00"},
    "the manifest deleted": lambda files: {"manifest.json": None},
}


@pytest.mark.parametrize("harm", HARM)
def test_what_was_harmed_by_hand_is_mended(place: Place, store: Store, wanted: list[Contribution], harm: str) -> None:
    place.make(wanted, store)
    before = place.read()
    place.change(HARM[harm](before))
    outcome = place.make(wanted, store)
    assert (outcome.version, outcome.changed) == (2, True)
    assert place.inputs == ALL
    after = place.read()
    assert set(after) == {*(file.path for file in place.manifest.files), *TABLES} | {
        "README.md",
        "removals.jsonl",
        "manifest.json",
    }
    assert place.make(wanted, store).changed is False
    assert pq.read_table(io.BytesIO(after["tasks.parquet"])).num_rows == 5
    after["README.md"].decode()
    # what was whole stays as it was
    if harm.startswith("a data file"):
        kept = [name for name in before if name.startswith("data/") and name in after]
        assert len(kept) == 3 and all(after[name] == before[name] for name in kept)
        assert "missing or damaged" in place.manifest.changelog[0]


@pytest.mark.parametrize(
    "harm", ["a data file deleted", "all data files deleted", "the card in latin-1", "the manifest cut"]
)
def test_a_source_can_be_withdrawn_whatever_was_harmed(
    place: Place, store: Store, wanted: list[Contribution], harm: str
) -> None:
    place.make(wanted, store)
    place.change(HARM[harm](place.read()))
    place.make(wanted[1:], store)
    assert place.inputs == ALL[2:] or place.inputs == sorted(set(ALL) - {"0x", "0y"})


def test_content_that_was_altered_is_found_by_verify(place: Place, store: Store, wanted: list[Contribution]) -> None:
    """Where a listing has digests, as the Hub's, it is found without."""
    place.make(wanted, store)
    data = place.read()["data/000001-00000.parquet"]
    place.change({"data/000001-00000.parquet": data[:50] + bytes([data[50] ^ 255]) + data[51:]})
    assert place.make(wanted, store, verify=True).changed
    assert place.inputs == ALL


def test_a_removal_log_without_its_last_newline_is_not_glued(
    place: Place, store: Store, wanted: list[Contribution]
) -> None:
    place.make(wanted, store)
    place.make(wanted[1:], store, removals=[Removal(repo_id="a/0", revision="r1", reason="gated", when=NOW)])
    whole = place.read()["removals.jsonl"]
    place.change({"removals.jsonl": whole + b'{"repo_id": "half'})
    place.make(wanted[2:], store, removals=[Removal(repo_id="a/1", revision="r1", reason="gone", when=NOW)])
    lines = place.read()["removals.jsonl"].splitlines()
    assert (lines[0] + b"\n", lines[1]) == (whole, b'{"repo_id": "half')
    assert json.loads(lines[2])["repo_id"] == "a/1" and len(lines) == 3


def test_a_removal_log_that_was_deleted_is_written_anew(place: Place, store: Store, wanted: list[Contribution]) -> None:
    removals = [Removal(repo_id="a/0", revision="r1", reason="gated", when=NOW)]
    place.make(wanted, store)
    place.make(wanted[1:], store, removals=removals)
    log = place.read()["removals.jsonl"]
    place.change({"removals.jsonl": None})
    place.make(wanted[1:], store, removals=removals)
    assert place.read()["removals.jsonl"] == log and b"gated" in log
    place.change({"removals.jsonl": log[:20]})
    place.make(wanted[1:], store, removals=removals)
    assert place.read()["removals.jsonl"] == log[:20] + b"\n" + log


def test_another_store_is_refused_until_it_is_adopted(place: Place, store: Store, wanted: list[Contribution]) -> None:
    place.make(wanted, store)
    before = place.read()
    for harm in ({}, HARM["the manifest deleted"](before), HARM["the manifest cut"](before)):
        place.change(harm)
        left = place.read()
        with pytest.raises(DynosaurError) as caught:
            place.make(wanted[:4], store, of="theirs")
        assert caught.value.code in (Code.FOREIGN_STORE, Code.RELEASE_FAILED) and "--adopt" in caught.value.message
        assert place.read() == left
    assert place.make(wanted[:4], store, of="theirs", adopt=True).changed
    assert place.manifest.store == "theirs" and len(place.inputs) == 8
    with pytest.raises(DynosaurError, match="ForeignStore"):
        place.make(wanted, store)


def test_a_release_of_an_earlier_version_is_its_stores_by_what_it_holds(
    place: Place, store: Store, wanted: list[Contribution]
) -> None:
    make_release(wanted, place.sink(), store, SETTINGS, NOW)  # without a maker no store is named
    assert place.manifest.store is None
    with pytest.raises(DynosaurError, match="ForeignStore"):
        place.make(wanted, store, of="theirs")
    place.known = {digest(contribution) for contribution in wanted[:3]}
    data = {name: content for name, content in place.read().items() if name.startswith("data/")}
    assert place.make(wanted, store).version == 2 and place.manifest.store == "ours"
    assert {name: content for name, content in place.read().items() if name.startswith("data/")} == data
    assert place.make(wanted, store).changed is False


def test_too_many_withdrawals_wait_for_a_word(place: Place, store: Store, wanted: list[Contribution]) -> None:
    place.make(wanted, store)
    before = place.read()
    gone = [Removal(repo_id=f"a/{n}", revision="r1", reason="refused_license", when=NOW) for n in range(3)]
    for kept in (0, 1):
        with pytest.raises(DynosaurError, match="--withdraw-many") as caught:
            place.make(wanted[5 - kept :], store, removals=gone)
        assert caught.value.code is Code.WITHDRAWS_MANY
        assert f"{5 - kept} of the 5 datasets" in caught.value.message
        assert "refused_license 3" in caught.value.message
        assert place.read() == before
    assert place.make(wanted[4:], store, removals=gone, withdraw_many=True).changed
    assert place.inputs == [str(number) for number in range(6)]
    lines = [json.loads(line) for line in place.read()["removals.jsonl"].splitlines()]
    assert [(line["repo_id"], line["reason"]) for line in lines] == [
        ("a/0", "refused_license"),
        ("a/1", "refused_license"),
        ("a/2", "refused_license"),
        ("a/3", "not_in_store"),  # no catalogue said that it is gone
    ]


def test_a_ledger_that_is_older_than_the_release_makes_none_until_it_is_adopted(
    place: Place, store: Store, wanted: list[Contribution]
) -> None:
    place.growth = 8
    place.make(wanted[1:], store)
    before = place.read()
    place.growth = 7
    with pytest.raises(DynosaurError) as caught:
        place.make(wanted, store)
    assert caught.value.code is Code.FOREIGN_STORE and "knows of 7" in caught.value.message
    assert place.read() == before
    assert place.make(wanted, store, adopt=True).changed and place.manifest.growth == 7


def test_a_growth_that_loses_its_lease_while_it_writes_commits_nothing(
    place: Place, store: Store, wanted: list[Contribution]
) -> None:
    place.make(wanted[1:], store)
    held = place.manifest
    asked = 0

    def growth() -> int:
        nonlocal asked
        asked += 1
        if asked > 2:  # at the last look, when all data files are written
            raise DynosaurError(Code.GROWTH_RUNNING, "suspended")
        return 7

    maker = place.maker("ours")
    late = Maker(maker.store, maker.holds, growth, maker.may_leave)
    with pytest.raises(DynosaurError, match="suspended"):
        make_release(wanted, place.sink(), store, SETTINGS, NOW, maker=late, pause_s=0)
    assert place.manifest == held


def test_a_manifest_of_a_later_version_is_left_alone(place: Place, store: Store, wanted: list[Contribution]) -> None:
    place.make(wanted, store)
    manifest = json.loads(place.read()["manifest.json"]) | {"format": "dynosaur/2", "something": "new"}
    place.change({"manifest.json": json.dumps(manifest).encode()})
    before = place.read()
    with pytest.raises(DynosaurError, match="made by a newer version of Dynosaur"):
        place.make(wanted, store, adopt=True)
    assert place.read() == before
