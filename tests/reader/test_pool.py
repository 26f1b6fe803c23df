"""reader: child processes with limits, whose end is an error of what they read."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.reader.limits import environment
from dynosaur_core.reader.pool import Pool
from dynosaur_core.reader.session import Session
from dynosaur_core.reader.wire import receive, send
from dynosaur_core.settings import Reading
from tests.reader import children

MODULE = children.__name__


@pytest.fixture
def pool() -> Pool:
    pool = Pool(MODULE)
    yield pool
    pool.close()


def session(pool: Pool, deadline_s: float = 60.0, **limits: int) -> Session:
    return Session(pool, {}, Reading(**limits), deadline_s)


def number(pool: Pool, asked: Session) -> int:
    """The id of the process that answers."""
    return int(asked.call("id")[0]["id"])


def is_there(process: int) -> bool:
    status = Path(f"/proc/{process}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"


def wait_until_gone(*processes: int) -> None:
    end = time.monotonic() + 30
    while any(is_there(process) for process in processes):
        assert time.monotonic() < end, "processes are left behind"
        time.sleep(0.05)


def code(asked: Session, method: str) -> DynosaurError:
    with pytest.raises(DynosaurError) as caught:
        asked.call(method)
    return caught.value


def test_session_keeps_its_child_and_leaves_it_to_the_next(pool: Pool) -> None:
    first = session(pool)
    child = number(pool, first)
    assert number(pool, first) == child
    other = session(pool)
    assert number(pool, other) != child
    del first
    assert number(pool, session(pool)) == child


def test_session_does_not_count_the_start_of_its_child(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "slow_children.py").write_text(
        "import time\ntime.sleep(4)\nfrom tests.reader.children import serve\n", encoding="utf-8"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    pool = Pool("slow_children")
    try:
        assert number(pool, session(pool, deadline_s=1.0)) > 0
    finally:
        pool.close()


@pytest.mark.parametrize(
    ("method", "words"),
    [("crash", "SIGSEGV"), ("kill", "SIGKILL"), ("leave", "status 3"), ("abort", "SIGABRT")],
)
def test_session_whose_child_dies_raises_reader_died_and_goes_on_raising_it(
    pool: Pool, method: str, words: str
) -> None:
    asked = session(pool)
    error = code(asked, method)
    assert error.code is Code.READER_DIED and not error.policy.transient and words in error.message
    assert code(asked, "id") is error
    assert number(pool, session(pool)) > 0


def test_session_ends_a_child_at_the_deadline(pool: Pool) -> None:
    asked = session(pool, deadline_s=0.1)
    error = code(asked, "hang")
    assert error.code is Code.TIMED_OUT and "sampling.deadline_s" in error.message
    assert code(asked, "id") is error


def test_child_may_not_take_more_memory_than_allowed(pool: Pool) -> None:
    asked = session(pool, max_memory_bytes=100_000_000)
    assert asked.call("take", size=50_000_000)[0]["taken"]
    assert not asked.call("take", size=200_000_000)[0]["taken"]
    assert session(pool, max_memory_bytes=500_000_000).call("take", size=200_000_000)[0]["taken"]


def test_pool_replaces_a_child_after_its_sessions(pool: Pool) -> None:
    seen = [number(pool, session(pool, datasets_per_process=2)) for _ in range(6)]
    assert [seen.count(child) for child in dict.fromkeys(seen)] == [2, 2, 2]


def test_pool_has_no_more_children_than_allowed(pool: Pool) -> None:
    seen: set[int] = set()

    def ask() -> None:
        for _ in range(5):
            seen.add(number(pool, session(pool, processes=2)))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 1 <= len(seen) <= 2


def test_pool_takes_a_child_from_a_session_that_nobody_asks(pool: Pool) -> None:
    kept = session(pool, processes=1)
    child = number(pool, kept)
    assert number(pool, session(pool, processes=1)) == child
    assert number(pool, kept) == child  # it begins anew


def test_pool_goes_on_after_its_zygote_was_killed(pool: Pool) -> None:
    asked = session(pool)
    child = number(pool, asked)
    os.kill(pool._zygote.process.pid, signal.SIGKILL)
    wait_until_gone(child)
    assert code(asked, "id").code is Code.READER_DIED
    assert number(pool, session(pool)) != child


def test_pool_says_why_no_child_can_be_started() -> None:
    with pytest.raises(DynosaurError, match=r"no process to read files could be started: .*tests\.reader\.nothing"):
        session(Pool("tests.reader.nothing")).call("id")


def test_pool_close_leaves_no_process(pool: Pool) -> None:
    asked = session(pool)
    child, zygote = number(pool, asked), pool._zygote.process.pid
    pool.close()
    wait_until_gone(child, zygote)


@pytest.mark.parametrize("end", ["kill", "exit"])
def test_children_end_with_their_parent(end: str) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-m", MODULE, end], stdout=subprocess.PIPE, text=True, env={**os.environ}
    )
    assert parent.stdout is not None
    processes = [int(word) for word in parent.stdout.readline().split()]
    assert len(processes) == 2 and all(map(is_there, processes))
    if end == "kill":
        parent.kill()
    parent.wait()
    wait_until_gone(*processes)


def test_environment_holds_no_secret(monkeypatch: pytest.MonkeyPatch, pool: Pool) -> None:
    for name in ("HF_TOKEN", "OPENAI_API_KEY", "AWS_SECRET_ACCESS_KEY", "DYNOSAUR_LEDGER"):
        monkeypatch.setenv(name, "a secret")
    assert "a secret" not in environment().values()
    assert "a secret" not in session(pool).call("environment")[0]["values"]


def test_receive_tells_an_end_from_a_deadline() -> None:
    ours, theirs = socket.socketpair()
    send(theirs, {"a": 1}, b"body")
    assert receive(ours, time.monotonic() + 5) == ({"a": 1}, b"body")
    with pytest.raises(TimeoutError):
        receive(ours, time.monotonic() + 0.05)
    theirs.close()
    with pytest.raises(EOFError):
        receive(ours)


def test_child_does_without_torch(pool: Pool) -> None:
    """Where it is installed, `datasets` would import it for each stream."""
    assert session(pool).call("frameworks")[0]["found"] == [False, False, False]
