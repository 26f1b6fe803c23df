"""The one place that knows the `openai` package: sends a body, gives the answer, and names what went wrong."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import urlsplit

import httpx2
import openai

from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.llm.limits import seconds

CONNECT_S = 10.0
MAX_RESPONSE_BYTES = 4_000_000
_NO_KEY = "not-needed"
"""What servers that ask for no key are sent; the client insists on one."""


class RefusedError(Exception):
    """The endpoint refuses the request as it is (400, 422): other terms may do."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class LostError(DynosaurError):
    """The request went out and no usable answer came back: it may have been paid."""


@dataclass(frozen=True)
class Answer:
    """A response of either API, as far as it is needed."""

    text: str
    finish_reason: str
    """`stop`, `length`, `content_filter`, or whatever else the endpoint says."""
    refusal: str | None
    model: str
    prompt_tokens: int | None
    cached_tokens: int
    completion_tokens: int | None


class Adapter:
    """A connection to one endpoint. Safe to share between threads; makes one attempt, the retries are the client's."""

    def __init__(self, api: str, timeout_s: float, base_url: str | None = None) -> None:
        self.api = api
        self.timeout_s = timeout_s
        self.base_url = base_url or os.environ.get("OPENAI_BASE_URL") or "https://api.openai.com/v1"
        self._key = os.environ.get("OPENAI_API_KEY", "").strip()
        parts = urlsplit(self.base_url)
        self.host = (parts.hostname or "") + (f":{parts.port}" if parts.port else "")
        self.official = self.host.endswith(("openai.com", "openai.azure.com"))
        if self.official and not self._key:
            raise DynosaurError(Code.MODEL_KEY_REFUSED, "OPENAI_API_KEY is not set")
        self.openai = openai.OpenAI(
            api_key=self._key or _NO_KEY,
            base_url=self.base_url,
            max_retries=0,
            timeout=httpx2.Timeout(timeout_s, connect=min(CONNECT_S, timeout_s)),
        )

    def send(self, body: dict[str, Any]) -> tuple[Answer, Mapping[str, str]]:
        """One request; gives the answer and the response's headers. Raises `RefusedError`, or DynosaurError MODEL_*."""
        create = (
            self.openai.chat.completions.with_streaming_response.create
            if self.api == "chat"
            else self.openai.responses.with_streaming_response.create
        )
        deadline = time.monotonic() + self.timeout_s
        try:
            opened = cast(AbstractContextManager[Any], create(**cast(Any, body)))
            with opened as response:
                data = bytearray()
                for chunk in response.iter_bytes():  # a drip keeps every single read alive: the whole has a deadline
                    data += chunk
                    if time.monotonic() > deadline:
                        raise LostError(Code.MODEL_TIMED_OUT, f"{self.host} took longer than {self.timeout_s:g} s")
                    if len(data) > MAX_RESPONSE_BYTES:
                        raise LostError(Code.MODEL_BAD_RESPONSE, f"{self.host} sends more than an answer can be")
                return read_answer(bytes(data), self.api), response.headers
        except (openai.OpenAIError, httpx2.HTTPError) as error:
            raise self.named(error) from error

    def named(self, error: Exception) -> DynosaurError | RefusedError:
        """The error of ours that says what went wrong. The key never stands in it."""
        if not isinstance(error, openai.APIStatusError):
            cause = error.__cause__ if isinstance(error, openai.OpenAIError) and error.__cause__ else error
            text = self._clean(f"{self.host}: {type(cause).__name__}: {cause}")
            if isinstance(cause, httpx2.ConnectError | httpx2.ConnectTimeout):
                return DynosaurError(Code.MODEL_UNREACHABLE, text)
            if isinstance(cause, httpx2.TimeoutException):
                return LostError(Code.MODEL_TIMED_OUT, f"{self.host} did not answer within {self.timeout_s:g} s")
            return LostError(Code.MODEL_UNREACHABLE, text)
        status, headers = error.status_code, error.response.headers
        text = self._clean(f"{self.host} answers {status}: {_message(error)}")
        if status in (400, 409, 413, 422):
            return RefusedError(text)
        if status == 429 and re.search(r"insufficient_quota|billing|credit", text):
            return DynosaurError(Code.MODEL_QUOTA_SPENT, text)
        code = _STATUS.get(status, Code.MODEL_SERVER_ERROR if status >= 500 else Code.MODEL_REQUEST_REFUSED)
        return DynosaurError(code, text, retry_after=_retry_after(headers))

    def _clean(self, text: str) -> str:
        return (text.replace(self._key, "***") if self._key else text)[:500]


_STATUS = {
    401: Code.MODEL_KEY_REFUSED,
    403: Code.MODEL_KEY_REFUSED,
    402: Code.MODEL_QUOTA_SPENT,
    404: Code.MODEL_UNREACHABLE,
    408: Code.MODEL_TIMED_OUT,
    429: Code.MODEL_RATE_LIMITED,
}


def read_answer(data: bytes, api: str) -> Answer:
    """The answer in a response's JSON; raises ModelBadResponse where it has not the form of `api`."""
    try:
        payload = json.loads(data)
        return _read_chat(payload) if api == "chat" else _read_responses(payload)
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError) as error:
        raise LostError(Code.MODEL_BAD_RESPONSE, f"not a response of the {api} API: {data[:200]!r}") from error


def _read_chat(payload: dict[str, Any]) -> Answer:
    choice = payload["choices"][0]
    message = choice["message"]
    usage = payload.get("usage") or {}
    return Answer(
        text=_text(message.get("content")),
        finish_reason=str(choice.get("finish_reason") or "stop"),
        refusal=message.get("refusal"),
        model=str(payload.get("model") or ""),
        **_usage(usage, "prompt_tokens", "completion_tokens"),
    )


def _read_responses(payload: dict[str, Any]) -> Answer:
    parts = [part for item in payload["output"] if item.get("type") == "message" for part in item["content"]]
    refusals = [part["refusal"] for part in parts if part.get("type") == "refusal"]
    incomplete = (payload.get("incomplete_details") or {}).get("reason")
    usage = payload.get("usage") or {}
    return Answer(
        text="".join(part["text"] for part in parts if part.get("type") == "output_text"),
        finish_reason={None: "stop", "max_output_tokens": "length"}.get(incomplete, str(incomplete)),
        refusal=refusals[0] if refusals else None,
        model=str(payload.get("model") or ""),
        **_usage(usage, "input_tokens", "output_tokens"),
    )


def _text(content: Any) -> str:
    """A chat message's text; some endpoints give it in parts."""
    if isinstance(content, list):
        return "".join(part["text"] for part in content if part.get("type") == "text")
    if content is not None and not isinstance(content, str):
        raise TypeError("the content is no text")
    return content or ""


def _usage(usage: dict[str, Any], prompt: str, completion: str) -> dict[str, Any]:
    """Token counts as they are told; None for what is not told, or not as a count."""
    counts = [usage.get(prompt), usage.get(completion), (usage.get(f"{prompt}_details") or {}).get("cached_tokens")]
    told = [count if isinstance(count, int) and count >= 0 else None for count in counts]
    cached = min(told[2] or 0, told[0] or 0)
    return {"prompt_tokens": told[0], "completion_tokens": told[1], "cached_tokens": cached}


def _message(error: openai.APIStatusError) -> str:
    inner = error.body if isinstance(error.body, dict) else {}
    return " ".join(str(inner[name]) for name in ("message", "param", "code") if inner.get(name)) or error.message


def _retry_after(headers: Mapping[str, str]) -> float | None:
    ms = headers.get("retry-after-ms", "")
    return float(ms) / 1000 if ms.replace(".", "", 1).isdecimal() else seconds(headers.get("retry-after", ""))
