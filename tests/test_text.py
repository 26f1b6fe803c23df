"""Text from outside is storable, and known secrets are struck out of it."""

from __future__ import annotations

import base64
import io
import json
import logging
import math
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynosaur_core import secrets
from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.text import (
    MAX_ID_CHARS,
    MAX_WHOLE,
    encodable,
    is_storable_id,
    line,
    markdown_text,
    printable,
    storable,
    storable_values,
    whole_number,
)

ANY_TEXT = st.text(st.characters(codec=None), max_size=80)
KEY = "sk-proj-4f/9+Qz71xYp==Lm"


@given(ANY_TEXT)
def test_storable_text_is_utf_8_without_nul_and_stays_where_it_was_so(text: str) -> None:
    kept = storable(text)
    kept.encode()
    assert "\x00" not in kept
    assert storable(kept) == kept
    if "\x00" not in text and not any("\ud800" <= sign <= "\udfff" for sign in text):
        assert kept == text


def test_storable_joins_halves_of_an_emoji_and_cuts() -> None:
    assert storable("\ud83d\ude00") == "😀"
    assert storable("a\ud83d") == "a�"
    assert storable("a\x00b") == "a�b"
    assert storable("abcdefgh", 6) == "abc..."
    assert encodable("a\x00b\udcff") == "a\x00b�"
    assert storable_values({"a\ud83d": ["\x00", {"b": 1}]}) == {"a�": ["�", {"b": 1}]}


@pytest.mark.parametrize(
    ("text", "good"),
    [("a/b", True), ("é/ü", True), ("a" * MAX_ID_CHARS, True), ("a" * 256, False), ("", False)]
    + [(f"a/b{odd}", False) for odd in ("\x00", "\udcff", "\n", "\x1b", "\u202e")],
)
def test_is_storable_id(text: str, good: bool) -> None:
    assert is_storable_id(text) is good


@pytest.mark.parametrize(
    ("value", "number"),
    [(3, 3), (3.9, 3), (0, 0), (10**30, MAX_WHOLE), (math.inf, MAX_WHOLE)]
    + [(odd, None) for odd in (-1, -math.inf, math.nan, True, "12", None, [3])],
)
def test_whole_number_is_one_that_a_database_holds(value: object, number: int | None) -> None:
    assert whole_number(value) == number


@given(ANY_TEXT)
def test_printable_and_markdown_text_hold_nothing_that_is_obeyed(text: str) -> None:
    assert not any((ord(sign) < 32 and sign not in "\t\n") or 0x7F <= ord(sign) <= 0x9F for sign in printable(text))
    shown = markdown_text(f"{text}[x](javascript:alert(1)) <img src=x onerror=alert(1)> | `")
    assert "\n" not in shown and "<" not in shown
    assert "\\[x\\]" in shown and "\\|" in shown


@pytest.mark.parametrize(
    "form",
    [
        KEY,
        quote(KEY, safe=""),
        quote_plus(KEY),
        json.dumps(KEY)[1:-1],
        base64.b64encode(KEY.encode()).decode().rstrip("=")[:-2],
        base64.b64encode(f"user:{KEY}!".encode()).decode(),
        KEY[:16],
    ],
)
def test_strike_finds_a_key_as_it_is_quoted_encoded_and_cut(form: str) -> None:
    secrets.remember(KEY)
    struck = secrets.strike(f"you sent {form} to us")
    assert secrets.STRUCK in struck
    for part in (KEY[:12], KEY[-12:], form[3:-3] if len(form) > 20 else form):
        assert part not in struck


@pytest.mark.parametrize(
    ("shown", "left"),
    [
        (f"{KEY[:10]}...{KEY[-4:]}", f"[secret]...{KEY[-4:]}"),
        (f"{KEY[:8]}****", "[secret]****"),
        (f"{KEY[:12]}\u2026", "[secret]\u2026"),
        (f"{KEY[:10].upper()}**", "[secret]**"),
        (KEY.lower(), "[secret]"),
        (KEY.swapcase(), "[secret]"),
        (KEY[-20:], "[secret]"),
        (KEY[-24:].upper(), "[secret]"),
        (f"\u0130 {KEY[:9]}... \u0130", "\u0130 [secret]... \u0130"),
        (f"{KEY[:7]}... {KEY[:8]} {KEY[:8]}. {KEY[-7:]}", f"{KEY[:7]}... {KEY[:8]} {KEY[:8]}. {KEY[-7:]}"),
    ],
)
def test_strike_finds_a_key_that_is_masked_or_in_another_case(shown: str, left: str) -> None:
    secrets.remember(KEY)
    assert secrets.strike(f"sent {shown} {shown}") == f"sent {left} {left}"


def test_strike_knows_the_environment_and_passwords_in_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {
        "HF_TOKEN": "hf_aaaabbbbccccdddd",
        "AWS_SECRET_ACCESS_KEY": "awsawsawsaws/secret",
        "PREFECT_API_DATABASE_CONNECTION_URL": "postgresql+asyncpg://me:pg-pass-word@db/x",
        "DYNOSAUR_LLM__MAX_OUTPUT_TOKENS": "12345678",
        "OPENAI_API_KEY": "local",
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    secrets.remember("postgresql://me:remembered-one@db/ledger")
    said = "hf_aaaabbbbccccdddd awsawsawsaws/secret pg-pass-word remembered-one 12345678 local redis://u:pw@h/0"
    assert secrets.strike(said) == " ".join([secrets.STRUCK] * 4) + " 12345678 local redis://u:[secret]@h/0"


def test_errors_and_log_records_hold_no_secret() -> None:
    secrets.remember(KEY)
    secrets.strike_logs()
    error = DynosaurError(Code.MODEL_REQUEST_REFUSED, f"bad key {KEY}\x00")
    assert str(error) == "ModelRequestRefused: bad key [secret]�"
    assert KEY not in repr(error)
    written = io.StringIO()
    log, handler = logging.Logger("a test's own"), logging.StreamHandler(written)
    log.addHandler(handler)
    try:
        raise ValueError(f"sent {KEY}")
    except ValueError:
        log.exception("asked with %s and %d", KEY, 3)
    assert "asked with [secret] and 3" in written.getvalue() and "ValueError: sent [secret]" in written.getvalue()
    assert KEY not in written.getvalue()
    assert line("x" * 5_000).endswith("...") and len(line("x" * 5_000)) == 2_000
