"""`dynosaur serve`: Prefect's server with its UI, the deployments and a worker, in the foreground until Ctrl-C."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import httpx

from dynosaur_core.errors import Code, DynosaurError
from flows.command.deploy import POOL
from flows.command.recorder import RECORDER
from flows.command.screen import Screen

_START_S, _WORKER_S, _SERVER_S = 180.0, 60.0, 20.0
"""Seconds in which the server starts, and in which the worker with its runs and the server end."""
_EVERY = ("0.0.0.0", "::", "")
KEPT_DAYS = 90
"""Runs with their logs and artifacts are kept for so many days, unless PREFECT_SERVER_SERVICES_DB_VACUUM_* say
otherwise."""
KEPT_EVENTS_DAYS = 3
"""Events take seven times the room of the runs that they are about."""


class PartEndedError(Exception):
    """The server, the deployments or the worker ended by themselves; they have said why."""


def serve(host: str, port: int, url: str | None, folder: Path, deploy: list[str]) -> None:
    """Starts all of it and waits; `url` is the address that browsers reach it under, `deploy` the arguments of
    `dynosaur deploy`. Raises BadSetting where the port is taken, PartEndedError where a part ends by itself."""
    _check_free(host, port)
    screen, stop = Screen(), _stop_on_signals()
    ui = (url or f"http://{socket.getfqdn() if host in _EVERY else _in_url(host)}:{port}").rstrip("/")
    api = f"http://{'127.0.0.1' if host in _EVERY else _in_url(host)}:{port}/api"
    environment = variables(os.environ, api, ui)
    prefect = [sys.executable, "-m", "prefect"]
    place = ["--host", host, "--port", str(port), "--log-level", environment["PREFECT_SERVER_LOGGING_LEVEL"]]
    screen.line("the server starts ...")
    with _running(
        "server", [*prefect, "server", "start", *place], environment, folder, _SERVER_S, quiet=True
    ) as server:
        if not _wait_until_up(api, server, stop):
            return
        command = [sys.executable, "-m", "flows.command", "deploy", *deploy]
        done = subprocess.run(command, env=environment, cwd=folder, start_new_session=True, check=False)
        if done.returncode:
            raise PartEndedError("the deployments could not be made: see above")
        name = f"serve on {socket.gethostname()}"
        work = [*prefect, "worker", "start", "--pool", POOL, "--name", name]
        with _running("worker", work, environment, folder, _WORKER_S) as worker:
            screen.line(f"open {ui} in a browser; Ctrl-C ends it")
            screen.line(f"other shells reach it after: export PREFECT_API_URL={api}")
            while not stop.wait(0.5):
                for each in (server, worker):
                    if each.poll() is not None:
                        ended = "server" if each is server else "worker"
                        said = f"the {ended} has ended by itself, with status {each.returncode}: see above"
                        raise PartEndedError(said)
            screen.line("ending; a growth at work goes on from here when it is started again ...")


def variables(given: Mapping[str, str], api: str, ui: str) -> dict[str, str]:
    """The environment of the parts. A browser asks the server where its API is, which must be said before the server
    starts; what the command silences for its own screen is a log here."""
    own = dict(given)
    for name, silenced, level in (
        ("PREFECT_LOGGING_LEVEL", "CRITICAL", "INFO"),
        ("PREFECT_SERVER_LOGGING_LEVEL", "CRITICAL", "WARNING"),
    ):
        own[name] = level if own.get(name, silenced) == silenced else own[name]
    for name, value in (
        ("PREFECT_SERVER_UI_API_URL", f"{ui}/api"),
        ("PREFECT_UI_URL", ui),
        ("PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT", "false"),
        ("PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED", "events,flow_runs"),
        ("PREFECT_SERVER_SERVICES_DB_VACUUM_RETENTION_PERIOD", str(KEPT_DAYS * 86_400)),
        ("PREFECT_SERVER_EVENTS_RETENTION_PERIOD", f"P{KEPT_EVENTS_DAYS}D"),
        *RECORDER.items(),
    ):
        own.setdefault(name, value)
    return own | {"PREFECT_API_URL": api}


def _check_free(host: str, port: int) -> None:
    try:
        family, kind, *_, address = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(address)
    except OSError as error:
        said = f"{host}:{port} cannot be served at: {error.strerror or error}; choose another with --port or --host"
        raise DynosaurError(Code.BAD_SETTING, said) from error


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _stop_on_signals() -> threading.Event:
    """Set by Ctrl-C and SIGTERM; instead of what other commands do with them, since the parts need time to end."""
    stop = threading.Event()

    def told(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.set_wakeup_fd(-1)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, told)
    return stop


@contextmanager
def _running(
    name: str, command: list[str], environment: dict[str, str], folder: Path, patience_s: float, quiet: bool = False
) -> Iterator[subprocess.Popen[bytes]]:
    """A part that runs until the block ends: it is told to end, and killed with all its processes where it does not.
    It is in a session of its own, where no Ctrl-C reaches it: the worker ends before its server does."""
    out = subprocess.DEVNULL if quiet else sys.stderr
    process = subprocess.Popen(command, env=environment, cwd=folder, stdout=out, start_new_session=True)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(patience_s)
        except subprocess.TimeoutExpired:
            Screen().line(f"the {name} has not ended within {patience_s:.0f} seconds and is killed")
        _kill_group(process)
        process.wait()


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return  # all of it has ended


def _wait_until_up(api: str, server: subprocess.Popen[bytes], stop: threading.Event) -> bool:
    """Whether the server answers; False where someone ends it before. Raises PartEndedError."""
    deadline = time.monotonic() + _START_S
    while not stop.wait(0.2):
        try:
            if httpx.get(f"{api}/health", timeout=2).is_success:
                return True
        except httpx.HTTPError:
            pass  # not yet
        if server.poll() is not None:
            raise PartEndedError(f"the server has ended with status {server.returncode}: see above")
        if time.monotonic() > deadline:
            raise PartEndedError(f"the server does not answer after {_START_S:.0f} seconds")
    return False
