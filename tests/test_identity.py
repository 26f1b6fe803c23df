"""What belongs together: stores and ledgers, catalogues and places; and how much may leave at once."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynosaur_core.catalogs import open_catalog
from dynosaur_core.clients import Clients, close_clients
from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.identity import Pair, catalog_name, shared_id
from dynosaur_core.ledger import Ledger, Outcome, new_entry
from dynosaur_core.ledger.identities import catalog_places, store_id
from dynosaur_core.models import DatasetRef
from dynosaur_core.settings import Settings
from dynosaur_core.withdrawals import check_withdrawals
from tests.ledger.conftest import ledger as ledger
from tests.ledger.conftest import postgres_url as postgres_url
from tests.ledger.test_ledger import NOW

C = "contributions/cc/" + "c" * 32 + ".json"
IDS = st.sampled_from([None, "a", "b"])


@given(IDS, IDS, st.booleans(), st.booleans(), st.booleans())
def test_an_id_is_shared_only_by_what_belongs_together(
    mine: str | None, theirs: str | None, store_used: bool, ledger_used: bool, met: bool
) -> None:
    pair = Pair("s", mine, theirs, store_used, ledger_used, met and store_used and ledger_used)
    assert shared_id(pair, lambda: "new", adopt=True) == (mine or theirs or "new")
    belongs = mine is not None and mine == theirs
    strange = (
        (mine is not None and theirs is not None)  # two ids
        or (store_used and not ledger_used)  # the ledger was lost
        or (ledger_used and not pair.met)  # the store was swapped
    )
    if belongs or not strange:
        assert shared_id(pair, lambda: "new", adopt=False) == (mine or theirs or "new")
    else:
        with pytest.raises(DynosaurError, match="--adopt") as caught:
            shared_id(pair, lambda: "new", adopt=False)
        assert caught.value.code is Code.FOREIGN_STORE


def clients_of(store: Path, ledger: Ledger, catalog: Path | None = None, **settings: str) -> Clients:
    return Clients(Settings(store=str(store), ledger=ledger.url, catalog=str(catalog or "hub"), **settings))


def _grown(clients: Clients) -> None:
    """As if one dataset had been grown."""
    clients.store.write_bytes(C, b"{}")
    ref = DatasetRef(repo_id="a/b", revision="r")
    clients.ledger.record([new_entry(ref, "folder x", "p", "g", NOW, Outcome.GROWN, contribution="c" * 32)])


def test_a_store_and_a_ledger_elsewhere_are_bound_and_a_swapped_one_is_noticed(ledger: Ledger, tmp_path: Path) -> None:
    first = clients_of(tmp_path / "one", ledger)
    shared = first.join(create=True, write=True)
    assert shared == first.store.id == store_id(ledger) == clients_of(tmp_path / "one", ledger).join()
    _grown(first)
    other_store = clients_of(tmp_path / "two", ledger)
    with pytest.raises(DynosaurError, match="ForeignStore"):
        other_store.join(create=True, write=True)
    other_ledger = Ledger(f"sqlite:///{tmp_path}/other.db")
    with pytest.raises(DynosaurError, match="it is new, or was lost"):
        clients_of(tmp_path / "one", other_ledger).join(create=True, write=True)
    assert not (tmp_path / "two").exists() and store_id(other_ledger) is None
    assert clients_of(tmp_path / "one", other_ledger).join(write=True, adopt=True) == shared == store_id(other_ledger)
    assert clients_of(tmp_path / "one", other_ledger).join() == shared


def test_a_pair_of_an_earlier_version_is_bound_by_what_both_hold(ledger: Ledger, tmp_path: Path) -> None:
    old = clients_of(tmp_path / "one", ledger)
    _grown(old)
    assert old.store.id is None and store_id(ledger) is None
    clients_of(tmp_path / "one", ledger).join()  # looking writes nothing
    assert old.store.id is None and store_id(ledger) is None
    assert old.join(write=True) == old.store.id == store_id(ledger)


@pytest.mark.parametrize("made", ["nothing", "folder"])
def test_looking_makes_no_store(tmp_path: Path, made: str) -> None:
    if made == "folder":
        (tmp_path / "store").mkdir()
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(DynosaurError, match="there is no store at") as caught:
        Clients(Settings(store=str(tmp_path / "store"))).join(write=True)
    assert caught.value.code is Code.BAD_SETTING
    assert sorted(tmp_path.rglob("*")) == before


def test_a_store_whose_ledger_file_is_missing_says_so(tmp_path: Path) -> None:
    clients = Clients(Settings(store=str(tmp_path / "store")))
    clients.join(create=True, write=True)
    _grown(clients)
    (tmp_path / "store" / "ledger.db").unlink()
    with pytest.raises(DynosaurError, match="`dynosaur grow --adopt` makes a new one"):
        Clients(clients.settings).join()
    assert not (tmp_path / "store" / "ledger.db").exists()


KNOWN = {"folder a": "/x/a", "folder old": None, "hub": None}


@pytest.mark.parametrize(
    ("default", "place", "wanted", "known", "name"),
    [
        ("folder a", "/x/a", None, {}, "folder a"),  # the first one
        ("folder a", "/x/a", None, KNOWN, "folder a"),  # as it was
        ("folder b", "/x/a", None, {"mine": "/x/a"}, "mine"),  # by its place, whatever its name
        ("folder old", "/y/old", None, KNOWN, "folder old"),  # of an earlier version: taken over
        ("folder b", "/y/b", None, {"folder a": "/x/a"}, "folder b"),  # beside one that is still there
        ("folder a", "/y/a", "folder a", KNOWN, "folder a"),  # moved
        ("folder a", "/y/a", "a2", KNOWN, "a2"),  # a namesake
        ("jsonl a.jsonl", "/x/a.jsonl", None, KNOWN, "jsonl a.jsonl"),  # the unplaced one is a folder
    ],
)
def test_a_catalogue_is_known_by_its_place(
    default: str, place: str, wanted: str | None, known: dict[str, str | None], name: str
) -> None:
    assert catalog_name(default, place, wanted, known, {"/x/a"}.__contains__) == name


@pytest.mark.parametrize(
    ("default", "place", "known", "asked"),
    [
        ("folder a", "/y/a", {"folder a": "/x/a"}, "folder a"),  # moved, or a namesake
        ("folder b", "/y/b", {"folder gone": "/z/gone"}, "folder gone"),  # renamed, or new
        ("folder b", "/y/b", {"folder old": None}, "folder old"),  # of an earlier version, and renamed
        ("jsonl b.jsonl", "/y/b.jsonl", {"folder gone": "/z/gone"}, "folder gone"),
    ],
)
def test_a_catalogue_that_may_have_moved_is_asked_about(
    default: str, place: str, known: dict[str, str | None], asked: str
) -> None:
    with pytest.raises(DynosaurError) as caught:
        catalog_name(default, place, None, known, {"/x/a"}.__contains__)
    assert caught.value.code is Code.BAD_CATALOG
    assert f"--catalog-name '{asked}'" in caught.value.message and caught.value.message.count("--catalog-name") == 2


def test_a_catalogue_keeps_its_name_where_it_was_moved(ledger: Ledger, tmp_path: Path) -> None:
    for folder in ("A/catalog", "B/catalog"):
        (tmp_path / folder).mkdir(parents=True)
    a = clients_of(tmp_path / "store", ledger, tmp_path / "A/catalog")
    assert a.name_catalog(write=True) == "folder catalog" == a.catalog.name
    with pytest.raises(DynosaurError, match="BadCatalog"):
        clients_of(tmp_path / "store", ledger, tmp_path / "B/catalog").name_catalog(write=True)
    b = clients_of(tmp_path / "store", ledger, tmp_path / "B/catalog", catalog_name="B")
    assert b.name_catalog(write=True) == "B" == b.catalog.name
    (tmp_path / "A").rename(tmp_path / "C")
    with pytest.raises(DynosaurError, match="BadCatalog"):
        clients_of(tmp_path / "store", ledger, tmp_path / "C/catalog").name_catalog()
    moved = clients_of(tmp_path / "store", ledger, tmp_path / "C/catalog", catalog_name="folder catalog")
    moved.name_catalog(write=True)
    assert clients_of(tmp_path / "store", ledger, tmp_path / "C/catalog").name_catalog() == "folder catalog"
    assert catalog_places(ledger) == {"B": str(tmp_path / "B/catalog"), "folder catalog": str(tmp_path / "C/catalog")}
    with pytest.raises(DynosaurError, match="name of the Hugging Face Hub"):
        clients_of(tmp_path / "store", ledger, tmp_path / "C/catalog", catalog_name="hub").name_catalog()


def test_a_catalogue_reached_by_another_spelling_is_the_same(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "catalog").mkdir()
    (tmp_path / "link").symlink_to("catalog")
    monkeypatch.chdir(tmp_path / "catalog")
    for number, spelling in enumerate(["../catalog", ".", str(tmp_path / "catalog"), "../link"]):
        name = clients_of(tmp_path / "store", ledger, Path(spelling)).name_catalog(write=True)
        assert (number, name) == (number, "folder catalog")


def test_a_folder_whose_name_is_no_text_has_a_name(ledger: Ledger, tmp_path: Path) -> None:
    folder = Path(str(tmp_path) + "/caf\udce9")
    folder.mkdir()
    clients = clients_of(tmp_path / "store", ledger, folder)
    assert clients.name_catalog(write=True) == "folder caf\\xe9"
    assert clients_of(tmp_path / "store", ledger, folder).name_catalog() == "folder caf\\xe9"


def test_the_hub_beside_a_folder_of_its_name_is_a_question(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    close_clients()
    monkeypatch.chdir(tmp_path)
    assert open_catalog(Settings(catalog="hub")).name == "hub"
    (tmp_path / "hub").mkdir()
    with pytest.raises(DynosaurError, match=r"write ./hub for it, or hf://datasets for the Hugging Face Hub"):
        open_catalog(Settings(catalog="hub"))
    assert open_catalog(Settings(catalog="./hub")).name == "folder hub"
    assert open_catalog(Settings(catalog="hf://datasets")).name == "hub"


@pytest.mark.parametrize(
    ("leaving", "held", "allowed"),
    [
        (0, 0, True),
        (1, 1, True),  # the only one
        (2, 2, False),  # all of several
        (5, 6, True),  # within the floor
        (6, 10, False),
        (5, 5, False),
        (20, 100, True),  # the share
        (21, 100, False),
        (0, 100, True),
    ],
)
def test_more_than_a_share_does_not_leave_at_once(leaving: int, held: int, allowed: bool) -> None:
    if allowed:
        check_withdrawals(leaving, held, Settings(), "gone", "here")
        return
    with pytest.raises(DynosaurError, match="--withdraw-many") as caught:
        check_withdrawals(leaving, held, Settings(), "gone 1", "here")
    assert caught.value.code is Code.WITHDRAWS_MANY and "(gone 1)" in caught.value.message
