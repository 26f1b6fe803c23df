"""A PostgreSQL server of the tests' own, from the system's package, on a free port of loopback."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def _program(name: str) -> str:
    found = shutil.which(name) or next((str(p) for p in Path("/usr/lib/postgresql").glob(f"*/bin/{name}")), None)
    if found is None:
        raise FileNotFoundError(f"{name}: install PostgreSQL's server package")
    return found


@contextmanager
def postgres_server() -> Iterator[str]:
    """Gives the URL of its `postgres` database; the server and its data are gone afterwards."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = Path(tempfile.mkdtemp(prefix="dynosaur-pg-"))
    # the server refuses to run as root
    run: list[str] = []
    if os.geteuid() == 0:
        run = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        shutil.chown(folder, "postgres", "postgres")
    data = folder / "data"
    initdb = [*run, _program("initdb"), "-D", str(data), "-U", "dynosaur", "--auth=trust", "--no-sync", "-E", "UTF8"]
    subprocess.run(initdb, check=True, capture_output=True)
    options = f"-p {port} -h 127.0.0.1 -k {folder} -c fsync=off"
    control = [*run, _program("pg_ctl"), "-D", str(data), "-w", "-l", str(folder / "log")]
    subprocess.run([*control, "-o", options, "start"], check=True, capture_output=True)
    try:
        yield f"postgresql://dynosaur@127.0.0.1:{port}/postgres"
    finally:
        subprocess.run([*control, "-m", "immediate", "stop"], check=True, capture_output=True)
        shutil.rmtree(folder, ignore_errors=True)
