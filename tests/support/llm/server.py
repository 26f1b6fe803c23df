"""A loopback endpoint of the OpenAI API: real HTTP on port 0, with models, chat, responses, files and batches."""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from dynosaur_core.digest import digest
from dynosaur_core.llm.prices import count_tokens
from tests.support.llm import faults as kinds
from tests.support.llm.answer import Answerer, Asked, Judge, design
from tests.support.llm.batches import Batches

Reply = tuple[int, dict[str, Any] | bytes, dict[str, str]]


@dataclass
class Behaviour:
    """How the endpoint behaves; may be changed while it runs."""

    answerer: Answerer = design
    judge: Answerer = field(default_factory=Judge)
    """Answers the requests that ask for verdicts."""
    faults: kinds.Faults = field(default_factory=kinds.Faults)
    latency_s: float = 0.0
    gate: threading.Event | None = None
    """Requests wait until it is set."""
    key: str | None = None
    structured: str = "schema"
    """The best that it takes: `schema`, `json` or `text`; else 400."""
    ignores_schema: bool = False
    refuses: tuple[str, ...] = ()
    """Parameters that it answers with 400."""
    requests_per_window: int | None = None
    window_s: float = 60.0
    max_in_flight: int | None = None
    """More at once are answered with 429."""
    rate_headers: bool = True
    usage: Any = None
    """What responses tell in the place of what was used."""
    retry_after: str = "0.05"
    hang_s: float = 30.0
    drip_s: float = 0.2
    """Seconds between two bytes of a slow drip."""


class Arrival(NamedTuple):
    """A request that came in."""

    when: float
    """Monotonic."""
    dataset: str
    asked: str
    """Digest of its messages."""


@dataclass
class Seen:
    """What the endpoint counted. `answered` are the answers that went out whole: what a provider bills."""

    attempts: Counter[str] = field(default_factory=Counter)
    answered: Counter[str] = field(default_factory=Counter)
    empty: int = 0
    """Responses that went out whole with no answer in them."""
    statuses: Counter[int] = field(default_factory=Counter)
    prompt_tokens: int = 0
    completion_tokens: int = 0
    in_flight: int = 0
    most_in_flight: int = 0
    batched: Counter[str] = field(default_factory=Counter)
    """Requests that were answered by batches."""
    bodies: dict[str, dict[str, Any]] = field(default_factory=dict)
    arrivals: list[Arrival] = field(default_factory=list)


class LlmServer:
    """Start with `with LlmServer(Behaviour(...)) as server`; `server.url` is the base URL."""

    def __init__(self, behaviour: Behaviour | None = None, port: int = 0) -> None:
        self.behaviour = behaviour or Behaviour()
        self.seen = Seen()
        self.lock = threading.Lock()
        self.batches = Batches(self)
        self._recent: deque[float] = deque()
        self._http = _Server(("127.0.0.1", port), _Handler)
        self._http.endpoint = self
        self.stopping = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}/v1"

    def __enter__(self) -> LlmServer:
        threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        self._http.shutdown()
        self._http.server_close()

    def refusal(self, body: dict[str, Any], api: str) -> Reply | None:
        """A 429 or 400 for a request that goes against the endpoint's limits or abilities."""
        if limited := self._rate_limited():
            return limited
        known = {"reasoning_effort": "reasoning"} if api == "responses" else {}
        for name in self.behaviour.refuses:
            if known.get(name, name) in body:
                return 400, _error(f"Unsupported parameter: '{name}' is not supported with this model.", name), {}
        form = body.get("response_format") if api == "chat" else (body.get("text") or {}).get("format")
        asked = {"json_schema": "schema", "json_object": "json"}.get((form or {}).get("type", ""), "text")
        order = ["text", "json", "schema"]
        if order.index(asked) > order.index(self.behaviour.structured):
            return 400, _error(f"response_format {asked} is not supported", "response_format"), {}
        return None

    def answer(self, body: dict[str, Any], api: str, kind: str) -> dict[str, Any]:
        """The response of a request, as `api` writes it."""
        messages = tuple(body["messages"] if api == "chat" else body["input"])
        asked = Asked(messages, None if self.behaviour.ignores_schema else _schema(body, api))
        room = body.get("max_tokens") or body.get("max_completion_tokens") or body.get("max_output_tokens") or 10_000
        answerer = self.behaviour.judge if asked.tasks else self.behaviour.answerer
        text = kinds.spoil(answerer(asked), kind)
        finish = (
            "error" if kind == "broken" else "length" if kind == "truncated" or count_tokens(text) > room else "stop"
        )
        prompt = sum(_tokens(message["content"]) + 4 for message in messages)
        prompt += int(_tokens(json.dumps(asked.schema)) * 0.8) if asked.schema else 0
        usage = (prompt, count_tokens(text))
        with self.lock:
            self.seen.prompt_tokens += usage[0]
            self.seen.completion_tokens += usage[1]
        render = _chat if api == "chat" else _responses
        response = render(body["model"], text, finish, usage, refused=kind == "refusal")
        if kind == "missing_usage":
            del response["usage"]
        if self.behaviour.usage is not None:
            response["usage"] = self.behaviour.usage
        if kind == "no_choices":
            response = {"id": "x", "object": "error"}
        return response

    def _rate_limited(self) -> Reply | None:
        limit, window_s = self.behaviour.requests_per_window, self.behaviour.window_s
        crowded = self.behaviour.max_in_flight
        if crowded is not None and self.seen.in_flight > crowded:
            return 429, _error("Too many at once", "rate_limit_exceeded"), {"Retry-After": self.behaviour.retry_after}
        if limit is None:
            return None
        with self.lock:
            now = time.monotonic()
            while self._recent and now - self._recent[0] >= window_s:
                self._recent.popleft()
            if len(self._recent) < limit:
                self._recent.append(now)
                return None
            wait_s = window_s - (now - self._recent[0])
        return 429, _error("Rate limit reached for requests", "rate_limit_exceeded"), {"Retry-After": f"{wait_s:.2f}"}

    def rate_headers(self) -> dict[str, str]:
        limit = self.behaviour.requests_per_window
        if limit is None or not self.behaviour.rate_headers:
            return {}
        left = limit - len(self._recent)
        return {
            "x-ratelimit-limit-requests": str(limit),
            "x-ratelimit-remaining-requests": str(left),
            "x-ratelimit-reset-requests": f"{(limit - left) * self.behaviour.window_s / limit:.3f}s",
        }


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256
    endpoint: LlmServer

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up are part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # head and body leave together
    server: _Server

    def do_GET(self) -> None:
        endpoint = self.server.endpoint
        if self.path.endswith("/models"):
            self._send(200, {"object": "list", "data": [{"id": "loopback", "object": "model"}]}, {})
        else:
            self._send(*endpoint.batches.get(self.path), {})

    def do_POST(self) -> None:
        endpoint, seen = self.server.endpoint, self.server.endpoint.seen
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        key = endpoint.behaviour.key
        if key is not None and self.headers.get("Authorization") != f"Bearer {key}":
            given = self.headers.get("Authorization", "")
            self._send(401, _error(f"Incorrect API key provided: {given}", "invalid_api_key"), {})
            return
        if not self.path.endswith(("/chat/completions", "/responses")):
            self._post_batch(raw)
            return
        with endpoint.lock:
            seen.in_flight += 1
            seen.most_in_flight = max(seen.most_in_flight, seen.in_flight)
        try:
            self._ask(json.loads(raw), "chat" if self.path.endswith("/chat/completions") else "responses")
        finally:
            with endpoint.lock:
                seen.in_flight -= 1

    def _post_batch(self, raw: bytes) -> None:
        batches = self.server.endpoint.batches
        lost = batches.lost.pop(0) if batches.lost and self.path.endswith("/batches") else ""
        answer = (0, b"") if lost == "request" else batches.post(self.path, raw, self.headers)
        if lost == "late":
            batches.hide()
        if lost:
            self._reset()
        else:
            self._send(*answer, {})

    def _ask(self, body: dict[str, Any], api: str) -> None:
        endpoint, seen = self.server.endpoint, self.server.endpoint.seen
        name, prompt = digest(body), json.dumps(body, ensure_ascii=False)
        messages = tuple(body.get("messages") or body.get("input") or ())
        arrival = Arrival(time.monotonic(), Asked(messages, None).dataset[0], digest(messages))
        with endpoint.lock:
            seen.arrivals.append(arrival)
        if endpoint.behaviour.gate:
            endpoint.behaviour.gate.wait(60)
        endpoint.stopping.wait(endpoint.behaviour.latency_s)
        if refused := endpoint.refusal(body, api):
            self._send(*refused)
            return
        with endpoint.lock:
            attempt = seen.attempts[name]
            seen.attempts[name] += 1
            seen.bodies[name] = body
        kind = endpoint.behaviour.faults.choose(name, attempt, prompt)
        if kind in (*kinds.CONNECTION, *kinds.HTTP, *kinds.SAID, kinds.QUOTA):
            self._fail(kind, body, api)
            return
        response = endpoint.answer(body, api, kind)
        with endpoint.lock:
            if kind in kinds.EMPTY:
                seen.empty += 1
            else:
                seen.answered[name] += 1
        self._send(200, response, endpoint.rate_headers())

    def _fail(self, kind: str, body: dict[str, Any], api: str) -> None:
        endpoint = self.server.endpoint
        if kind == "quota":
            self._send(429, _error("You exceeded your current quota", "insufficient_quota"), {})
        elif kind in kinds.SAID:
            self._send(200, {"error": {"message": f"fault {kind}", "code": kinds.SAID[kind]}}, {})
        elif kind.isdecimal():
            again = {} if kind == "500" else {"Retry-After": endpoint.behaviour.retry_after}
            self._send(int(kind), _error(f"fault {kind}", "fault"), again)
        elif kind == "hang":
            endpoint.stopping.wait(endpoint.behaviour.hang_s)
            self._reset()
        elif kind == "reset":
            self._reset()
        elif kind == "html":
            self._send(200, b"<html>Welcome to the proxy</html>", {})
        elif kind == "not_json":
            self._send(200, b'{"choices": [', {})
        elif kind == "no_choices":
            self._send(200, {"id": "x", "object": "nothing"}, {})
        elif kind in ("headers", "informational"):
            self._never_begins(kind)
        else:
            self._part(kind)

    def _never_begins(self, kind: str) -> None:
        """A header line, or a whole 103 response, now and then, for longer than anyone waits."""
        endpoint = self.server.endpoint
        line = b"X-More: 1\r\n" if kind == "headers" else b"HTTP/1.1 103 Early Hints\r\n\r\n"
        self.wfile.write(b"HTTP/1.1 200 OK\r\n" if kind == "headers" else line)
        ends = time.monotonic() + endpoint.behaviour.hang_s
        while time.monotonic() < ends and not endpoint.stopping.wait(endpoint.behaviour.drip_s):
            self.wfile.write(line)
            self.wfile.flush()
        self._reset()

    def _part(self, kind: str) -> None:
        """`cut`: half a body and a reset; `drip`: a byte now and then, for longer than anyone waits."""
        endpoint = self.server.endpoint
        self._head(200, 100_000, {})
        self.wfile.write(b'{"choices": [')
        self.wfile.flush()
        ends = time.monotonic() + endpoint.behaviour.hang_s
        while kind == "drip" and time.monotonic() < ends and not endpoint.stopping.wait(endpoint.behaviour.drip_s):
            self.wfile.write(b" ")
            self.wfile.flush()
        self._reset()

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()

    def _send(self, status: int, payload: dict[str, Any] | bytes, headers: dict[str, str]) -> None:
        data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        with self.server.endpoint.lock:
            self.server.endpoint.seen.statuses[status] += 1
        self._head(status, len(data), headers)
        self.wfile.write(data)
        self.wfile.flush()

    def _head(self, status: int, length: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(length), **headers}.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


def _chat(model: str, text: str, finish: str, usage: tuple[int, int], *, refused: bool) -> dict[str, Any]:
    said = {"content": None, "refusal": "I cannot help with this dataset."} if refused else {"content": text}
    return {
        "id": "chatcmpl-loopback",
        "object": "chat.completion",
        "model": model,
        "choices": [{"index": 0, "message": {"role": "assistant", **said}, "finish_reason": finish}],
        "usage": {"prompt_tokens": usage[0], "completion_tokens": usage[1], "total_tokens": sum(usage)},
    }


def _responses(model: str, text: str, finish: str, usage: tuple[int, int], *, refused: bool) -> dict[str, Any]:
    part = {"type": "output_text", "text": text, "annotations": []}
    if refused:
        part = {"type": "refusal", "refusal": "I cannot help with this dataset."}
    return {
        "id": "resp_loopback",
        "object": "response",
        "model": model,
        "status": {"length": "incomplete", "error": "failed"}.get(finish, "completed"),
        "incomplete_details": {"reason": "max_output_tokens"} if finish == "length" else None,
        "output": [{"type": "reasoning", "summary": []}, {"type": "message", "role": "assistant", "content": [part]}],
        "usage": {"input_tokens": usage[0], "output_tokens": usage[1], "total_tokens": sum(usage)},
    }


def _schema(body: dict[str, Any], api: str) -> dict[str, Any] | None:
    if api == "chat":
        return ((body.get("response_format") or {}).get("json_schema") or {}).get("schema")
    return ((body.get("text") or {}).get("format") or {}).get("schema")


def _error(message: str, code: str) -> dict[str, Any]:
    return {"error": {"message": message, "type": "error", "code": code, "param": None}}


@lru_cache(maxsize=4096)
def _tokens(text: str) -> int:
    return count_tokens(text)
