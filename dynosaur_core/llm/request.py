"""A request to the model, its digest, and its body for each API. What an endpoint can do is found out by asking."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

from dynosaur_core.digest import digest
from dynosaur_core.models import Mode
from dynosaur_core.settings import Settings

REQUEST_VERSION = 1
"""Part of every request's digest: with another one no paid answer is found again."""

Structured = Literal["schema", "json", "text"]
_LEVELS: tuple[Structured, ...] = ("schema", "json", "text")


@dataclass(frozen=True)
class Request:
    """What is asked. `digest` names the answer; `owner` (the dataset) only serves fairness and accounts."""

    owner: str
    modes: tuple[Mode, ...]
    model: str
    messages: tuple[dict[str, str], ...]
    schema: dict[str, Any]
    max_output_tokens: int
    temperature: float | None
    seed: int | None
    reasoning_effort: str | None
    structured: str
    follow_up: str | None = field(default=None, compare=False)
    """Why it is asked once more: `room` or `repair`; None for a first request."""
    answer: str = field(default="task_designs", compare=False)
    """What the schema is called."""

    @cached_property
    def digest(self) -> str:
        asked = {
            name: value for name, value in asdict(self).items() if name not in ("owner", "modes", "follow_up", "answer")
        }
        return digest(REQUEST_VERSION, asked)

    def with_larger_limit(self) -> Request:
        """The same with four times the room for the answer, after one that was cut off."""
        return replace(self, max_output_tokens=self.max_output_tokens * 4, follow_up="room")

    def with_repair(self, answer: str, reason: str) -> Request:
        """Asks to mend `answer`, of which no task could be used because of `reason`."""
        turns = (
            {"role": "assistant", "content": answer[:4_000]},
            {"role": "user", "content": f"That cannot be used: {reason}. Answer again, in the JSON form asked for."},
        )
        return replace(self, messages=self.messages + turns, follow_up="repair")


def make_request(
    owner: str,
    modes: tuple[Mode, ...],
    messages: tuple[dict[str, str], ...],
    schema: dict[str, Any],
    s: Settings,
    *,
    model: str | None = None,
    answer: str = "task_designs",
) -> Request:
    """A request under the settings; of another model than the designers' where `model` names one."""
    llm = s.llm
    return Request(
        owner=owner,
        modes=modes,
        model=model or s.model,
        messages=messages,
        schema=schema,
        max_output_tokens=llm.max_output_tokens,
        temperature=llm.temperature,
        seed=llm.seed,
        reasoning_effort=llm.reasoning_effort,
        structured=llm.structured,
        answer=answer,
    )


@dataclass(frozen=True)
class Capability:
    """What an endpoint takes for a model. Found out once and kept in the store."""

    structured: Structured = "schema"
    max_tokens_name: str = "max_completion_tokens"
    dropped: tuple[str, ...] = ()
    """Parameters that it refuses."""
    known: bool = False
    """An answer to a request of this form has come."""

    def after_refusal(self, message: str) -> Capability | None:
        """What to try next after the endpoint refused (400, 422) with this message; None where none is left."""
        for pattern, parameter in _REFUSED:
            if parameter not in self.dropped and pattern.search(message):
                return replace(self, dropped=(*self.dropped, parameter))
        if _TOKENS.search(message) and _UNKNOWN.search(message) and _MAX_TOKENS_SWAPPED not in self.dropped:
            other = "max_tokens" if self.max_tokens_name != "max_tokens" else "max_completion_tokens"
            return replace(self, max_tokens_name=other, dropped=(*self.dropped, _MAX_TOKENS_SWAPPED))
        if _FORMAT.search(message) and self.structured != "text":
            return replace(self, structured=_LEVELS[_LEVELS.index(self.structured) + 1])
        return None


_MAX_TOKENS_SWAPPED = "max_tokens_name"
_REFUSED = (
    (re.compile(r"temperature", re.I), "temperature"),
    (re.compile(r"\bseed\b", re.I), "seed"),
    (re.compile(r"reasoning", re.I), "reasoning_effort"),
)
_TOKENS = re.compile(r"max_(completion_)?tokens", re.I)
_UNKNOWN = re.compile(r"unsupported|not supported|unrecogni[sz]ed|unknown|not permitted|unexpected", re.I)
_FORMAT = re.compile(r"response_format|json_?schema|json_object|text\.format|schema|grammar|structured", re.I)


def body(request: Request, capability: Capability, api: str) -> dict[str, Any]:
    """The JSON body for `chat` (/chat/completions) or `responses` (/responses)."""
    optional = {
        "temperature": request.temperature,
        "seed": request.seed if api == "chat" else None,
        "reasoning_effort": request.reasoning_effort,
    }
    given = {name: value for name, value in optional.items() if value is not None and name not in capability.dropped}
    structured = capability.structured if request.structured == "auto" else request.structured
    if api == "chat":
        chat: dict[str, Any] = {"model": request.model, "messages": list(request.messages), **given}
        chat[capability.max_tokens_name] = request.max_output_tokens
        if structured == "schema":
            named = {"name": request.answer, "strict": True, "schema": request.schema}
            chat["response_format"] = {"type": "json_schema", "json_schema": named}
        elif structured == "json":
            chat["response_format"] = {"type": "json_object"}
        return chat
    effort = given.pop("reasoning_effort", None)
    form: dict[str, Any] = {"type": "text"}
    if structured == "schema":
        form = {"type": "json_schema", "name": request.answer, "strict": True, "schema": request.schema}
    elif structured == "json":
        form = {"type": "json_object"}
    return {
        "model": request.model,
        "input": list(request.messages),
        "max_output_tokens": request.max_output_tokens,
        "store": False,
        "text": {"format": form},
        **given,
        **({"reasoning": {"effort": effort}} if effort else {}),
    }
