"""Fixtures: the command as a person or a script runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from prefect.settings import PREFECT_API_URL

from dynosaur_core.clients import close_clients
from flows.command.main import main

SECRET = "sk-test-secret"


@dataclass
class Done:
    """How a command ended."""

    status: int
    out: str
    err: str

    def json(self) -> Any:
        """The one object on stdout."""
        [line] = self.out.splitlines()
        return json.loads(line)


Run = Callable[..., Done]


def _checked(done: Done) -> Done:
    assert SECRET not in done.out + done.err
    assert "Traceback" not in done.err, done.err
    return done


@pytest.fixture
def process(tmp_path: Path) -> Run:
    """Runs `dynosaur` as a process of its own, in an empty folder."""

    def call(*arguments: object, **variables: str) -> Done:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("DYNOSAUR_")}
        environment |= {"COLUMNS": "80", "PREFECT_API_URL": PREFECT_API_URL.value() or "", **variables}
        environment["PYTHONPATH"] = str(Path(__file__).parents[3])
        command = [sys.executable, "-m", "flows.command", *map(str, arguments)]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=200, check=False, env=environment, cwd=tmp_path
        )
        return _checked(Done(done.returncode, done.stdout, done.stderr))

    return call


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Runs its entry point in this process, in an empty folder: quicker, for the many that start no flow."""
    for name in [name for name in os.environ if name.startswith("DYNOSAUR_")]:
        monkeypatch.delenv(name)
    quiet = {"PREFECT_LOGGING_LEVEL": "CRITICAL", "PREFECT_SERVER_ANALYTICS_ENABLED": "false", "DO_NOT_TRACK": "1"}
    for name, value in {**quiet, "COLUMNS": "80"}.items():
        monkeypatch.setenv(name, value)  # what the entry point would set, put back afterwards
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object) -> Done:
        close_clients()
        monkeypatch.setattr(sys, "argv", ["dynosaur", *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capfd.readouterr()
        return _checked(Done(int(ended.value.code or 0), out, err))

    return call
