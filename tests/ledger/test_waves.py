"""Waves write under the lease of their growth: one process each, and none once the growth has ended or gone on."""

from __future__ import annotations

from functools import partial

import pytest

from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.ledger import Ledger
from dynosaur_core.ledger.budget import Budget
from dynosaur_core.ledger.waves import (
    WavePermit,
    announce_wave,
    end_wave,
    forget_waves,
    keep_end,
    read_waves,
    remove_wave,
    take_ends,
    working_on,
)

from .test_ledger import NOW, entry

_LATE = "has ended, or gave its datasets to another run"


def test_working_on_a_wave_writes_beside_its_growth(ledger: Ledger) -> None:
    worker = Ledger(ledger.url)
    with ledger.growing():
        announce_wave(ledger, "w")
        with working_on(worker, "w", ledger.growth_number(), 60):
            assert read_waves(ledger)["w"].beats == 1
            worker.record([entry("a/b")], partial(keep_end, repo_id="a/b", ended={"n": 1}))
            worker.record([entry("c/d")], partial(keep_end, repo_id="c/d", ended={"n": 2}))
            ledger.record([entry("e/f")])
            end_wave(worker, "w", {"pending": []})
        assert read_waves(ledger)["w"].ended == {"pending": []}
        assert (take_ends(ledger), take_ends(ledger)) == ([{"n": 1}, {"n": 2}], [])
        assert remove_wave(ledger, "w") and not remove_wave(ledger, "w")


def test_a_wave_is_taken_once(ledger: Ledger) -> None:
    first, second = Ledger(ledger.url), Ledger(ledger.url)
    with ledger.growing():
        announce_wave(ledger, "w")
        with working_on(first, "w", ledger.growth_number(), 60):
            with (
                pytest.raises(DynosaurError, match="at work in another process"),
                working_on(second, "w", ledger.growth_number(), 60),
            ):
                pass
            assert not remove_wave(ledger, "w", unless_taken=True)


def test_a_wave_that_was_given_away_writes_nothing_and_keeps_no_end(ledger: Ledger) -> None:
    worker = Ledger(ledger.url)
    with ledger.growing():
        announce_wave(ledger, "w")
        with working_on(worker, "w", ledger.growth_number(), 60):
            remove_wave(ledger, "w")
            with pytest.raises(DynosaurError, match=_LATE) as caught:
                worker.record([entry("a/b")], partial(keep_end, repo_id="a/b", ended={}))
            assert caught.value.code is Code.GROWTH_RUNNING
            with pytest.raises(DynosaurError, match=_LATE):
                Budget(worker.engine, "g", fence=worker.fence).reserve(0.1, NOW)
        assert (ledger.get("a/b"), take_ends(ledger)) == (None, [])


@pytest.mark.parametrize("another_begins", [False, True])
def test_a_wave_does_not_outlive_its_growth(ledger: Ledger, another_begins: bool) -> None:
    worker = Ledger(ledger.url)
    with ledger.growing():
        number = ledger.growth_number()
        announce_wave(ledger, "w")
    if another_begins:
        with ledger.growing(), pytest.raises(DynosaurError, match=_LATE), working_on(worker, "w", number, 60):
            pass
    with pytest.raises(DynosaurError, match=_LATE), working_on(worker, "w", number, 60):
        pass
    with ledger.growing():
        forget_waves(ledger)
        assert read_waves(ledger) == {}


def test_a_wave_whose_growth_renews_its_lease_no_more_writes_nothing(ledger: Ledger) -> None:
    with ledger.growing():
        announce_wave(ledger, "w")
        permit = WavePermit("w", ledger.growth_number())
        with ledger.writing() as connection:
            permit.check(connection)
            permit.stale = True
            with pytest.raises(DynosaurError, match=_LATE):
                permit.check(connection)


def test_an_end_is_kept_once(ledger: Ledger) -> None:
    with ledger.writing() as connection:
        keep_end(connection, "a/b", {"n": 1})
        keep_end(connection, "a/b", {"n": 2})
    assert take_ends(ledger) == [{"n": 2}]
