"""The one place through which all reading of the Hub goes: quotas, retries, deadlines, and errors by our codes.

The Hub counts requests per five minutes, apart for API calls and for file reads ("resolvers"), and tells in every
answer what is left (`RateLimit: "api";r=489;t=243`). All threads of the process share what was told.
"""

from __future__ import annotations

import json
import math
import os
import random
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

import httpx
from huggingface_hub import get_token

from dynosaur_core.errors import Code, DynosaurError

T = TypeVar("T")
API, FILES, VIEWER, STORAGE = "api", "resolvers", "viewer", "storage"
"""What is asked: the first two have quotas, by the names that the Hub gives them."""
MAX_BYTES = 64_000_000
"""Of one answer."""
_REPO_ID = re.compile(r"[\w.-]{1,96}(/[\w.-]{1,96})?", re.ASCII)
_RATE_LIMIT = re.compile(r'"(\w+)"\s*;\s*r=(\d+)\s*;\s*t=(\d+)')
_POLICY = re.compile(r"q=(\d+).*?w=(\d+)")
_LONGEST_WAIT_S = 900.0
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


class EntryMissingError(DynosaurError):
    """The revision has no such file."""


@dataclass(frozen=True)
class Answer:
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
        return json.loads(self.body)


@dataclass
class _Window:
    """One quota's present window."""

    left: int
    reset: float
    """When the next one begins, in seconds of `time.monotonic()`."""
    quota: int
    seconds: float


class Quotas:
    """What is left of each resource, and until when nobody may ask."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._windows: dict[str, _Window] = {}
        self._paused: dict[str, float] = {}

    def take(self, resource: str, deadline: float) -> None:
        """Waits for a free request; raises RateLimited where the deadline comes first."""
        while (wait := self._try(resource)) > 0:
            if time.monotonic() + wait > deadline:
                message = f"the Hub's quota for {resource!r} is spent for another {wait:.0f} s"
                raise DynosaurError(Code.RATE_LIMITED, message, retry_after=wait)
            time.sleep(min(wait, 1.0))  # short naps: another thread may learn of an earlier reset

    def _try(self, resource: str) -> float:
        """Seconds to wait; 0 takes a request from the quota."""
        now = time.monotonic()
        with self._lock:
            wait = self._paused.get(resource, 0.0) - now
            window = self._windows.get(resource)
            if window is None or wait > 0:
                return wait
            if window.reset <= now:
                window.left, window.reset = window.quota, now + window.seconds
            if window.left <= 0:
                return window.reset - now
            window.left -= 1
            return 0.0

    def learn(self, headers: Mapping[str, str]) -> None:
        """Reads the RateLimit headers of a response."""
        match = _RATE_LIMIT.search(headers.get("ratelimit", ""))
        if not match:
            return
        policy = _POLICY.search(headers.get("ratelimit-policy", ""))
        left, reset = int(match[2]), time.monotonic() + int(match[3])
        quota, seconds = (int(policy[1]), float(policy[2])) if policy else (max(left, 1), 300.0)
        with self._lock:
            known = self._windows.get(match[1])
            if known and abs(known.reset - reset) < 2:  # the same window: what is on its way counts too
                left = min(left, known.left)
            self._windows[match[1]] = _Window(left, reset, quota, seconds)

    def pause(self, resource: str, seconds: float) -> None:
        """Nobody asks for this resource in the next `seconds`."""
        with self._lock:
            until = time.monotonic() + min(seconds, _LONGEST_WAIT_S)
            self._paused[resource] = max(until, self._paused.get(resource, 0.0))


class HubHttp:
    """GET requests to one Hub. Safe to share between threads; see `shared_http`."""

    def __init__(
        self, endpoint: str, token: str | None, *, timeout_s: float = 30.0, tries: int = 5, backoff_s: float = 0.5
    ) -> None:
        self.endpoint = endpoint.rstrip("/")
        self.tries, self.timeout_s, self.backoff_s = tries, timeout_s, backoff_s
        self.quotas = Quotas()
        self.requests: Counter[str] = Counter()
        """By resource, redirects to the storage included (as "storage")."""
        self.bytes: Counter[str] = Counter()
        """Bytes of bodies, by resource."""
        self.unreachable: dict[str, float] = {}
        """Addresses beside the Hub that did not answer, and until when they are not asked (`time.monotonic()`)."""
        self._token = token
        limits = httpx.Limits(max_connections=64, max_keepalive_connections=32)
        hooks = {"response": [self._seen]}
        self._client = httpx.Client(follow_redirects=True, limits=limits, event_hooks=hooks)

    def get(
        self,
        url: str,
        resource: str,
        parse: Callable[[Answer], T],
        *,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        deadline: float = math.inf,
        max_bytes: int = MAX_BYTES,
    ) -> T:
        """What `parse` makes of the answer. Transient faults, and bodies that `parse` refuses by ValueError, are tried
        again a few times. `deadline` is in seconds of `time.monotonic()`. Raises DynosaurError."""
        for attempt in range(self.tries):
            self.quotas.take(resource, deadline)
            try:
                return parse(self._fetch(url, resource, params, headers, deadline, max_bytes))
            except (DynosaurError, ValueError, httpx.HTTPError) as cause:
                error = as_error(cause, url)
                if not error.kind.transient or error.code is Code.REVISION_GONE or attempt == self.tries - 1:
                    raise error from cause
                self._wait(error, resource, attempt, deadline)
        raise AssertionError("the last attempt returns or raises")

    def _wait(self, error: DynosaurError, resource: str, attempt: int, deadline: float) -> None:
        wait = error.retry_after
        if wait is None:
            wait = self.backoff_s * 2**attempt * random.uniform(0.5, 1.5)
        if error.code is Code.RATE_LIMITED:
            self.quotas.pause(resource, wait)  # `take` does the waiting, for this thread and for all others
        elif time.monotonic() + wait > deadline:
            raise DynosaurError(error.code, error.message) from error
        else:
            time.sleep(wait)

    def _fetch(
        self,
        url: str,
        resource: str,
        params: Mapping[str, Any] | None,
        headers: Mapping[str, str] | None,
        deadline: float,
        max_bytes: int,
    ) -> Answer:
        timeout = min(self.timeout_s, deadline - time.monotonic())
        if timeout <= 0:
            raise DynosaurError(Code.TIMED_OUT, "its time for reading was up")
        sent = {"User-Agent": "dynosaur", **(headers or {})}
        if self._token and url.startswith((self.endpoint + "/", self.endpoint.replace("://", "://datasets-server."))):
            sent["Authorization"] = f"Bearer {self._token}"
        with self._client.stream("GET", url, params=params, headers=sent, timeout=timeout) as response:
            parts, size = [], 0
            for part in response.iter_bytes():
                parts.append(part)
                size += len(part)
                if size > max_bytes:
                    raise DynosaurError(Code.TOO_LARGE, f"{_name(url)} is beyond {max_bytes} bytes")
                if time.monotonic() > deadline:
                    raise DynosaurError(Code.TIMED_OUT, f"{_name(url)} came too slowly")
            self.bytes[resource] += response.num_bytes_downloaded
            link = response.links.get("next", {}).get("url")
            hops = len(response.history) + 1
            answer = Answer(response.status_code, response.headers, b"".join(parts), str(response.url), link, hops)
        if answer.status >= 400:
            raise answer_error(answer)
        return answer

    def _seen(self, response: httpx.Response) -> None:
        """Every response, those of redirects too."""
        self.quotas.learn(response.headers)
        ours = str(response.request.url).startswith(self.endpoint)
        self.requests["hub" if ours else "elsewhere"] += 1


def as_error(error: Exception, url: str) -> DynosaurError:
    """Any error of a request by our codes."""
    if isinstance(error, DynosaurError):
        return error
    what = f"{_name(url)}: {type(error).__name__} {error}".strip()[:300]
    if isinstance(error, httpx.TimeoutException):
        return DynosaurError(Code.TIMED_OUT, what)
    if isinstance(error, httpx.HTTPError):
        return DynosaurError(Code.CONNECTION_FAILED, what)
    return DynosaurError(Code.SERVER_ERROR, f"the answer makes no sense: {what}")


def answer_error(answer: Answer) -> DynosaurError:
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
    retry_after = _retry_after(answer.headers) if answer.status == 429 else None
    return DynosaurError(code, message, retry_after=retry_after)


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, as a 429 tells: by the quota's reset where it is spent, else by Retry-After."""
    match = _RATE_LIMIT.search(headers.get("ratelimit", ""))
    if match and int(match[2]) == 0:
        return float(match[3])
    value = headers.get("retry-after", "").strip()
    try:
        return max(0.0, float(value))
    except ValueError:
        pass  # the other form is a date
    try:
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None


def _name(url: str) -> str:
    """The address without its query: signed ones must not reach a log."""
    return url.split("?", 1)[0]


def is_repo_id(text: str) -> bool:
    """Whether it may name a dataset; what may not could lead elsewhere as part of an address."""
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
