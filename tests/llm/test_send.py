"""llm.adapter: responses that are too large, packed or not, over a real connection."""

from __future__ import annotations

import gzip
import threading
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.llm.adapter import MAX_RESPONSE_BYTES, Adapter

BODY = {"model": "m", "messages": [{"role": "user", "content": "x"}], "max_tokens": 9}


@contextmanager
def answering(status: int, body: bytes, headers: dict[str, str]) -> Iterator[Adapter]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            for name, value in {
                "Content-Type": "application/json",
                "Content-Length": str(len(body)),
                **headers,
            }.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """Clients hang up."""

    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield Adapter("chat", 20.0, f"http://127.0.0.1:{server.server_address[1]}/v1")
        server.shutdown()


@pytest.mark.parametrize("api", ["chat", "responses"])
@pytest.mark.parametrize("packed", [False, True])
def test_send_of_a_response_that_is_too_large_is_a_bad_response(packed: bool, api: str) -> None:
    body = b" " * (2 * MAX_RESPONSE_BYTES - 10_000)
    sent, headers = (gzip.compress(body), {"Content-Encoding": "gzip"}) if packed else (body, {})
    with (
        answering(200, sent, headers) as adapter,
        pytest.raises(DynosaurError, match="more than an answer can be") as error,
    ):
        adapter.api = api
        adapter.send(BODY if api == "chat" else {"model": "m", "input": "x"})
    assert error.value.code is Code.MODEL_BAD_RESPONSE


def test_send_leaves_a_packed_error_packed() -> None:
    bomb = gzip.compress(b" " * 200_000_000, 1)
    with answering(500, bomb, {"Content-Encoding": "gzip"}) as adapter:
        tracemalloc.start()
        with pytest.raises(DynosaurError) as error:
            adapter.send(BODY)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert error.value.code is Code.MODEL_SERVER_ERROR and len(error.value.message) < 1_000
    assert peak < 50_000_000


def test_send_of_headers_without_an_end_ends() -> None:
    endless = {f"X-{number}": "x" * 60_000 for number in range(90)}
    with answering(200, b"{}", endless) as adapter, pytest.raises(DynosaurError) as error:
        adapter.send(BODY)
    assert error.value.policy.transient
