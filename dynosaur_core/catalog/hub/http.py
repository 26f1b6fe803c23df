"""The one place through which all reading of the Hub goes: quotas, retries, deadlines, and errors by our codes."""

from __future__ import annotations

import math
import os
import re
import threading
import time
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx
from huggingface_hub import get_token

from dynosaur_core.catalog.hub.quota import Quotas, retry_after
from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.exchange import bounded, within
from dynosaur_core.logs import logger
from dynosaur_core.plain_json import read_json
from dynosaur_core.retry import retrying

T = TypeVar("T")
_LOG = logger("hub")
API, FILES, VIEWER, STORAGE = "api", "resolvers", "viewer", "storage"
"""What is asked: the first two have quotas, by the names that the Hub gives them."""
MAX_BYTES = 64_000_000
"""Of one answer."""
_REPO_ID = re.compile(r"[\w.-]{1,96}(/[\w.-]{1,96})?", re.ASCII)
_CODES = {
    "RepoNotFound": Code.NOT_FOUND,
    "RevisionNotFound": Code.REVISION_GONE,
    "EntryNotFound": Code.NO_DATA_FILES,
    "GatedRepo": Code.GATED,
}
"""By X-Error-Code; what has none goes by its status."""
_STATUSES = {
    400: Code.UNEXPECTED,
    404: Code.NOT_FOUND,
    410: Code.NOT_FOUND,
    416: Code.UNREADABLE_FILES,
    429: Code.RATE_LIMITED,
}


_CAUSES: dict[type[Exception], Code] = {
    httpx.TimeoutException: Code.TIMED_OUT,
    httpx.HTTPError: Code.CONNECTION_FAILED,
    Exception: Code.SERVER_ERROR,  # an answer that makes no sense
}
"""By the exception; the first that fits counts."""


class EntryMissingError(DynosaurError):
    """The revision has no such file."""


@dataclass(frozen=True)
class Request:
    """What is asked of the Hub by GET."""

    url: str
    resource: str
    params: Mapping[str, Any] | None = None
    headers: Mapping[str, str] | None = None
    deadline: float = math.inf
    """In seconds of `time.monotonic()`."""
    max_bytes: int = MAX_BYTES


@dataclass(frozen=True)
class Response:
    """A response that arrived whole."""

    status: int
    headers: httpx.Headers
    body: bytes
    url: str
    """The last address, after all redirects."""
    next_url: str | None = None
    """The `Link: rel=next` of a page."""
    hops: int = 1
    """Requests that it took, redirects included."""

    def json(self) -> Any:
        """The body's value; ValueError where it is not JSON."""
        return read_json(self.body)


class HubHttp:
    """GET requests to one Hub. Safe to share between threads; see `shared_http`."""

    def __init__(
        self,
        endpoint: str,
        token: str | None,
        *,
        timeout_s: float = 30.0,
        exchange_s: float = 120.0,
        attempts: int = 5,
        backoff_s: float = 0.5,
    ) -> None:
        self.endpoint = endpoint.rstrip("/")
        self.attempts, self.timeout_s, self.backoff_s = attempts, timeout_s, backoff_s
        self.exchange_s = exchange_s
        """Seconds for one answer with its redirects and interim responses, from the first to the last byte."""
        self.quotas = Quotas()
        self.unreachable: MutableMapping[str, float] = {}
        """Addresses beside the Hub that did not answer, and until when they are not asked (`time.monotonic()`)."""
        self._token = token
        limits = httpx.Limits(max_connections=64, max_keepalive_connections=32)
        hooks = {"response": [self._seen]}
        self._client = bounded(httpx.Client(follow_redirects=True, limits=limits, event_hooks=hooks))

    def get(
        self,
        url: str,
        resource: str,
        parse: Callable[[Response], T],
        *,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        deadline: float = math.inf,
        max_bytes: int = MAX_BYTES,
    ) -> T:
        """What `parse` makes of the response. After a transient fault, or a ValueError of `parse`, the request is sent
        again, in all `attempts` times at most (see `retry`). `deadline` is in `time.monotonic()` seconds. Raises
        DynosaurError."""
        request = Request(url, resource, params, headers, deadline, max_bytes)

        def attempt() -> T:
            try:
                return parse(self.once(request))
            except (ValueError, httpx.HTTPError, httpx.InvalidURL) as cause:
                raise as_error(cause, url) from cause

        def held(error: DynosaurError, wait_s: float) -> bool:
            if error.code is not Code.RATE_LIMITED:
                return False
            self.pause(resource, wait_s)  # holds back this thread and all others, when they next ask
            return True

        return retrying(
            attempt,
            what=_name(url),
            log=_LOG,
            attempts=self.attempts,
            backoff_s=self.backoff_s,
            deadline=deadline,
            held=held,
        )

    def pause(self, resource: str, seconds: float) -> None:
        """Nobody asks for this resource in the next `seconds`."""
        self.quotas.pause(resource, seconds)

    def once(self, request: Request) -> Response:
        """One try of `get`, when the quota allows it. Raises DynosaurError, and what the HTTP client raises."""
        url = request.url
        self.quotas.take(request.resource, request.deadline)
        end = min(request.deadline, time.monotonic() + self.exchange_s)
        timeout = min(self.timeout_s, request.deadline - time.monotonic())
        if timeout <= 0:
            raise DynosaurError(Code.TIMED_OUT, "its time for reading was up")
        sent = {"User-Agent": "dynosaur", **(request.headers or {})}
        if self._token and url.startswith((self.endpoint + "/", self.endpoint.replace("://", "://datasets-server."))):
            sent["Authorization"] = f"Bearer {self._token}"
        asked = self._client.stream("GET", url, params=request.params, headers=sent, timeout=timeout)
        with within(end), asked as response:
            parts, size = [], 0
            for part in response.iter_bytes():
                parts.append(part)
                size += len(part)
                if size > request.max_bytes:
                    raise DynosaurError(Code.TOO_LARGE, f"{_name(url)} is beyond {request.max_bytes} bytes")
                if time.monotonic() > end:
                    raise DynosaurError(Code.TIMED_OUT, f"{_name(url)} came too slowly")
            link = response.links.get("next", {}).get("url")
            hops = len(response.history) + 1
            answer = Response(response.status_code, response.headers, b"".join(parts), str(response.url), link, hops)
        if answer.status >= 400:
            raise response_error(answer)
        return answer

    def _seen(self, response: httpx.Response) -> None:
        """Every response, those of redirects too."""
        self.quotas.learn(response.headers)


def as_error(cause: Exception, url: str) -> DynosaurError:
    """What went wrong on the way, by our codes."""
    code = next(code for kind, code in _CAUSES.items() if isinstance(cause, kind))
    return DynosaurError(code, f"{_name(url)}: {type(cause).__name__} {cause}".strip()[:300])


def response_error(answer: Response) -> DynosaurError:
    """The error that a response with status 400 or more stands for."""
    name = answer.headers.get("x-error-code", "")
    said = answer.headers.get("x-error-message") or answer.body[:200].decode("utf-8", "replace")
    message = f"{_name(answer.url)}: {answer.status} {name} {said}"[:400]
    if name == "EntryNotFound":
        return EntryMissingError(Code.NO_DATA_FILES, message)
    if answer.status >= 500:
        # the viewer's own errors have a code, and would be the same the next time
        return DynosaurError(Code.UNREADABLE_FILES if name else Code.SERVER_ERROR, message)
    code = _CODES.get(name) or _STATUSES.get(answer.status, Code.NOT_ALLOWED)
    wait = retry_after(answer.headers) if answer.status == 429 else None
    return DynosaurError(code, message, retry_after=wait)


def _name(url: str) -> str:
    """The address without its query: signed ones must not reach a log."""
    return url.split("?", 1)[0]


def is_repo_id(text: str) -> bool:
    """Whether a text may name a dataset. Any other text could lead elsewhere as part of an address."""
    return _REPO_ID.fullmatch(text) is not None and not any(set(part) == {"."} for part in text.split("/"))


def repo_path(repo_id: str) -> str:
    """The id as part of an address; raises NotFound for what cannot be one."""
    if not is_repo_id(repo_id):
        raise DynosaurError(Code.NOT_FOUND, f"{repo_id[:200]!r} is no dataset id")
    return repo_id


_shared: dict[tuple[str, str | None], HubHttp] = {}
_shared_lock = threading.Lock()


def shared_http(endpoint: str | None = None, token: str | None = None) -> HubHttp:
    """The process's client of a Hub: quotas hold for all who ask it. Without arguments HF_ENDPOINT and HF_TOKEN of this
    moment count (the clients of the ecosystem read them at import)."""
    key = ((endpoint or os.environ.get("HF_ENDPOINT") or "https://huggingface.co").rstrip("/"), token or get_token())
    with _shared_lock:
        if key not in _shared:
            _shared[key] = HubHttp(*key)
        return _shared[key]


def viewer_address(endpoint: str) -> str:
    """The dataset viewer of a Hub: `datasets-server.` before its host, as the ecosystem has it; a Hub on loopback or at
    a bare IP address serves it itself."""
    host = httpx.URL(endpoint).host
    bare = host == "localhost" or host.endswith(".localhost") or re.fullmatch(r"[\d.]+|.*:.*", host) is not None
    return endpoint if bare else endpoint.replace("://", "://datasets-server.")
