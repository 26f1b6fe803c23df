"""A loopback endpoint of `/embeddings`: real HTTP on port 0, with vectors that tell which text they are of."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Endpoint:
    url: str = ""
    replies: list[tuple[int, Any]] = field(default_factory=list)
    """Statuses and bodies that it answers with first, before it does its work."""
    asked: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)

    def answer(self, body: dict[str, Any]) -> tuple[int, Any]:
        self.asked.append(body)
        if self.replies:
            return self.replies.pop(0)
        rows = [
            {"object": "embedding", "index": at, "embedding": [float(len(text)), 1.0, float(text.count("e"))]}
            for at, text in enumerate(body["input"])
        ]
        usage = {"prompt_tokens": sum(map(len, body["input"])), "total_tokens": 0}
        # the order of the rows is not promised
        return 200, {"object": "list", "model": body["model"], "data": rows[::-1], "usage": usage}


@contextmanager
def embeddings_server() -> Iterator[Endpoint]:
    endpoint = Endpoint()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            endpoint.keys.append(self.headers.get("Authorization"))
            status, body = endpoint.answer(json.loads(raw)) if self.path == "/v1/embeddings" else (404, {})
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.send_header("Retry-After", "0")
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing: the tests look at `asked`."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    endpoint.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    try:
        yield endpoint
    finally:
        server.shutdown()
        server.server_close()
