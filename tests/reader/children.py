"""What the children of these tests do; run as a program, a parent that prints its zygote and child, and then ends."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import sys
import time
from typing import Any

from dynosaur_core.reader.limits import data_bytes, limit_memory
from dynosaur_core.reader.pool import shared_pool
from dynosaur_core.reader.session import Session
from dynosaur_core.reader.wire import receive, send
from dynosaur_core.settings import Reading


def serve(connection: socket.socket) -> None:
    taken = data_bytes()
    while True:
        try:
            asked, _ = receive(connection)
        except EOFError:
            return
        limit_memory(taken, asked["opening"]["memory"])
        send(connection, _DO[asked["method"]](asked))


def _take(asked: dict[str, Any]) -> dict[str, Any]:
    try:
        return {"taken": len(bytearray(asked["size"])) > 0}
    except MemoryError:
        return {"taken": False}


def _frameworks() -> list[bool]:
    from datasets import config

    return [config.TORCH_AVAILABLE, config.TF_AVAILABLE, config.JAX_AVAILABLE]


_DO = {
    "id": lambda asked: {"id": os.getpid()},
    "frameworks": lambda asked: {"found": _frameworks()},
    "environment": lambda asked: {"values": list(os.environ.values())},
    "take": _take,
    "hang": lambda asked: time.sleep(1_000),
    "crash": lambda asked: ctypes.string_at(0),
    "kill": lambda asked: os.kill(os.getpid(), signal.SIGKILL),
    "abort": lambda asked: os.abort(),
    "leave": lambda asked: os._exit(3),
}


def main() -> None:
    pool = shared_pool("tests.reader.children")
    asked = Session(pool, {}, Reading(), 60.0)
    child = asked.call("id")[0]["id"]
    sys.stdout.write(f"{pool._zygote.process.pid} {child}\n")
    sys.stdout.flush()
    if sys.argv[1] == "kill":
        time.sleep(1_000)


if __name__ == "__main__":
    main()
