"""Fixtures that every test may use."""

from __future__ import annotations

import atexit
import logging
import math
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from dynosaur_core import stopping
from dynosaur_core.logs import ROOT
from tests.support.s3 import s3_server as s3_server  # one server for all tests

if TYPE_CHECKING:
    from tests.support.hub import LoopbackHub

# Xet's client remembers by address what a server has; another loopback Hub may get the port of one that is gone.
os.environ["HF_XET_CACHE"] = tempfile.mkdtemp(prefix="tests-xet-")
atexit.register(shutil.rmtree, os.environ["HF_XET_CACHE"], ignore_errors=True)

# A shell lets its background jobs ignore Ctrl-C, and all that the tests start would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# No test depends on the machine's speed, and the same commit passes or fails everywhere. `--hypothesis-profile=explore`
# tries other inputs with each run.
_ANY_SPEED = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("same", derandomize=True, database=None, **_ANY_SPEED)
settings.register_profile("explore", print_blob=True, **_ANY_SPEED)
settings.load_profile("same")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Three for two cores: many tests wait, for a server, a timeout or a process of their own. What a fourth process
    loads and starts costs more than these waits."""
    return math.ceil(1.5 * (os.cpu_count() or 1))


def pytest_make_parametrize_id(val: object) -> str | None:
    """A test is not named by megabytes of input, which every report of it would carry."""
    if isinstance(val, str | bytes) and len(val) > 100:
        return f"{val[:40]!r} of {len(val)}"
    return None


@pytest.fixture(autouse=True)
def _environment_stays() -> Iterator[None]:
    """A command that runs in this process sets variables for its Prefect, which are not for the servers and workers of
    the tests after it."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(autouse=True)
def _logs_are_heard() -> None:
    """A command that runs in this process keeps the library's lines from all handlers but its own."""
    ROOT.propagate = True


@pytest.fixture(autouse=True)
def _nobody_is_stopped() -> None:
    """A test that pytest-timeout cut off in a growth does not end the waits of those after it."""
    with stopping.by_signal():
        pass


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The folder of real datasets; tests that need it are skipped where DYNOSAUR_CORPUS is not set."""
    path = os.environ.get("DYNOSAUR_CORPUS")
    if not path or not Path(path).is_dir():
        pytest.skip("DYNOSAUR_CORPUS does not point to the corpus")
    return Path(path)


class _Kept(logging.Handler):
    """Keeps messages, as other handlers would show them."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


@pytest.fixture
def logged() -> Iterator[list[str]]:
    """What the library logs meanwhile, in all of its areas."""
    kept = _Kept()
    ROOT.addHandler(kept)
    yield kept.messages
    ROOT.removeHandler(kept)


@pytest.fixture
def hub() -> Iterator[LoopbackHub]:
    """An empty Hub on loopback; the test fails where the loopback Hub itself breaks."""
    from tests.support.hub import LoopbackHub

    with LoopbackHub() as running:
        yield running
    assert running.errors == []
