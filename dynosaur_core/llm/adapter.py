"""The one place that knows the `openai` package: sends a body, returns the answer, and names what went wrong."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, cast
from urllib.parse import urlsplit

import httpx2
import openai

from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.exchange import bounded, retry_after, within
from dynosaur_core.llm.failures import MAX_MESSAGE_CHARS, LostError, RefusedError, error_words, failure
from dynosaur_core.llm.responses import Completion, read_completion
from dynosaur_core.text import line

CONNECT_S = 10.0
MAX_RESPONSE_BYTES = 4_000_000
"""Of the body, unpacked."""
_NO_KEY = "not-needed"
"""What servers that ask for no key are sent; the client insists on one."""


class Adapter:
    """A connection to one endpoint. Safe to share between threads; makes one attempt, the retries are the client's."""

    def __init__(self, api: str, timeout_s: float, base_url: str | None = None) -> None:
        self.api = api
        self.timeout_s = timeout_s
        self.base_url = base_url or os.environ.get("OPENAI_BASE_URL") or "https://api.openai.com/v1"
        key = os.environ.get("OPENAI_API_KEY", "").strip()
        parts = urlsplit(self.base_url)
        self.host = (parts.hostname or "") + (f":{parts.port}" if parts.port else "")
        self.official = self.host.endswith(("openai.com", "openai.azure.com"))
        if self.official and not key:
            raise DynosaurError(Code.MODEL_KEY_REFUSED, "OPENAI_API_KEY is not set")
        timeout = httpx2.Timeout(timeout_s, connect=min(CONNECT_S, timeout_s))
        self.openai = openai.OpenAI(
            api_key=key or _NO_KEY,
            base_url=self.base_url,
            max_retries=0,
            timeout=timeout,
            http_client=bounded(openai.DefaultHttpxClient(timeout=timeout, event_hooks={"response": [_leave_packed]})),
        )

    def send(self, body: dict[str, Any]) -> tuple[Completion, Mapping[str, str]]:
        """Sends one request; returns the answer and the response's headers. Raises RefusedError, or DynosaurError."""
        create = (
            self.openai.chat.completions.with_streaming_response.create
            if self.api == "chat"
            else self.openai.responses.with_streaming_response.create
        )
        try:
            opened = cast(AbstractContextManager[Any], create(**cast(Any, body)))
            # headers and interim responses count in the exchange: a body that is too long is met by its own bound first
            with within(time.monotonic() + self.timeout_s, 2 * MAX_RESPONSE_BYTES), opened as response:
                data = bytearray()
                for chunk in response.iter_bytes():
                    data += chunk
                    if len(data) > MAX_RESPONSE_BYTES:
                        raise LostError(Code.MODEL_BAD_RESPONSE, f"{self.host} sends more than an answer can be")
                return read_completion(bytes(data), self.api), response.headers
        except (openai.OpenAIError, httpx2.HTTPError) as error:
            raise self.named(error) from error

    def named(self, error: Exception) -> DynosaurError | RefusedError:
        """Returns the DynosaurError or RefusedError that says what went wrong."""
        if not isinstance(error, openai.APIStatusError):
            cause = error.__cause__ if isinstance(error, openai.OpenAIError) and error.__cause__ else error
            text = line(f"{self.host}: {type(cause).__name__}: {cause}", MAX_MESSAGE_CHARS)
            if isinstance(cause, httpx2.ConnectError | httpx2.ConnectTimeout):
                return DynosaurError(Code.MODEL_UNREACHABLE, text)
            if isinstance(cause, httpx2.TimeoutException):
                return LostError(Code.MODEL_TIMED_OUT, f"{self.host} did not answer within {self.timeout_s:g} s")
            return LostError(Code.MODEL_UNREACHABLE, text)
        text = f"{self.host} answers {error.status_code}: {error_words(error.body) or error.message}"
        return failure(error.status_code, text, retry_after(error.response.headers))


def _leave_packed(response: httpx2.Response) -> None:
    """Leaves the body of an error compressed: a few bytes of it could become more than memory holds."""
    if response.is_error:
        response.headers.pop("content-encoding", None)
