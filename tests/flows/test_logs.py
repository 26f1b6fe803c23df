"""What the library logs is seen: in the logs of Prefect's runs by themselves, and on stderr by `-v`."""

from __future__ import annotations

import logging
import os
import pty
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import LogFilter, LogFilterLevel, LogFilterTimestamp
from prefect.settings import PREFECT_API_URL

from dynosaur_core.logs import ROOT as ROOT_LOGGER
from dynosaur_core.logs import logger
from flows.command.verbose import show_logs
from tests.flows.hub_case import add_reviews
from tests.support.hub import Fault, LoopbackHub
from tests.support.llm import Faults, LlmServer

ROOT = Path(__file__).parents[2]


@pytest.fixture
def command(
    prefect_server: None, endpoint: LlmServer, hub: LoopbackHub, tmp_path: Path
) -> Iterator[tuple[list[str], dict[str, Any]]]:
    """A growth of a Hub and a model that both fail once: what to run, and where."""
    add_reviews(hub, "me/x")
    hub.faults.add(Fault("503", {"resolve"}, "README.md", times=1))
    endpoint.behaviour.faults = Faults(planned={"me/x": ["500"]})
    variables = {"PREFECT_API_URL": PREFECT_API_URL.value() or "", "HF_ENDPOINT": hub.url, "HF_TOKEN": hub.token}
    quiet = {name: value for name, value in os.environ.items() if not name.startswith(("DYNOSAUR_", "PREFECT_LOGGING"))}
    environment = {**quiet, **variables, "PYTHONPATH": str(ROOT), "COLUMNS": "100"}
    words = [sys.executable, "-m", "flows.command", "grow", "--catalog", "hub", "--store", "store"]
    return words, {"env": environment, "cwd": tmp_path, "timeout": 240, "check": False}


WAITS = (
    r"dynosaur\.hub: http://[\d.:]+/datasets/me/x/resolve/\w+/README\.md: attempt 1 of 5 failed, the next in [\d.]+ s: "
    "ServerError: ",
    r"dynosaur\.llm: me/x: attempt 1 failed, the next in [\d.]+ s: ModelServerError: ",
)


def run_logs(began: datetime) -> list[tuple[str, str, bool]]:
    """The library's lines in the server since then: logger, message, and whether a task run's logs show it."""
    new = LogFilter(level=LogFilterLevel(ge_=20), timestamp=LogFilterTimestamp(after_=began))
    with get_client(sync_client=True) as client:
        found = client.read_logs(new, limit=200)
    lines = [(log.name, log.message, log.task_run_id is not None) for log in found]
    return [line for line in lines if line[0].startswith("dynosaur.")]


def test_without_verbose_the_command_shows_none_of_them(command: tuple[list[str], dict[str, Any]]) -> None:
    words, where = command
    done = subprocess.run(words, capture_output=True, text=True, **where)
    assert done.returncode == 0 and "attempt 1" not in done.stderr


@contextmanager
def terminal() -> Iterator[tuple[int, int]]:
    ours, theirs = pty.openpty()
    try:
        yield ours, theirs
    finally:
        os.close(ours)


def test_verbose_lines_stand_above_the_progress_bar_and_in_the_run_logs(
    command: tuple[list[str], dict[str, Any]], hub: LoopbackHub
) -> None:
    words, where = command
    began = datetime.now(UTC)
    where = {name: value for name, value in where.items() if name not in ("timeout", "check")}
    where["env"] |= {"TERM": "xterm", "COLUMNS": "200"}
    with terminal() as (ours, theirs):
        running = subprocess.Popen([*words, "-v"], stdin=theirs, stdout=theirs, stderr=theirs, **where)
        os.close(theirs)
        shown = b""
        while part := _read(ours):
            shown += part
        assert running.wait(60) == 0
    # what stands on a line is what was written after the last return to its beginning
    text = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", shown.decode("utf-8", "replace").replace("\r\n", "\n"))
    lines = [line.rpartition("\r")[2] for line in text.split("\n")]
    for pattern in WAITS:
        assert any(re.match(rf"\d\d:\d\d:\d\d {pattern}", line) for line in lines), lines
    assert hub.token not in text
    deadline = time.monotonic() + 60
    while len(logs := run_logs(began)) < len(WAITS):
        assert time.monotonic() < deadline, logs
        time.sleep(0.5)
    for pattern in WAITS:
        [(_, message, of_a_task)] = [log for log in logs if re.match(pattern, f"{log[0]}: {log[1]}")]
        assert of_a_task and hub.token not in message


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65_536)
    except OSError:  # as Linux says that nobody writes any more
        return b""


def test_deployments_show_the_lines_in_their_run_logs() -> None:
    deployments = yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))["deployments"]
    shown = [deployment["work_pool"]["job_variables"]["env"] for deployment in deployments]
    assert "nightly" in {deployment["name"] for deployment in deployments}
    assert all(env["PREFECT_LOGGING_EXTRA_LOGGERS"] == "dynosaur" for env in shown)


def test_show_logs_shows_a_level_and_what_is_above(capsys: pytest.CaptureFixture[str]) -> None:
    before = ROOT_LOGGER.handlers[:]
    try:
        for level, shown in ((logging.WARNING, ["graver"]), (logging.INFO, ["lighter", "graver"])):
            show_logs(level)
            logger("trial").info("lighter")
            logger("trial").warning("graver")
            assert [line.rpartition(" ")[2] for line in capsys.readouterr().err.splitlines()] == shown
    finally:
        ROOT_LOGGER.handlers[:] = before
