"""Claims on both databases: of many with the same rows one comes first, and the others are due when it has left."""

from __future__ import annotations

import threading
from functools import partial

import pytest

from dynosaur_core.errors import DynosaurError
from dynosaur_core.ledger import Ledger, Outcome
from dynosaur_core.ledger.claims import claim, copies, drop_unsettled, has_settled, heirs, settle
from dynosaur_core.models import Removal

from .test_lease import _expire
from .test_ledger import NOW, entry


def _grow(ledger: Ledger, repo_id: str, *contents: str) -> None:
    claim(ledger, repo_id, contents)
    also = partial(settle, repo_id=repo_id, contents=contents)
    ledger.record([entry(repo_id, contribution="c")], also)


def _refuse(ledger: Ledger, repo_id: str, *contents: str) -> None:
    claim(ledger, repo_id, contents)
    ledger.record([entry(repo_id, Outcome.REFUSED, stage="metadata", code="copy")])


def test_a_claim_of_many_at_once_is_of_one(ledger: Ledger) -> None:
    together, found = threading.Barrier(8), []

    def work(number: int) -> None:
        own = Ledger(ledger.url)
        together.wait()
        found.append(claim(own, f"w{number}/d", ["x", "y", f"own {number}"]))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({holders["x"] for holders in found}) == len({holders["y"] for holders in found}) == 1
    assert len({holders[name] for holders in found for name in holders if name.startswith("own")}) == 8


def test_a_claim_is_kept_by_its_holder_and_settled_with_what_it_was_grown_with(ledger: Ledger) -> None:
    _grow(ledger, "b/first", "x", "y")
    assert claim(ledger, "a/second", ["x", "z"]) == {"x": "b/first", "z": "a/second"}
    assert has_settled(ledger, "b/first") and not has_settled(ledger, "a/second")
    assert claim(ledger, "b/first", ["x"]) == {"x": "b/first"}
    _grow(ledger, "b/first", "x")
    assert claim(ledger, "a/second", ["y"]) == {"y": "a/second"}


def test_a_claim_of_a_growth_that_died_is_nobodys_in_the_next(ledger: Ledger) -> None:
    _grow(ledger, "a/grown", "x")
    claim(ledger, "a/grown", ["x", "changed"])
    claim(ledger, "a/killed", ["y"])
    drop_unsettled(ledger)
    assert claim(ledger, "b/copy", ["x", "y", "changed"]) == {"x": "a/grown", "y": "b/copy", "changed": "b/copy"}


def test_a_copy_is_due_when_its_holder_has_left(ledger: Ledger) -> None:
    _grow(ledger, "a/first", "x")
    for repo_id in ("c/copy", "b/copy"):
        _refuse(ledger, repo_id, "x")
    _grow(ledger, "d/partly", "own", "x")
    assert copies(ledger, "hub") == {"b/copy", "c/copy", "d/partly"} and copies(ledger, "elsewhere") == set()
    assert heirs(ledger, "hub") == {}
    gone = entry("a/first", Outcome.WITHDRAWN)
    ledger.withdraw([gone], [Removal(repo_id="a/first", revision="r1", reason="gone", when=NOW)])
    assert list(heirs(ledger, "hub")) == ["b/copy"]  # one grows, and the others are copies of it
    assert heirs(ledger, "elsewhere") == {}
    _grow(ledger, "b/copy", "x")
    assert heirs(ledger, "hub") == {} and copies(ledger, "hub") == {"c/copy", "d/partly"}


@pytest.mark.parametrize("leaves", ["other rows", "failed"])
def test_a_copy_is_due_when_its_holder_was_not_grown_with_these_rows(ledger: Ledger, leaves: str) -> None:
    if leaves == "failed":
        claim(ledger, "a/first", ["x"])
        ledger.record([entry("a/first", Outcome.FAILED, code="TimedOut")])
    else:
        _grow(ledger, "a/first", "x")
    _refuse(ledger, "b/copy", "x")
    if leaves == "other rows":
        _grow(ledger, "a/first", "y")
    assert list(heirs(ledger, "hub")) == ["b/copy"]


def test_a_copy_that_the_listing_refuses_or_that_waits_for_another_try_is_not_due(ledger: Ledger) -> None:
    for number, how in enumerate(
        [
            {"outcome": Outcome.REFUSED, "stage": "survey", "code": "no_license"},
            {"outcome": Outcome.FAILED, "stage": "filter", "code": "TimedOut"},
            {"outcome": Outcome.WITHDRAWN},
        ]
    ):
        _grow(ledger, "a/first", "x")
        claim(ledger, f"b/{number}", ["x"])
        ledger.record([entry(f"b/{number}").model_copy(update=how)])
        _grow(ledger, "a/first", "y")
        assert heirs(ledger, "hub") == {}


def test_a_claim_with_nothing_forgets_that_it_was_a_copy(ledger: Ledger) -> None:
    _grow(ledger, "a/first", "x")
    _refuse(ledger, "b/copy", "x")
    _refuse(ledger, "b/copy")
    assert copies(ledger, "hub") == set()


def test_a_growth_that_lost_its_lease_claims_nothing(ledger: Ledger) -> None:
    with ledger.growing():
        _expire(ledger)
        with Ledger(ledger.url).growing():
            for write in (
                lambda: claim(ledger, "a/late", ["x"]),
                lambda: drop_unsettled(ledger),
                lambda: ledger.record([entry("a/late")], partial(settle, repo_id="a/late", contents=["x"])),
            ):
                with pytest.raises(DynosaurError, match="suspended for longer"):
                    write()
    assert claim(ledger, "b/first", ["x"]) == {"x": "b/first"}
