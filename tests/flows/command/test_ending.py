"""A signal ends the command within its seconds of grace, whatever it is at, and nothing is left in TMPDIR."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from flows.command.ending import GRACE_S

BUSY = """
import hashlib, sys, tempfile
from dynosaur_core.scratch import scratch_folder
from flows.command.ending import TerminatedError, leave, on_signals
on_signals()
try:
    kept = tempfile.TemporaryDirectory(dir=scratch_folder())
    print("ready", flush=True)
    if sys.argv[1] == "busy":
        hashlib.pbkdf2_hmac("sha256", b"", b"", 2**31 - 1)  # no signal ends this call, and it takes many minutes
except (KeyboardInterrupt, TerminatedError) as end:  # the signal came before the call
    leave(end)
"""


@pytest.mark.parametrize(("sent", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_a_busy_command_and_removes_its_scratch(sent: int, status: int, tmp_path: Path) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-c", BUSY, "busy"]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout and process.stdout.readline() == "ready\n"
        [scratch] = tmp_path.iterdir()
        assert scratch.name.startswith(f"dynosaur-{process.pid}-") and len(list(scratch.iterdir())) == 1
        began = time.monotonic()
        process.send_signal(sent)
        _, errors = process.communicate(timeout=100)
    assert (process.returncode, list(tmp_path.iterdir())) == (status, [])
    assert time.monotonic() - began < GRACE_S + 15
    assert errors == "dynosaur: interrupted; the same command goes on from here\n"


def test_a_process_that_ends_leaves_no_scratch(tmp_path: Path) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", BUSY, "ends"], env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr, list(tmp_path.iterdir())) == (0, "", [])
