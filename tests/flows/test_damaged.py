"""Files of the store that were damaged: a release names the dataset and what to type, which mends it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from dynosaur_core.clients import close_clients
from flows.backfill import Choice, backfill
from flows.release import release as release_flow
from tests.flows.conftest import Grown
from tests.flows.test_grow import records_of
from tests.support.datasets import REVIEW_FEATURES, reviews, write_dataset


@pytest.mark.parametrize(
    ("kind", "data", "force"),
    [("contributions", b"{", False), ("contributions", b"{}", False), ("records", b"\x07\xff" * 500, True)],
)
def test_a_damaged_file_of_the_store_is_named_and_mended(
    kind: str,
    data: bytes,
    force: bool,
    run_growth: Callable[..., Grown],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DYNOSAUR_DESIGNING__DESIGNERS", "rules")
    write_dataset(tmp_path / "shops", "shop/r", {"train": reviews(40)}, features=REVIEW_FEATURES)
    run_growth(catalog=str(tmp_path / "shops"))
    known = records_of(tmp_path / "release")
    store, anew = tmp_path / "store", tmp_path / "anew"
    [path] = (path for path in (store / kind).rglob("*") if path.is_file())
    path.write_bytes(data)
    close_clients()
    state = release_flow(store=str(store), release=[str(anew)], return_state=True)
    remedy = "run `dynosaur backfill shop/r" + " --force" * force
    assert state.is_failed() and "StoreFailed" in state.message and remedy in state.message
    choice = Choice(datasets=["shop/r"], force=force)
    run_growth(backfill, catalog=str(tmp_path / "shops"), choice=choice)
    assert release_flow(store=str(store), release=[str(anew)], return_state=True).is_completed()
    assert records_of(anew) == known
