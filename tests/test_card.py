"""card and plain_yaml: headers from strangers, read within limits."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from dynosaur_core.card import Card, citation, decode_card, parse_card, web_address
from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.plain_yaml import MAX_DEPTH, BadYamlError, read_yaml

BOMB = "\n".join(
    ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    + ["license: *a8"]
)


def refusal(header: str) -> str:
    with pytest.raises(DynosaurError) as caught:
        parse_card(f"---\n{header}\n---\n# x\n")
    assert caught.value.code is Code.UNREADABLE_CARD
    return caught.value.message


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("a: b\nlicense: !!bool maybe", "at line 3: it holds a value with the tag"),
        ('license: !!int ""', "at line 2: it holds a value with the tag"),
        ('license: !!timestamp "x"', "at line 2: it holds a value with the tag"),
        ("license: !!float x", "at line 2"),
        ("license: !!python/object/apply:os.system [ls]", "at line 2: it holds a value with the tag"),
        ("license: !local x", "at line 2"),
        ("license: !!set {a, b}", "at line 2"),
        ("license: &x [*x]", "at line 2: the alias *x names nothing"),
        ("license: &x {a: [{b: *x}]}", "at line 2"),
        ("license: *x", "at line 2"),
        (BOMB, "at line 7: it holds more than"),
        ("x: " + "[" * 100_000 + "]" * 100_000, "at line 2: it is nested deeper"),
        ("x: " + "{a: " * 100_000, "at line 2: it is nested deeper"),
        ("x:\n" + "\n".join(" " * n + "-" for n in range(1, 200)), "it is nested deeper"),
        ("a: b\n\tc: d", "at line 3"),
        ('a: b\nc: "\\ud83d\\ude00"', "at line 3"),
        ("a: b\nc: \x07", "at line 3: it holds a character"),
        ("a: b\n? [c]\n: d", "at line 3: a key is no text"),
        ("a: &x {b: c}\nd: {<<: *x}", "at line 3: it holds a merge key"),
        ("%TAG ! x\na: b", "at line 2: it holds a YAML directive"),
        ("a: b\n...\n", "the header"),
        ("- a", "is not a mapping"),
        ("a: {", "at line"),
    ],
)
def test_parse_card_refuses_a_header_with_its_line(header: str, words: str) -> None:
    if header.startswith("a: b\n..."):
        assert parse_card(f"---\n{header}---\n").data == {"a": "b"}
    else:
        assert words in refusal(header)


@pytest.mark.parametrize(
    "text", ["---\nlicense: mit\n# x\n", "---\r\n\r\nlicense: mit\r\n", "\ufeff--- \nlicense : mit"]
)
def test_parse_card_refuses_a_header_without_an_end(text: str) -> None:
    with pytest.raises(DynosaurError, match="has no end"):
        parse_card(text)


def test_parse_card_reads_what_begins_with_a_rule_as_text() -> None:
    assert parse_card("---\n# Summary\nA set of texts.\n").section("summary") == "A set of texts."


def test_parse_card_keeps_words_as_they_are_written() -> None:
    header = "language: no\nversion: 1.10\nwhen: 2022-01-02\nempty: ~\nlist: [yes, 0x1F, !!int 7]\nquoted: 'null'"
    data = parse_card(f"---\n{header}\n---\n").data
    assert data == {
        "language": "no",
        "version": "1.10",
        "when": "2022-01-02",
        "empty": None,
        "list": ["yes", "0x1F", "7"],
        "quoted": "null",
    }


def test_decode_card_refuses_utf_16() -> None:
    with pytest.raises(DynosaurError, match="not UTF-8 but UTF-16"):
        decode_card("---\nlicense: mit\n---\n".encode("utf-16"))


# PyYAML writes U+0085 as it is, and reads it as a line break.
VALUES = st.recursive(
    st.none()
    | st.text(st.characters(codec="utf-8", exclude_categories=["Cs"], exclude_characters="\x85"), max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc", min_size=1, max_size=5), inner),
    max_leaves=20,
)


@given(VALUES)
def test_read_yaml_reads_what_was_written(value: object) -> None:
    assert read_yaml(yaml.safe_dump(value, allow_unicode=True)) == value


@given(st.text("abc&*![]{}<>:,-?|%@\"' \n\t#~.\\01"))
def test_read_yaml_returns_or_refuses(text: str) -> None:
    try:
        read_yaml(text)
    except BadYamlError as error:
        assert error.line is None or 1 <= error.line <= text.count("\n") + 2


def test_read_yaml_allows_depth_up_to_its_limit() -> None:
    assert read_yaml("[" * MAX_DEPTH + "]" * MAX_DEPTH) is not None


@pytest.mark.parametrize(
    ("value", "address"),
    [
        ("https://example.org/a?b=c", "https://example.org/a?b=c"),
        (" http://example.org ", "http://example.org"),
        ("javascript:alert(1)", None),
        ("JavaScript://example.org/%0aalert(1)", None),
        ("data:text/html,x", None),
        ("//example.org", None),
        ("https://", None),
        ("https://[", None),
        ("https://example.org/ a", None),
        ("https://example.org/\u202e", None),
        ("https://example.org/" + "a" * 2_000, None),
        (["https://example.org"], None),
        (None, None),
    ],
)
def test_web_address_is_one_of_the_web(value: object, address: str | None) -> None:
    assert web_address(value) == address


def test_citation_reaches_to_the_last_brace() -> None:
    text = "as follows\n@article{x, title={A}}\nand {more} of it"
    assert citation(Card(sections={"citation": text})) == "@article{x, title={A}}\nand {more}"
    assert citation(Card(sections={"citation": "} @article{x"})) is None


def test_sections_are_without_comments() -> None:
    body = "a <!-- b\n--> c <!-- d --> e <!-- f"
    assert parse_card(f"# Summary\n{body}").section("summary") == "a  c  e <!-- f"
