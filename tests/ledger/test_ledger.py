"""The ledger on both of its databases."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest

from dynosaur_core.errors import ERRORS, Code, DynosaurError
from dynosaur_core.ledger import Ledger, LedgerEntry, Outcome, after_failure, new_entry
from dynosaur_core.models import DatasetRef, Removal

NOW = datetime(2026, 1, 10, 3, tzinfo=UTC)


def entry(repo_id: str, outcome: Outcome = Outcome.GROWN, **values: object) -> LedgerEntry:
    ref = DatasetRef(repo_id=repo_id, revision="r1", licenses=("mit",), last_modified=NOW)
    return new_entry(ref, "hub", "p1", "g1", NOW, outcome).model_copy(update=values)


def test_what_is_recorded_is_read_back(ledger: Ledger) -> None:
    written = entry("a/b", contribution="c" * 32, next_try=NOW, detail="naïve – ✓")
    ledger.record([written])
    assert ledger.get("a/b") == written
    ledger.record([written.model_copy(update={"outcome": Outcome.REFUSED, "contribution": None})])
    found = ledger.get("a/b")
    assert found is not None and found.outcome is Outcome.REFUSED and found.contribution is None
    assert found.dataset_ref().licenses == ("mit",)
    assert Ledger(ledger.url).get("a/b") == found  # opening it again migrates nothing away


def test_similar_ids_begin_as_what_was_typed(ledger: Ledger) -> None:
    ledger.record(
        [entry("shop/reviews"), entry("Shopping/lists"), entry("press/Reviews-2"), entry("a%b/c"), entry("x/y")]
    )
    assert sorted(ledger.similar("shop/revews")) == ["Shopping/lists", "press/Reviews-2", "shop/reviews"]
    assert sorted(ledger.similar("REVIEWS")) == ["press/Reviews-2", "shop/reviews"]
    assert ledger.similar("a%b/x") == ["a%b/c"]  # a sign of patterns stands for itself
    assert len(ledger.similar("shop/reviews", limit=1)) == 1


def test_conditions(ledger: Ledger) -> None:
    ledger.record(
        [
            entry("a/grown", contribution="c"),
            entry("a/due", Outcome.FAILED, code="TimedOut", next_try=NOW),
            entry("a/later", Outcome.FAILED, code="TimedOut", next_try=NOW + timedelta(days=1)),
            entry("a/quarantined", Outcome.FAILED, code="TimedOut", next_try=NOW, quarantined=True),
        ]
    )
    assert [e.repo_id for e in ledger.entries(due=NOW)] == ["a/due"]
    assert [e.repo_id for e in ledger.entries(codes=["TimedOut"], limit=2)] == ["a/due", "a/later"]
    assert [e.repo_id for e in ledger.entries(released=True)] == ["a/grown"]
    assert list(ledger.entries(catalog="elsewhere")) == []
    assert list(ledger.contributions()) == [("a/grown", "c")]
    assert ledger.counts() == {("grown", None): 1, ("failed", "TimedOut"): 3}


def test_withdrawal_is_logged_with_its_reason(ledger: Ledger) -> None:
    ledger.record([entry("a/b", contribution="c")])
    gone = entry("a/b", Outcome.WITHDRAWN)
    ledger.withdraw([gone], [Removal(repo_id="a/b", revision="r1", reason="gone", when=NOW)])
    assert list(ledger.contributions()) == []
    assert [(line.repo_id, line.reason, line.when) for line in ledger.removals()] == [("a/b", "gone", NOW)]


def test_concurrent_writers_lose_nothing(ledger: Ledger) -> None:
    def write(worker: int) -> None:
        own = Ledger(ledger.url)
        for number in range(25):
            own.record([entry(f"w{worker}/d{number}"), entry("shared/one")])

    threads = [threading.Thread(target=write, args=(worker,)) for worker in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(ledger.counts().values()) == 8 * 25 + 1


def test_the_retry_table_doubles_the_wait_and_ends_in_quarantine() -> None:
    previous: LedgerEntry | None = None
    now = NOW
    waits = []
    for _ in range(ERRORS[Code.TIMED_OUT].nights):
        previous = after_failure(entry("a/b", Outcome.FAILED), previous, Code.TIMED_OUT, now)
        waits.append(previous.next_try - now if previous.next_try else None)
        now += timedelta(days=9)
    assert waits == [timedelta(hours=20), timedelta(hours=40), None]
    assert previous is not None and previous.quarantined and previous.attempts == 3
    changed = entry("a/b", Outcome.FAILED).model_copy(update={"revision": "r2"})
    assert after_failure(changed, previous, Code.TIMED_OUT, now).attempts == 1


def test_permanent_errors_wait_for_a_change_and_deferral_costs_no_attempt() -> None:
    failed = after_failure(entry("a/b", Outcome.FAILED), None, Code.SCRIPT_DATASET, NOW)
    assert (failed.next_try, failed.quarantined, failed.attempts) == (None, False, 1)
    released = entry("a/b", contribution="c", records=7)
    deferred = after_failure(entry("a/b", Outcome.DEFERRED), released, Code.BUDGET_SPENT, NOW)
    assert (deferred.next_try, deferred.attempts) == (NOW, 0)
    assert (deferred.contribution, deferred.records) == ("c", 7)


def test_a_wrong_address_says_so_without_its_password() -> None:
    with pytest.raises(DynosaurError) as raised:
        Ledger("postgresql://me:hush@127.0.0.1:1/none")
    assert raised.value.code is Code.STORE_FAILED
    assert "hush" not in str(raised.value)
