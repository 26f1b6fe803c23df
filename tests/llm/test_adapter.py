"""Responses of either API, as endpoints really write them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.llm.adapter import read_answer


def chat(content: Any, **more: Any) -> bytes:
    return json.dumps({"choices": [{"message": {"content": content}, "finish_reason": "stop"}], **more}).encode()


def test_a_text_in_parts_is_one_text() -> None:
    assert read_answer(chat([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]), "chat").text == "ab"


@pytest.mark.parametrize("count", [None, "12", -3, 1.5])
def test_a_count_that_is_none_is_not_told(count: Any) -> None:
    answer = read_answer(chat("x", usage={"prompt_tokens": count, "completion_tokens": 4}), "chat")
    assert (answer.prompt_tokens, answer.completion_tokens) == (None, 4)


def test_cached_tokens_are_part_of_the_prompt() -> None:
    usage = {"prompt_tokens": 10, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 64}}
    assert read_answer(chat("x", usage=usage), "chat").cached_tokens == 10


@pytest.mark.parametrize("api", ["chat", "responses"])
@pytest.mark.parametrize(
    "data", [b"", b"null", b"[]", b"<html>", b'{"choices": []}', b'{"output": [7]}', chat(7), chat([7]), b"[" * 90_000]
)
def test_anything_else_is_a_bad_response(api: str, data: bytes) -> None:
    with pytest.raises(DynosaurError) as error:
        read_answer(data, api)
    assert error.value.code is Code.MODEL_BAD_RESPONSE
