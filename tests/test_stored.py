"""What earlier versions stored is read for ever; what cannot be read is StoreFailed, which says what to do."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynosaur_core.clients import Clients
from dynosaur_core.contributions import Contributions, contribution_name, keep_contribution
from dynosaur_core.digest import digest
from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.ledger import LedgerEntry
from dynosaur_core.llm.answers import Answers, Queued, StoredAnswer
from dynosaur_core.llm.batch_jobs import Job
from dynosaur_core.llm.request import Capability
from dynosaur_core.models import Contribution, Release, Stored, added
from dynosaur_core.publish.release import make_release
from dynosaur_core.publish.sinks import BrokenManifest, read_manifest
from dynosaur_core.publish.sinks.local import LocalSink
from dynosaur_core.publish.standing import Maker
from dynosaur_core.settings import ReleaseSettings, Settings
from dynosaur_core.store import Identity, Store
from dynosaur_core.stored import from_stored
from dynosaur_core.traces import Trace, read_trace, trace_name
from flows.command.explain import explain
from flows.command.export import export
from flows.command.views import failed, stats, status
from tests.support.stored import STORED

NAMES = sorted(path.name for path in STORED.iterdir())
NEWEST = NAMES[-1]
KINDS: dict[str, Any] = {
    "contributions": Contribution,
    "answers": StoredAnswer,
    "traces": Trace,
    "batches/jobs": Job,
    "batches/queue": Queued,
    "capabilities": Capability,
    "store.json": Identity,
}
"""Where the store keeps JSON, and as what it is read."""
GROWN = "shop/reviews"


def files(name: str, kind: str) -> list[Path]:
    place = STORED / name / "store" / kind
    return [place] if place.is_file() else sorted(path for path in place.rglob("*") if path.is_file())


@pytest.fixture(params=NAMES)
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of what an earlier version left: catalog, store and release."""
    return Path(shutil.copytree(STORED / request.param, tmp_path / request.param))


@pytest.fixture
def newest(tmp_path: Path) -> Path:
    return Path(shutil.copytree(STORED / NEWEST, tmp_path / "newest"))


def clients_of(kept: Path) -> Clients:
    return Clients(Settings(catalog=str(kept / "catalog"), store=str(kept / "store"), release=(str(kept / "release"),)))


def release(kept: Path, *, verify: bool = False) -> set[str]:
    """Releases what the store holds, and returns the names of the files that changed."""
    clients = clients_of(kept)
    maker = Maker(clients.join(write=True), lambda _: True, clients.ledger.growth_number, lambda *_: None)
    folder = kept / "release"
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    contributions, sink = Contributions(clients.ledger, clients.store), LocalSink(str(folder))
    make_release(contributions, sink, clients.store, ReleaseSettings(), datetime.now(UTC), maker=maker, verify=verify)
    after = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    changed = {path for path in before | after if before.get(path) != after.get(path)}
    return {path.relative_to(folder).as_posix() for path in changed} - {".dynosaur.lock"}


# --- what earlier versions stored


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_file_is_kept_of_an_earlier_version(kind: str) -> None:
    assert files(NEWEST, kind)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", NAMES)
def test_files_of_earlier_versions_are_read(name: str, kind: str) -> None:
    for path in files(name, kind):
        from_stored(path.read_bytes(), KINDS[kind], str(path), "")


@pytest.mark.parametrize("name", NAMES)
def test_a_contribution_of_an_earlier_version_would_have_the_same_name_today(name: str) -> None:
    for path in files(name, "contributions"):
        found = Contribution.model_validate_json(path.read_bytes())
        assert digest(found) == path.stem, "give the new field its default by models.added(): see CONTRIBUTING.md"


def test_a_release_of_an_earlier_version_stays_as_it_is(kept: Path) -> None:
    manifest = Release.model_validate_json((kept / "release/manifest.json").read_bytes())
    # releases named no store at first: the manifest learns it, and the card bears it too
    learnt = set() if manifest.store else {"README.md", "manifest.json"}
    assert release(kept) == learnt
    assert release(kept) == set()
    assert release(kept, verify=True) == set()


def test_answers_of_an_earlier_version_are_not_asked_for_again(kept: Path) -> None:
    answers = Answers(clients_of(kept).store)
    found = [path.stem for path in files(kept.name, "answers")]
    assert found and all(answers.has(name) for name in found)
    asked = {request.request for request in explain(clients_of(kept), GROWN).requests}
    assert asked and asked <= set(found)


def test_commands_that_look_read_an_earlier_version(kept: Path, tmp_path: Path) -> None:
    clients = clients_of(kept)
    assert (stats(clients).records, stats(clients).datasets) == (108, 2)
    assert status(clients).datasets == {"deferred": 1, "failed": 1, "grown": 2, "refused": 1, "withdrawn": 1}
    assert [row.dataset for row in failed(clients)] == ["attic/broken", "shop/later"]
    assert export(clients, "alpaca", str(tmp_path / "out.jsonl")).lines == 108
    assert export(clients, "reference", str(tmp_path / "reference")).lines == 2
    found = explain(clients, GROWN)
    assert len(found.designs) == 5 and all(request.came_back for request in found.requests)
    assert [row.repo_id for row in clients.ledger.removals()] == ["shop/gone"]


# --- what later versions may store


def with_later_keys(value: Any) -> Any:
    """A key that nobody knows in every object whose keys are fields."""
    free = {"shown", "messages", "schema", "contributions", "beside"}
    if isinstance(value, list):
        return [with_later_keys(item) for item in value]
    if isinstance(value, dict):
        inner = {key: item if key in free else with_later_keys(item) for key, item in value.items()}
        return inner | {"later": {"deep": [None, {"x": 1}]}}
    return value


@pytest.mark.parametrize("kind", KINDS)
def test_keys_of_later_versions_are_ignored_at_every_depth(kind: str) -> None:
    for path in files(NEWEST, kind):
        known = from_stored(path.read_bytes(), KINDS[kind], "", "")
        later = json.dumps(with_later_keys(json.loads(path.read_bytes()))).encode()
        assert from_stored(later, KINDS[kind], "", "") == known


def test_a_manifest_with_keys_of_a_later_version_is_a_release(newest: Path) -> None:
    path = newest / "release/manifest.json"
    known = Release.model_validate_json(path.read_bytes())
    path.write_text(json.dumps(with_later_keys(json.loads(path.read_bytes()))))
    assert LocalSink(str(newest / "release")).manifest() == (known, None)
    before = path.read_bytes()
    assert release(newest) == set() and path.read_bytes() == before


@pytest.mark.parametrize("cut", [None, 200])
def test_a_manifest_of_a_later_format_is_left_alone_even_where_it_is_cut(newest: Path, cut: int | None) -> None:
    path = newest / "release/manifest.json"
    path.write_text(path.read_text().replace('"dynosaur/1"', '"dynosaur/2"')[:cut])
    before = path.read_bytes()
    with pytest.raises(DynosaurError, match="made by a newer version of Dynosaur: upgrade"):
        release(newest)
    assert path.read_bytes() == before


@given(st.data())
def test_whatever_a_manifest_holds_it_is_read_refused_or_broken(data: st.DataObject) -> None:
    whole = json.loads((STORED / NEWEST / "release/manifest.json").read_bytes())
    path = data.draw(st.sampled_from(list(places(whole))))
    form = data.draw(st.sampled_from(["dynosaur/1", "dynosaur/2", "dynosaur/999999999"]))
    changed = json.dumps(
        {**whole, "format": form} if not path else put({**whole, "format": form}, path, data.draw(JSON))
    )
    try:
        read_manifest(changed.encode(), "the release", None)
        assert form == "dynosaur/1" or path == ("format",)
    except BrokenManifest:
        assert form == "dynosaur/1" or path == ("format",)
    except DynosaurError as error:
        assert error.code is Code.RELEASE_FAILED and "upgrade" in error.message and form != "dynosaur/1"


class TwiceNamed(Contribution):
    """A contribution of a later version."""

    alias: str | None = added(None)


def test_an_added_field_renames_nothing_and_rewrites_no_file_of_a_release(newest: Path) -> None:
    store = Store(str(newest / "store"))
    for path in files(NEWEST, "contributions"):
        later = TwiceNamed.model_validate_json(path.read_bytes())
        assert keep_contribution(store, later) == path.stem
        assert (store.read_bytes(contribution_name(path.stem)) or b"") == path.read_bytes()
        assert digest(later.model_copy(update={"alias": "x"})) != path.stem
    assert release(newest) == set()


class Renumbered(Stored):
    FORMAT: ClassVar[int] = 2
    id: str


def test_a_later_format_of_a_file_is_refused_by_a_version_that_does_not_know_it(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    store.write_model("store.json", Renumbered(id="x"))
    assert store.read_bytes("store.json") == b'{"format":2,"id":"x"}'
    assert store.read_model("store.json", Renumbered) == Renumbered(id="x")
    with pytest.raises(DynosaurError, match=r"store.json .*made by a newer version of Dynosaur: upgrade") as caught:
        _ = store.id
    assert caught.value.code is Code.STORE_FAILED


# --- what cannot be read


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of all values in a JSON value."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from places(item, (*path, key))


def put(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    changed = value.copy()
    changed[path[0]] = put(value[path[0]], path[1:], new)
    return changed


@pytest.mark.parametrize("kind", KINDS)
@given(st.data())
def test_whatever_a_file_holds_it_is_read_or_store_failed(kind: str, data: st.DataObject) -> None:
    whole = json.loads(files(NEWEST, kind)[-1].read_bytes())
    path = data.draw(st.sampled_from(list(places(whole))))
    text = json.dumps(put(whole, path, data.draw(JSON))).encode()
    try:
        from_stored(
            text[: data.draw(st.just(len(text)) | st.integers(0, len(text)))], KINDS[kind], "the file", "mend it"
        )
    except DynosaurError as error:
        assert error.code is Code.STORE_FAILED and error.message.startswith("the file")
        assert error.message.endswith(("mend it", "upgrade this one"))


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "truncated": lambda data: data[: len(data) // 2],
    "empty": lambda _: b"",
    "list": lambda _: b"[]",
    "number": lambda _: b"5",
    "null": lambda _: b"null",
    "deep": lambda _: b"[" * 100_000,
    "binary": lambda _: b"\xff\x00",
    "newer": lambda data: json.dumps({**json.loads(data), "format": 2}).encode(),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_ends_the_commands_that_need_it_with_what_to_do(
    newest: Path, tmp_path: Path, damage: str
) -> None:
    def spoil(name: str) -> None:
        path = newest / "store" / name
        path.write_bytes(DAMAGES[damage](path.read_bytes()))

    def fails(call: Callable[[], object]) -> str:
        with pytest.raises(DynosaurError) as caught:
            call()
        assert caught.value.code is Code.STORE_FAILED and GROWN in caught.value.message
        return caught.value.message

    clients = clients_of(newest)
    [request] = explain(clients, GROWN).requests
    [name] = [digest for repo_id, digest in clients.ledger.contributions() if repo_id == GROWN]
    spoil(f"answers/{request.request[:2]}/{request.request}.json")
    messages = [fails(lambda: explain(clients, GROWN))]
    spoil(trace_name(GROWN))
    messages += [fails(lambda: explain(clients, GROWN)), fails(lambda: read_trace(clients.store, GROWN))]
    messages += [fails(lambda: export(clients, "reference", str(tmp_path / "reference")))]
    spoil(contribution_name(name))
    messages += [fails(lambda: explain(clients, GROWN)), fails(lambda: stats(clients))]
    messages += [fails(lambda: export(clients, "alpaca", str(tmp_path / "out.jsonl")))]
    shutil.rmtree(newest / "release")
    messages += [fails(lambda: release(newest))]
    advice = "upgrade this one" if damage == "newer" else f"`dynosaur backfill {GROWN}`"
    assert all(advice in message for message in messages)
    assert not list(tmp_path.glob("*.jsonl")) and status(clients) and failed(clients)


@pytest.mark.parametrize("damage", ["{", '{"repo_id": 5}'])
def test_a_listing_that_cannot_be_read_is_told_and_asked_of_the_catalogue(
    newest: Path, damage: str, logged: list[str]
) -> None:
    [entry] = damaged(newest, "ref", damage)
    assert entry.dataset_ref() is None
    assert any(f"the listing of {GROWN} in the ledger is damaged" in line for line in logged)


def test_an_outcome_that_is_none_names_its_dataset(newest: Path) -> None:
    with pytest.raises(DynosaurError, match="outcome") as caught:
        damaged(newest, "outcome", "judged")
    assert caught.value.code is Code.STORE_FAILED and GROWN in caught.value.message


def damaged(home: Path, column: str, value: str) -> list[LedgerEntry]:
    """The ledger's lines of the dataset that grew, after one of its columns was overwritten."""
    ledger = clients_of(home).ledger
    with ledger.engine.begin() as connection:
        connection.exec_driver_sql(f"UPDATE datasets SET {column} = ? WHERE repo_id = ?", (value, GROWN))
    return [entry for entry in ledger.entries(released=True) if entry.repo_id == GROWN]


def test_a_ledger_whose_pages_are_damaged_says_so(newest: Path) -> None:
    path = newest / "store/ledger.db"
    data = bytearray(path.read_bytes())
    data[1_024:4_096] = b"\xff" * 3_072
    path.write_bytes(data)
    with pytest.raises(DynosaurError, match=r"ledger sqlite.*ledger\.db") as caught:
        status(clients_of(newest))
    assert caught.value.code is Code.STORE_FAILED
