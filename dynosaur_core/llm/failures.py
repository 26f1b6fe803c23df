"""What goes wrong between this machine and a model's endpoint, by the project's codes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.text import line, storable

if TYPE_CHECKING:
    from dynosaur_core.llm.responses import Completion

MAX_MESSAGE_CHARS = 500


class RefusedError(Exception):
    """The endpoint refuses the request as it is (400, 422): other terms may do."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class LostError(DynosaurError):
    """The request went out and no usable answer came back: it may have been paid."""


class UnansweredError(LostError):
    """A response arrived that holds no answer: an upstream fault, or nothing at all. `told` holds its token counts."""

    def __init__(self, code: Code, message: str, told: Completion) -> None:
        super().__init__(code, message)
        self.told = told


_STATUS = {
    401: Code.MODEL_KEY_REFUSED,
    403: Code.MODEL_KEY_REFUSED,
    402: Code.MODEL_QUOTA_SPENT,
    404: Code.MODEL_UNREACHABLE,
    408: Code.MODEL_TIMED_OUT,
    429: Code.MODEL_RATE_LIMITED,
}
_REFUSED = (400, 409, 413, 422)
_QUOTA = re.compile(r"insufficient_quota|billing|credit|insufficient.{0,3}balance|payment.required", re.I)
_WORDS = (
    (_QUOTA, 402),
    (re.compile(r"rate.?limit|too.?many.?requests|resource.?exhausted|throttl", re.I), 429),
    (re.compile(r"api.?key|authenticat|unauthori[sz]ed|permission.?denied|forbidden", re.I), 401),
    (re.compile(r"context.?length|invalid.?(?:request|argument)|bad.?request|unsupported|too.?long", re.I), 400),
    (re.compile(r"model.?not.?found|not.?found", re.I), 404),
    (re.compile(r"time.?out|timed.?out|deadline", re.I), 408),
    (re.compile(r"server.?error|overloaded|unavailable|upstream|bad.?gateway", re.I), 500),
)
"""HTTP statuses by the words of an error that came without one, the first that fits."""


def failure(status: int, text: str, retry_after: float | None = None) -> DynosaurError | RefusedError:
    """The error for a response of `status` whose body says `text`, with its words for a spent quota looked for."""
    text = line(text, MAX_MESSAGE_CHARS)
    if status in _REFUSED:
        return RefusedError(text)
    if status == 429 and _QUOTA.search(text):
        return DynosaurError(Code.MODEL_QUOTA_SPENT, text)
    code = _STATUS.get(status, Code.MODEL_SERVER_ERROR if status >= 500 else Code.MODEL_REQUEST_REFUSED)
    return DynosaurError(code, text, retry_after=retry_after)


def failure_in_body(error: Any) -> DynosaurError | RefusedError:
    """The error that a response of status 200 holds in its body: `{"message": ..., "code": 429}`, or a bare text."""
    said = error if isinstance(error, dict) else {"message": error}
    facts = [said.get(name) for name in ("code", "status", "status_code", "type")] + [_said(said)]
    words = " ".join(storable(str(fact), MAX_MESSAGE_CHARS) for fact in (facts[-1], facts[0], facts[3]) if fact)
    return failure(_status_of(facts), f"the endpoint answers 200 with an error: {words or 'it says no more'}")


def says_failure(body: Mapping[str, Any]) -> bool:
    """Whether a body that holds no answer tells of a failure: in words, or by a status such as 429."""
    return bool(_said(body)) or any(_is_status(body.get(name)) for name in ("code", "status", "status_code"))


def _said(body: Mapping[str, Any]) -> Any:
    """The words of an error body: what they are called differs between servers and the gateways before them."""
    return next((body[name] for name in ("message", "detail", "title") if body.get(name)), None)


def error_words(body: Any) -> str:
    """What an error body says of itself: message, parameter, code."""
    inner = body if isinstance(body, dict) else {}
    return " ".join(str(inner[name]) for name in ("message", "param", "code") if inner.get(name))


def _is_status(fact: Any) -> bool:
    return isinstance(fact, int | str) and bool(re.fullmatch(r"[45]\d\d", str(fact)))


def _status_of(facts: list[Any]) -> int:
    for fact in facts[:3]:
        if _is_status(fact):
            return int(fact)
    for fact in facts:
        for pattern, status in _WORDS:
            if isinstance(fact, str) and pattern.search(fact[:MAX_MESSAGE_CHARS]):
                return status
    return 500
