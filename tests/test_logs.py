"""The lines that the library logs: one for each wait, fallback and loss, whatever they quote."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlalchemy import create_engine

from dynosaur_core import stopping
from dynosaur_core.catalog.hub.catalog import HubCatalog
from dynosaur_core.catalog.hub.http import API, HubHttp
from dynosaur_core.catalog.hub.quota import Quotas
from dynosaur_core.errors import DynosaurError
from dynosaur_core.ledger.lease import Lease, renew
from dynosaur_core.logs import logger
from dynosaur_core.protocols import Cursor
from dynosaur_core.publish.sinks.local import LocalSink
from dynosaur_core.reader.pool import Pool
from dynosaur_core.reader.session import Session
from dynosaur_core.settings import Reading, Sampling, Settings
from tests.reader import children
from tests.support.hub import LoopbackHub
from tests.support.hub.content import card, parquet, reviews


def until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@contextmanager
def at_work(work: Callable[[], object]) -> Iterator[None]:
    """`work` in a thread of its own, which is stopped at the end."""

    def run() -> None:
        with suppress(stopping.StoppedError):
            work()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    yield
    with pytest.raises(KeyboardInterrupt), stopping.by_signal():
        raise KeyboardInterrupt
    thread.join(60)
    with stopping.by_signal():
        pass


def test_logger_makes_one_line_of_hostile_text_and_strikes_secrets(
    logged: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_0123456789secret")
    time.sleep(0.1)  # what is known of the environment may be a moment old
    logger("hub").info("it says %s", "a\nb\r\x1b[2Jc %s hf_0123456789secret\u2028d")
    [line] = logged
    assert line == "it says a b\ufffd\ufffd[2Jc %s [secret]\ufffdd"


def test_take_says_that_it_waits_for_long_and_no_more_than_once(logged: list[str]) -> None:
    quotas = Quotas()
    quotas.pause(API, 600.0)
    with at_work(lambda: quotas.take(API, math.inf)):
        until(lambda: logged)
        time.sleep(1.5)
    assert logged == ["the Hub's quota for 'api' is spent: waiting 600 s for the next request"]


def test_take_does_not_say_that_it_waits_for_a_moment(logged: list[str]) -> None:
    quotas = Quotas()
    quotas.pause(API, 0.05)
    quotas.take(API, math.inf)
    assert logged == []


def read(hub: LoopbackHub, **options: float) -> pa.Table:
    http = HubHttp(hub.url, hub.token, backoff_s=0.01, **options)  # type: ignore[arg-type]
    catalog = HubCatalog(Settings(sampling=Sampling(rows_per_split=20).model_dump()), http=http)
    source = catalog.open(catalog.ref("me/x"))
    [subset] = source.subsets()
    return source.sample(subset, subset.splits[0], Sampling(rows_per_split=20))


def test_sample_says_why_the_viewer_is_not_used_and_what_is(hub: LoopbackHub, logged: list[str]) -> None:
    hub.add("me/x", {"README.md": card(), "data/train.parquet": parquet(reviews(6000, words=12))})
    hub["me/x"].viewer = "pending"
    assert len(read(hub)) == 20
    assert logged == ["me/x: default/train is read by moderate files, after viewer: it does not have the revision"]


def test_sample_says_nothing_where_its_first_strategy_does(hub: LoopbackHub, logged: list[str]) -> None:
    hub.add("me/x", {"README.md": card(), "data/train.parquet": parquet(reviews(6000, words=12))})
    assert len(read(hub)) == 20 and logged == []


def test_viewer_that_cannot_be_reached_is_said_to_rest(hub: LoopbackHub, logged: list[str]) -> None:
    hub.add("me/x", {"README.md": card(), "data/train.parquet": parquet(reviews(6000, words=12))})
    http = HubHttp(hub.url, hub.token, backoff_s=0.01, attempts=1)
    catalog = HubCatalog(Settings(viewer_url="http://127.0.0.1:9"), http=http)
    source = catalog.open(catalog.ref("me/x"))
    [subset] = source.subsets()
    source.sample(subset, subset.splits[0], Sampling(rows_per_split=20))
    assert logged[0].startswith("the dataset viewer is not asked for 600 s: ConnectionFailed: ")
    assert hub.token not in "".join(logged)


def test_listing_says_how_many_entries_it_skips(hub: LoopbackHub, logged: list[str]) -> None:
    hub.add_synthetic(3)
    hub.add("me/bad\nname", {"README.md": card()})
    cursor = Cursor()
    list(HubCatalog(Settings(), http=HubHttp(hub.url, None)).list(cursor))
    assert cursor.malformed == 1
    assert len(logged) == 1 and logged[0].startswith("listing: 1 of a page's 4 entries skipped, such as {")


def test_census_says_how_many_entries_it_skips(tmp_path: Path, logged: list[str]) -> None:
    rows = [{"id": "me/good", "sha": "0" * 40}, {"id": "me/bad", "sha": "none"}, {"id": "../x", "sha": "0" * 40}]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "census.parquet")
    catalog = HubCatalog(Settings.model_validate({"hub": {"census": str(tmp_path / "census.parquet")}}))
    assert [ref.repo_id for ref in catalog.list()] == ["me/good"]
    assert logged == ["census: 2 entries without an id or revision skipped"]


def test_session_says_that_its_child_has_died_or_is_killed(logged: list[str]) -> None:
    pool = Pool(children.__name__)
    try:
        for method, deadline_s in (("crash", 60.0), ("hang", 0.1)):
            with pytest.raises(DynosaurError):
                Session(pool, {"repo_id": f"me/{method}"}, Reading(), deadline_s).call(method)
    finally:
        pool.close()
    assert logged[0].startswith(
        "the process that reads me/crash has died: the process that read its files was ended by"
    )
    assert logged[1].startswith("the process that reads me/hang is killed: reading its files took longer than")


def test_pool_says_that_its_zygote_is_started_again(logged: list[str]) -> None:
    pool = Pool(children.__name__)
    try:
        first = Session(pool, {}, Reading(), 60.0)
        first.call("id")
        assert pool._zygote is not None
        pool._zygote.process.kill()
        pool._zygote.process.wait()
        Session(pool, {}, Reading(), 60.0).call("id")
    finally:
        pool.close()
    assert logged == ["the process that starts readers had ended, and is started again"]


def test_renew_says_that_a_lease_could_not_be_renewed(logged: list[str]) -> None:
    renew(create_engine("sqlite://"), Lease("growth", "host 1", 1))  # no such table
    assert len(logged) == 1 and logged[0].startswith("the lease of growth is not renewed, and lasts 120 s: ")


def test_local_sink_says_that_it_waits_for_another_writer(tmp_path: Path, logged: list[str]) -> None:
    one, other = LocalSink(str(tmp_path / "r")), LocalSink(str(tmp_path / "r"), wait_s=0.1)
    with one.writing():
        assert logged == []
        with pytest.raises(DynosaurError, match="another release is being written"), other.writing():
            pass
    assert logged == [f"{tmp_path}/r is being written by another process: waiting up to 0 s"]
