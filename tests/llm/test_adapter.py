"""llm.adapter and llm.responses: responses of either API, as endpoints really write them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynosaur_core import secrets
from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.llm.failures import RefusedError, UnansweredError, failure_in_body
from dynosaur_core.llm.responses import MAX_REFUSAL_CHARS, MAX_TEXT_CHARS, finish_of, is_answer, read_completion


def chat(content: Any, finish: Any = "stop", *, message: dict[str, Any] | None = None, **more: Any) -> bytes:
    choice = {"message": {"content": content, **(message or {})}, "finish_reason": finish}
    return json.dumps({"choices": [choice], **more}).encode()


def responses(*items: dict[str, Any], **more: Any) -> bytes:
    return json.dumps({"output": list(items), "status": "completed", **more}).encode()


def said(text: str) -> dict[str, Any]:
    return {"type": "message", "content": [{"type": "output_text", "text": text}]}


def test_read_answer_joins_a_text_in_parts() -> None:
    assert read_completion(chat([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]), "chat").text == "ab"


@pytest.mark.parametrize("usage", [10**25, [1, 2], "many", 7, True, None, {"prompt_tokens_details": [1]}])
def test_read_answer_takes_any_usage_for_untold(usage: Any) -> None:
    answer = read_completion(chat("x", usage=usage), "chat")
    assert (answer.prompt_tokens, answer.completion_tokens, answer.cached_tokens) == (None, None, 0)


@pytest.mark.parametrize("count", [None, "12", -3, 1.5, True, [4], {}, 10**25, float("inf")])
def test_read_answer_takes_no_count_for_untold(count: Any) -> None:
    answer = read_completion(chat("x", usage={"prompt_tokens": count, "completion_tokens": 4}), "chat")
    assert (answer.prompt_tokens, answer.completion_tokens) == (None, 4)


def test_read_answer_reads_a_number_of_thousands_of_digits() -> None:
    data = chat("x", usage={"prompt_tokens": 1}).replace(b'"prompt_tokens": 1', b'"prompt_tokens": ' + b"9" * 9_000)
    assert read_completion(data, "chat").prompt_tokens is None


def test_read_answer_counts_cached_tokens_as_part_of_the_prompt() -> None:
    usage = {"prompt_tokens": 10, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 64}}
    assert read_completion(chat("x", usage=usage), "chat").cached_tokens == 10


@pytest.mark.parametrize("api", ["chat", "responses"])
@pytest.mark.parametrize(
    "data", [b"", b"null", b"[]", b"<html>", b'{"choices": []}', b'{"output": [7]}', chat(7), chat([7]), b"[" * 90_000]
)
def test_read_answer_of_anything_else_is_a_bad_response(api: str, data: bytes) -> None:
    with pytest.raises(DynosaurError) as error:
        read_completion(data, api)
    assert error.value.code is Code.MODEL_BAD_RESPONSE


@pytest.mark.parametrize("refusal", ["", "  ", None, False, True, 0, [], {}])
def test_read_answer_takes_what_says_nothing_for_no_refusal(refusal: Any) -> None:
    answer = read_completion(chat("x", message={"refusal": refusal}), "chat")
    assert (answer.text, answer.refusal) == ("x", None)


def test_read_answer_makes_a_refusal_text_and_bounds_it() -> None:
    assert read_completion(chat(None, message={"refusal": "No."}), "chat").refusal == "No."
    assert read_completion(chat(None, message={"refusal": ["no", "way"]}), "chat").refusal == '["no", "way"]'
    long = read_completion(chat(None, message={"refusal": "no " * 5_000}), "chat").refusal
    assert long is not None and len(long) == MAX_REFUSAL_CHARS


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("MAX_TOKENS", "length"),
        ("max_tokens", "length"),
        ("model_length", "length"),
        ("FINISH_REASON_MAX_TOKENS", "length"),
        ("end_turn", "stop"),
        ("STOP", "stop"),
        ("tool_calls", "stop"),
        (None, "stop"),
        ("SAFETY", "content_filter"),
        ("insufficient_system_resource", "error"),
        ("abort", "error"),
        ("something new", "something new"),
        (7, "7"),
    ],
)
def test_finish_of_has_one_spelling(reason: Any, finish: str) -> None:
    assert finish_of(reason) == finish


@pytest.mark.parametrize("reason", ["error", "abort", "insufficient_system_resource", "cancelled", "network_error"])
def test_read_answer_of_a_broken_upstream_is_a_server_error(reason: str) -> None:
    with pytest.raises(UnansweredError) as error:
        read_completion(chat('{"tasks": [', reason, usage={"prompt_tokens": 9, "completion_tokens": 2}), "chat")
    assert error.value.code is Code.MODEL_SERVER_ERROR and error.value.policy.transient
    assert error.value.told.prompt_tokens == 9


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"status": "failed", "error": {"code": "server_error", "message": "sorry"}}, Code.MODEL_SERVER_ERROR),
        ({"status": "failed", "error": {"code": "rate_limit_exceeded", "message": ""}}, Code.MODEL_RATE_LIMITED),
        ({"status": "failed", "error": None}, Code.MODEL_SERVER_ERROR),
        ({"status": "cancelled"}, Code.MODEL_SERVER_ERROR),
        ({"status": "queued"}, Code.MODEL_SERVER_ERROR),
        ({"status": "completed"}, Code.MODEL_BAD_RESPONSE),
    ],
)
def test_read_answer_of_responses_that_did_not_end_well(more: dict[str, Any], code: Code) -> None:
    with pytest.raises(DynosaurError) as error:
        read_completion(responses(**more), "responses")
    assert error.value.code is code


@pytest.mark.parametrize(("reason", "finish"), [("max_output_tokens", "length"), ("content_filter", "content_filter")])
def test_read_answer_of_incomplete_responses_says_why(reason: str, finish: str) -> None:
    data = responses(said("half"), status="incomplete", incomplete_details={"reason": reason})
    assert read_completion(data, "responses").finish_reason == finish
    assert (
        read_completion(responses(status="incomplete", incomplete_details={"reason": reason}), "responses").text == ""
    )


@pytest.mark.parametrize("content", ["", " \n", None, []])
def test_read_answer_of_nothing_is_no_answer_unless_its_room_ran_out(content: Any) -> None:
    with pytest.raises(UnansweredError) as error:
        read_completion(chat(content), "chat")
    assert error.value.code is Code.MODEL_BAD_RESPONSE
    assert read_completion(chat(content, "length"), "chat").text.strip() == ""


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ({"message": "Rate limit exceeded: free-models-per-day", "code": 429}, Code.MODEL_RATE_LIMITED),
        ({"message": "slow down", "code": "rate_limit_exceeded"}, Code.MODEL_RATE_LIMITED),
        ({"message": "slow down", "status": "429"}, Code.MODEL_RATE_LIMITED),
        ({"message": "no", "type": "tokens", "code": "insufficient_quota"}, Code.MODEL_QUOTA_SPENT),
        ({"message": "Insufficient credits", "code": 402}, Code.MODEL_QUOTA_SPENT),
        ({"message": "no", "type": "invalid_request_error", "code": "invalid_api_key"}, Code.MODEL_KEY_REFUSED),
        ({"message": "Incorrect API key provided"}, Code.MODEL_KEY_REFUSED),
        ({"message": "bad gateway", "code": 502}, Code.MODEL_SERVER_ERROR),
        ({"message": "oh", "type": "server_error"}, Code.MODEL_SERVER_ERROR),
        ({"message": "Request timed out"}, Code.MODEL_TIMED_OUT),
        ("something went wrong", Code.MODEL_SERVER_ERROR),
        ({}, None),
        ("", None),
    ],
)
def test_read_answer_maps_an_error_body_with_200(error: Any, code: Code | None) -> None:
    for body in ({"error": error}, {"error": error, "choices": [], "output": []}):
        for api in ("chat", "responses"):
            with pytest.raises(DynosaurError) as raised:
                read_completion(json.dumps(body).encode(), api)
            assert raised.value.code is (code or Code.MODEL_BAD_RESPONSE)
    if code:
        choice = {"message": {"content": ""}, "finish_reason": "error", "error": error}
        with pytest.raises(DynosaurError) as raised:
            read_completion(json.dumps({"choices": [choice]}).encode(), "chat")
        assert raised.value.code is code


def test_read_answer_maps_a_refused_request_with_200() -> None:
    error = {"message": "too many tokens", "code": "context_length_exceeded", "type": "invalid_request_error"}
    with pytest.raises(RefusedError):
        read_completion(json.dumps({"error": error}).encode(), "chat")


def test_read_answer_finds_what_a_tool_call_or_the_thoughts_hold() -> None:
    tasks = '{"tasks": []}'
    call = {"function": {"name": "task_designs", "arguments": tasks}}
    assert read_completion(chat(None, "tool_calls", message={"tool_calls": [call]}), "chat").text == tasks
    assert read_completion(chat("", message={"function_call": {"arguments": {"tasks": []}}}), "chat").text == tasks
    assert read_completion(responses({"type": "function_call", "arguments": tasks}), "responses").text == tasks
    for name in ("reasoning_content", "reasoning"):
        thoughts = f'Perhaps {{"tasks": [1]}}? No.\n```json\n{tasks}\n```'
        assert read_completion(chat("", message={name: thoughts}), "chat").text == tasks
        assert read_completion(chat("own", message={name: thoughts}), "chat").text == "own"
        assert read_completion(chat("", "length", message={name: thoughts}), "chat").text == ""
        with pytest.raises(UnansweredError):
            read_completion(chat("", message={name: f"{tasks} is poor."}), "chat")


def test_read_answer_makes_every_text_storable_and_bounded() -> None:
    answer = read_completion(chat("Sure \ud83d \0 x", message={"refusal": "\udc00"}, model="m" * 9_000), "chat")
    assert answer.text == "Sure \ufffd \ufffd x" and answer.refusal == "\ufffd" and len(answer.model) == 200
    assert read_completion(chat("\ud83d\ude00"), "chat").text == "\U0001f600"
    assert len(read_completion(chat("x" * (MAX_TEXT_CHARS + 9)), "chat").text) == MAX_TEXT_CHARS
    assert "\ufffd" in read_completion(chat("caf").replace(b"caf", b"caf\xe9"), "chat").text
    with pytest.raises(DynosaurError) as error:
        read_completion(json.dumps({"error": {"message": "\ud83d" * 9_000, "code": 500}}).encode(), "chat")
    assert len(error.value.message.encode()) < 2_000


@pytest.mark.parametrize(
    "body",
    [
        json.dumps({"error": {"message": "bad key sk-secret-0123456", "code": 401}}).encode(),
        b"x" * 190 + b"sk-secret-0123456",
    ],
)
def test_read_answer_strikes_a_key_that_the_endpoint_repeats(body: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", " sk-secret-0123456\n")
    secrets.remember()  # the environment is read anew
    with pytest.raises(DynosaurError) as error:
        read_completion(body, "chat")
    assert error.value.code is (Code.MODEL_KEY_REFUSED if b"401" in body else Code.MODEL_BAD_RESPONSE)
    assert "sk-s" not in error.value.message


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(
        ["choices", "message", "content", "finish_reason", "usage", "error", "output", "type", "refusal", "text",
         "code", "tool_calls", "function", "arguments", "prompt_tokens", "model", "reasoning", "status",
         "incomplete_details"]
    ), inner, max_size=4),
    max_leaves=25,
)  # fmt: skip


@given(_json, st.sampled_from(["chat", "responses"]))
def test_read_answer_of_any_json_is_an_answer_or_an_error_of_ours(payload: Any, api: str) -> None:
    try:
        answer = read_completion(json.dumps(payload).encode(), api)
    except (DynosaurError, RefusedError) as error:
        error.message.encode()
    else:
        assert is_answer(answer.text, answer.finish_reason, answer.refusal)
        answer.text.encode(), answer.model.encode(), (answer.refusal or "").encode()


@given(_json)
def test_failure_in_body_names_any_error(error: Any) -> None:
    assert failure_in_body(error).message


TASKS = '{"tasks": [1]}'


def test_read_answer_finds_what_is_handed_over_beside_words() -> None:
    call = {"function": {"name": "answer", "arguments": TASKS}}
    said_too = {"tool_calls": [None, call]}
    assert read_completion(chat("I will call the tool.", message=said_too), "chat").text == TASKS
    assert read_completion(chat('{"tasks": []}', message=said_too), "chat").text == '{"tasks": []}'
    empty = {"tool_calls": [{"function": {"arguments": "{}"}}]}
    assert read_completion(chat("I cannot help.", message=empty), "chat").text == "I cannot help."
    handed = responses(None, said("I call."), {"type": "function_call", "arguments": TASKS})  # type: ignore[arg-type]
    assert read_completion(handed, "responses").text == TASKS
    assert read_completion(chat(None, message={"parsed": json.loads(TASKS)}), "chat").text == TASKS


def test_read_answer_reads_other_forms_of_the_responses_api() -> None:
    assert read_completion(responses({"type": "message", "content": "a"}), "responses").text == "a"
    assert read_completion(b'{"output_text": "a", "status": "completed"}', "responses").text == "a"
    assert read_completion(responses(output_text="a"), "responses").text == "a"
    assert read_completion(responses(said("a"), output_text="a"), "responses").text == "a"


@pytest.mark.parametrize("refusal", ["None", "null", "N/A", " none. ", "undefined", "False"])
def test_read_answer_takes_a_word_for_nothing_for_no_refusal(refusal: str) -> None:
    assert read_completion(chat("x", message={"refusal": refusal}), "chat").refusal is None


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"detail": "Too many requests"}, Code.MODEL_RATE_LIMITED),
        ({"status": 429, "title": "Slow down"}, Code.MODEL_RATE_LIMITED),
        ({"status": 503}, Code.MODEL_SERVER_ERROR),
        ([{"error": {"code": 429, "message": "Quota", "status": "RESOURCE_EXHAUSTED"}}], Code.MODEL_RATE_LIMITED),
        ({"message": "Unauthorized"}, Code.MODEL_KEY_REFUSED),
    ],
)
@pytest.mark.parametrize("api", ["chat", "responses"])
def test_read_answer_maps_error_bodies_of_gateways(body: Any, code: Code, api: str) -> None:
    with pytest.raises(DynosaurError) as raised:
        read_completion(json.dumps(body).encode(), api)
    assert raised.value.code is code
