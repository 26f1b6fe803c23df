"""The answer in a response of either API. Everything in it comes from outside: bounded, storable, checked."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from dynosaur_core.errors import Code
from dynosaur_core.llm.failures import LostError, RefusedError, UnansweredError, failure_in_body, says_failure
from dynosaur_core.llm.literals import closing_literal, find_literals
from dynosaur_core.text import line, storable

MAX_TEXT_CHARS = 1_000_000
MAX_REFUSAL_CHARS = 2_000
MAX_NAME_CHARS = 200
MAX_COUNT = 10_000_000
"""Tokens that one response can have. A larger count is ignored."""
STOP, LENGTH, FILTERED, BROKEN = "stop", "length", "content_filter", "error"
_FINISHES = {
    STOP: "stop end_turn stop_sequence eos eos_token end complete completed finished tool_calls function_call tool_use",
    LENGTH: "length max_tokens max_output_tokens max_completion_tokens model_length max_length token_limit incomplete "
    "model_context_window_exceeded",
    FILTERED: "content_filter content_filtered content-filter safety recitation prohibited_content blocklist spii "
    "sensitive refusal guardrail_intervened moderation",
    BROKEN: "error abort aborted cancel cancelled canceled failed failure fault interrupted network_error "
    "insufficient_system_resource server_error internal_error upstream_error timeout unavailable engine_overloaded "
    "preempted malformed_function_call queued in_progress",
}
_NO_WORDS = frozenset({"none", "null", "nil", "undefined", "false", "n/a", "na", "-"})
"""How endpoints write into the place of a refusal that there is none."""
_ANSWERS = ("choices", "output", "output_text")
_FINISH = {word: finish for finish, words in _FINISHES.items() for word in words.split()}


@dataclass(frozen=True)
class Completion:
    """A response of either API, as far as it is needed."""

    text: str
    finish_reason: str
    """`stop`, `length`, `content_filter`, or whatever else the endpoint says."""
    refusal: str | None
    model: str
    prompt_tokens: int | None
    """None where the endpoint does not tell it, or not as a count."""
    cached_tokens: int
    completion_tokens: int | None


def finish_of(reason: Any) -> str:
    """A finish reason in one spelling: MAX_TOKENS and model_length are `length`; what is unknown stays as it is."""
    word = storable(str(reason or STOP), 60)
    return _FINISH.get(word.lower().removeprefix("finish_reason_"), word)


def is_answer(text: str, finish_reason: str, refusal: str | None) -> bool:
    """Whether a response answers at all: an upstream fault does not, nor does nothing, unless its room ran out."""
    finish = finish_of(finish_reason)
    if finish == BROKEN:
        return False
    return bool(text.strip() or (refusal or "").strip()) or finish in (LENGTH, FILTERED)


def read_completion(data: bytes, api: str) -> Completion:
    """The answer in a response's JSON.

    Raises ModelBadResponse where the response has not the form of `api` or holds nothing, RefusedError or another
    MODEL_* error where it holds an error in an answer's place.
    """
    try:
        payload = json.loads(data.decode(json.detect_encoding(data), "replace"), parse_int=_int)
        if isinstance(payload, list) and len(payload) == 1:
            payload = payload[0]
        if said := _error_in(payload):
            raise _failed(said, payload, api)
        answer = _read_chat(payload) if api == "chat" else _read_responses(payload)
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError) as error:
        start = line(data[:1_000].decode(errors="replace"), 200)
        raise LostError(Code.MODEL_BAD_RESPONSE, f"not a response of the {api} API: {start!r}") from error
    if not is_answer(answer.text, answer.finish_reason, answer.refusal):
        broken = answer.finish_reason == BROKEN
        message = "the endpoint broke off its answer" if broken else "the response holds no text"
        raise UnansweredError(Code.MODEL_SERVER_ERROR if broken else Code.MODEL_BAD_RESPONSE, message, answer)
    return answer


def _error_in(payload: dict[str, Any]) -> Any:
    """What stands in the place of an answer: an error of the response, or of its first choice."""
    if payload.get("error"):
        return payload["error"]
    if not any(name in payload for name in _ANSWERS):
        return payload if says_failure(payload) else None
    choices = payload.get("choices")
    return choices[0].get("error") if isinstance(choices, list) and choices else None


def _failed(said: Any, payload: dict[str, Any], api: str) -> Exception:
    error = failure_in_body(said)
    names = ("prompt_tokens", "completion_tokens") if api == "chat" else ("input_tokens", "output_tokens")
    told = _usage(payload.get("usage"), *names)
    if isinstance(error, RefusedError) or not told["prompt_tokens"]:
        return error
    return UnansweredError(error.code, error.message, Completion("", BROKEN, None, _name(payload.get("model")), **told))


def _read_chat(payload: dict[str, Any]) -> Completion:
    choice = payload["choices"][0]
    message = choice["message"]
    finish = finish_of(choice.get("finish_reason"))
    text = _with_answer(_text(message.get("content")), _arguments(message))
    if not text.strip() and finish == STOP:
        thoughts = next((message[n] for n in ("reasoning_content", "reasoning") if isinstance(message.get(n), str)), "")
        text = closing_literal(storable(thoughts, MAX_TEXT_CHARS))
    return Completion(
        text=storable(text, MAX_TEXT_CHARS),
        finish_reason=finish,
        refusal=refusal_words(message.get("refusal")),
        model=_name(payload.get("model")),
        **_usage(payload.get("usage"), "prompt_tokens", "completion_tokens"),
    )


def _read_responses(payload: dict[str, Any]) -> Completion:
    whole = _written(payload.get("output_text"))
    output = payload["output"] or () if not whole else payload.get("output") or ()
    items = [item for item in output if item is not None]
    items = [item for item in items if item.get("type") in ("message", "function_call", "reasoning")]
    parts = [part for item in items if item["type"] == "message" for part in _parts(item.get("content"))]
    refusals = [part.get("refusal") for part in parts if part.get("type") == "refusal"]
    finish = finish_of((payload.get("incomplete_details") or {}).get("reason") or payload.get("status"))
    text = _with_answer(_text(parts) or whole, (_written(item.get("arguments")) for item in items))
    if not text.strip() and finish == STOP:
        thoughts = [part for item in items if item["type"] == "reasoning" for part in _parts(item.get("content"))]
        text = closing_literal(storable(_text(thoughts), MAX_TEXT_CHARS))
    return Completion(
        text=storable(text, MAX_TEXT_CHARS),
        finish_reason=finish,
        refusal=next(filter(None, map(refusal_words, refusals)), None),
        model=_name(payload.get("model")),
        **_usage(payload.get("usage"), "input_tokens", "output_tokens"),
    )


def _text(content: Any) -> str:
    """A message's text; some endpoints send it in parts, or as the JSON value that it writes."""
    if isinstance(content, list):
        parts = [part for part in _parts(content) if part.get("type") in ("text", "output_text", "reasoning_text")]
        return "".join(part["text"] for part in parts if isinstance(part.get("text"), str))
    if content is not None and not isinstance(content, str | dict):
        raise TypeError("the content is no text")
    return _written(content)


def _parts(content: Any) -> list[dict[str, Any]]:
    """The parts of a content; a bare text is its only part."""
    if isinstance(content, str):
        return [{"type": "output_text", "text": content}]
    return [part for part in content or () if part is not None]


def _with_answer(text: str, handed: Iterable[str]) -> str:
    """`text`, or what is handed over beside it where only that holds an answer: the text may announce a call."""
    other = "\n".join(filter(None, handed))
    if not text.strip() or (other and any(find_literals(other)) and not find_literals(text)):
        return other or text
    return text


def _arguments(message: dict[str, Any]) -> Iterator[str]:
    """What a message hands to tools, or as a value: some endpoints enforce a schema by a tool call."""
    yield _written(message.get("parsed"))
    calls = [call.get("function") for call in message.get("tool_calls") or () if call is not None]
    for function in (*calls, message.get("function_call")):
        if isinstance(function, dict):
            yield _written(function.get("arguments"))


def _written(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) and value else ""


def refusal_words(value: Any) -> str | None:
    """A refusal's words; an empty text, false, "None", or any other value that says nothing is no refusal."""
    words = storable(_written(value).strip(), MAX_REFUSAL_CHARS)
    return None if words.lower().rstrip(".") in _NO_WORDS else words or None


def _name(value: Any) -> str:
    return storable(str(value or ""), MAX_NAME_CHARS)


def _usage(usage: Any, prompt: str, completion: str) -> dict[str, Any]:
    """Token counts as the response states them; None for a count that is missing or no number."""
    told = usage if isinstance(usage, dict) else {}
    details = told.get(f"{prompt}_details")
    cached = _count(details.get("cached_tokens")) if isinstance(details, dict) else None
    counts = {"prompt_tokens": _count(told.get(prompt)), "completion_tokens": _count(told.get(completion))}
    return {**counts, "cached_tokens": min(cached or 0, counts["prompt_tokens"] or 0)}


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_COUNT else None


def _int(digits: str) -> int:
    """Numbers of thousands of digits, which Python refuses to read, become one that nobody takes for a count."""
    return int(digits) if len(digits) < 20 else 10**20
