"""Single values: what is quoted can be read back, cuts keep words, nested values stay readable."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynosaur_core.rendering.nested import nested
from dynosaur_core.rendering.outputs import single
from dynosaur_core.rendering.shorten import level
from dynosaur_core.rendering.values import UnrenderableError, cut, quote

QUOTED = st.text(alphabet="ab'\"\\ .", max_size=12)


def read_back(text: str) -> tuple[str, str]:
    """The first quoted value of `text` and what follows it: how a reader takes `quote`'s form apart."""
    fence = text[:3] if text[:3] in ("'''", '"""') else text[0]
    if fence == '"':
        end = next(i for i in range(1, len(text)) if text[i] == '"' and not _escaped(text, i))
        inner = text[1:end]
        plain = '\\"' not in inner and not inner.endswith("\\")
        return (inner if plain else json.loads(text[: end + 1])), text[end + 1 :]
    if text.startswith("''") and fence == "'":
        return "", text[2:]
    end = text.index(fence, len(fence))
    return text[len(fence) : end], text[end + len(fence) :]


def _escaped(text: str, at: int) -> bool:
    before = text[1:at]
    return (len(before) - len(before.rstrip("\\"))) % 2 == 1


@given(QUOTED, QUOTED)
def test_quoted_values_can_be_read_back(first: str, second: str) -> None:
    value, rest = read_back(f"{quote(first)}. next is {quote(second)}. ")
    assert value == first
    assert read_back(rest.removeprefix(". next is "))[0] == second


def test_an_apostrophe_moves_the_fence_and_leaves_the_text_alone() -> None:
    assert quote("plain") == "'plain'"
    assert quote("it's") == '"it\'s"'
    assert quote('it\'s "so"') == "'''it's \"so\"'''"


@given(st.text(max_size=200), st.integers(16, 60))
def test_a_cut_is_short_enough_and_only_takes_from_the_end(text: str, size: int) -> None:
    short = cut(text, size)
    assert len(short) <= size
    assert short == text or (short.endswith("…") and text.startswith(short[:-1]))


def test_a_cut_ends_at_a_word() -> None:
    assert cut("the quick brown fox jumps", 18) == "the quick brown…"
    assert cut("the quick brown fox", 19) == "the quick brown fox"
    assert cut("the quick brown fox", 16) == "the quick brown…"
    assert cut("x" * 50, 20) == "x" * 19 + "…"


@given(st.lists(st.integers(0, 50), min_size=1, max_size=5).map(sorted), st.integers(0, 300))
def test_only_the_longest_are_cut(lengths: list[int], room: int) -> None:
    limit = level(lengths, room)
    if sum(lengths) <= room:
        assert limit >= max(lengths)
    else:
        assert sum(min(length, limit) for length in lengths) <= room
        assert sum(min(length, limit + 1) for length in lengths) > room


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (["red", "it's"], "'red', \"it's\""),
        ([1, 2.0, None, True], "1, 2.0, none, True"),
        ({"text": ["red", "blue"], "label": ["1", "2"]}, "1. 'red', 2. 'blue'"),
        ({"text": ["in May", "in May", "May"], "answer_start": [3, 9, 12]}, "'in May', 'May'"),
        ([{"speaker": "A", "text": "Hi."}, {"speaker": "B", "text": "Yes?"}], "A: Hi.\nB: Yes?"),
        ({"author": "Poe", "year": 1845, "url": None}, "author: 'Poe', year: 1845"),
        ([{"a": 1, "b": ["x"]}], "{a: 1, b: ['x']}"),
    ],
)
def test_nested_values_are_readable(value: object, text: str) -> None:
    assert nested(value) == text


def test_bytes_have_no_text() -> None:
    with pytest.raises(UnrenderableError):
        nested([b"\x00"])


def test_an_output_is_one_text() -> None:
    assert single({"text": ["May", "May"], "answer_start": [1, 2]}) == "May"
    assert single([]) is None
    with pytest.raises(UnrenderableError):
        single(["May", "June"])
