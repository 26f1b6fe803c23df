"""No pattern or parser over text from outside takes more than its length: ten times as much text, ten times as long."""

from __future__ import annotations

import contextlib
import importlib
import pkgutil
import random
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import dynosaur_core
from dynosaur_core.card import Card, citation, listing_fields, parse_card
from dynosaur_core.catalog.splits import split_role
from dynosaur_core.instruction.parse import parse_answer
from dynosaur_core.llm.literals import find_literals
from dynosaur_core.llm.prices import MAX_COUNTED_CHARS, count_tokens
from dynosaur_core.plain_yaml import BadYamlError, read_yaml
from dynosaur_core.policy import licenses

RATIO = 30
"""Ten would be linear; a hundred is quadratic."""
ATTEMPTS = 4
"""A machine at work on other things disturbs some of them, a quadratic pattern fails all."""
NOTHING_S = 0.0002
"""What takes less for the short text is not compared: it would take a second for a text of a million characters."""


def seconds(read: Callable[[str], Any], text: str, times: int) -> float:
    """CPU seconds of the fastest run."""
    taken = []
    for _ in range(times):
        start = time.process_time()
        read(text)
        taken.append(time.process_time() - start)
    return min(taken)


def assert_linear(read: Callable[[str], Any], unit: str, chars: int, before: str = "", after: str = "") -> None:
    short, long = (f"{before}{unit * (n // len(unit))}{after}" for n in (chars, chars * 10))
    if seconds(read, short, 1) < NOTHING_S:
        return
    ratios = []
    for _ in range(ATTEMPTS):
        one = seconds(read, short, 3)
        if one < NOTHING_S:
            return
        ratios.append(seconds(read, long, 1) / one)
        if ratios[-1] < RATIO:
            return
    raise AssertionError(f"ten times as much of {unit!r} takes {min(ratios):.0f} times as long")


CARDS = [
    "a <!--",
    "<!-- -->",
    "@a{",
    "> ",
    "> a\n",
    "- ",
    "- a\n",
    "[a]: \n",
    "[a\n",
    "```\n",
    "# a\n",
    "a\n=\n",
    "a\n",
    "*a_",
]
CARDS += [
    "<div>\n",
    "<a \n",
    "![a](",
    "`a",
    "[(todo",
    "\t",
    "\n",
    "1. a\n",
    "    a\n",
    "> a\nb\n",
    "<![CDATA[\n",
    "--- \n",
]


@pytest.mark.parametrize("unit", CARDS)
def test_parse_card_is_linear(unit: str) -> None:
    assert_linear(parse_card, unit, 5_000, before="# a\n")


@pytest.mark.parametrize("unit", ["@a{", "@a", "@a ", "{", "}", "@"])
def test_citation_is_linear(unit: str) -> None:
    assert_linear(lambda text: citation(Card(sections={"citation": text})), unit, 5_000)


def test_listing_fields_is_linear() -> None:
    assert_linear(lambda text: listing_fields(Card(data={"license": text.split()})), "ab ", 20_000)


YAML = [
    "a: b\n",
    "- a\n",
    "- &a b\n",
    "- *x\n",
    "[",
    "{a: ",
    "? ",
    "- ",
    "'",
    '"',
    "| ",
    "%TAG ! a\n",
    "!",
    "&a ",
    ": ",
    "#",
    "\t",
]
YAML += ["1:", "<<: *x\n", "a\n", "- [a, b]\n", "- {a: b}\n", "a,"]


@pytest.mark.parametrize("unit", YAML)
def test_read_yaml_is_linear(unit: str) -> None:
    def read(text: str) -> None:
        with contextlib.suppress(BadYamlError):
            read_yaml(text)

    assert_linear(read, unit, 5_000, before="x: &x [a]\n" if "*x" in unit else "")


TEXTS = [
    "[",
    "{",
    '["a",',
    '{"a":',
    '{"',
    "[[]",
    "{}",
    "[1,",
    "(",
    '["\\',
    "<think>",
    "sorry ",
    "```",
    "cc by ",
    "cc ",
    "Aa",
]
TEXTS += ["license ", "creative commons ", "public domain ", "non ", "_ ", " ", "a", "1.", "\\"]
READERS: dict[str, Callable[[str], Any]] = {
    "find_literals": find_literals,
    "parse_answer": lambda text: parse_answer(text, ["a", "b"]),
    "licenses.read_text": licenses.read_text,
    "licenses.normalise": licenses.normalise,
    "split_role": split_role,
}


@pytest.mark.parametrize("name", READERS)
def test_readers_are_linear(name: str) -> None:
    for unit in TEXTS:
        assert_linear(READERS[name], unit, 4_000)


@pytest.mark.parametrize("unit", ["abcdefghij", "日本語学校東京駅前", "[]{}()<>!?", "e\u0301a\u0300", "ABab", "\n/\r"])
def test_count_tokens_is_linear_over_unbroken_runs(unit: str) -> None:
    order = random.Random(1)
    # other letters each time: the tokenizer knows a word that it has seen
    assert_linear(lambda text: count_tokens("".join(order.sample(text, len(text)))), unit, 1_000)


def test_count_tokens_reads_a_bounded_text() -> None:
    assert seconds(count_tokens, "a b. " * MAX_COUNTED_CHARS, 3) < 60 * seconds(count_tokens, "a b. " * 10_000, 3)


@pytest.mark.parametrize("before", ["", "<|channel|>final<|message|>"])
def test_parse_answer_is_bounded_over_many_beginnings(before: str) -> None:
    for unit in ("[", "<|channel|>analysis<|message|>x"):
        assert_linear(READERS["parse_answer"], unit, 60_000, before, '{"tasks": []}')


def patterns() -> Iterator[tuple[str, re.Pattern[str]]]:
    """All compiled patterns that stand in a module, also those in its tables."""
    for module in pkgutil.walk_packages(dynosaur_core.__path__, "dynosaur_core."):
        if module.name.endswith((".zygote", ".local_model")) or ".migrations" in module.name:
            continue
        for name, value in vars(importlib.import_module(module.name)).items():
            values = list(value.values()) if isinstance(value, dict) else value
            for part in values if isinstance(values, list | tuple) else [values]:
                for found in part if isinstance(part, list | tuple) else [part]:
                    if isinstance(found, re.Pattern) and isinstance(found.pattern, str):
                        yield f"{module.name}.{name}", found


UNITS = [
    " ",
    "a",
    "a ",
    "\n",
    '"',
    "'",
    "\\",
    '"a',
    "[",
    "{",
    "(",
    "`a",
    "a_",
    "Aa",
    "1.",
    "1 ",
    "-",
    "=",
    "a.b",
    "<!--",
    "@a",
    "#",
]
UNITS += [
    "the ",
    "the other ",
    "between ",
    "and ",
    "? ",
    "a,",
    "A B ",
    "either ",
    "input_",
    "scale ",
    "from ",
    "0 to ",
    "x[",
    "def a",
]
UNITS += ["split ", "into ", "sentence ", "whether ", '"a": ', "\t", "---", "<think>"]


_MATCHED = (r"\W*", r"\s*", r"\s{0,", r"\A", "^")
"""How patterns begin that are only held against the beginning of a text."""


def test_patterns_are_found() -> None:
    assert len({pattern.pattern for _, pattern in patterns()}) > 30


@pytest.mark.parametrize("part", range(8))
def test_patterns_are_linear(part: int) -> None:
    found = {pattern.pattern: (name, pattern) for name, pattern in patterns()}
    for name, pattern in list(found.values())[part::8]:
        for unit in UNITS:
            for before, after in (("", ""), ('"', "!"), ("---\n", "x")):

                def read(text: str, pattern: re.Pattern[str] = pattern) -> None:
                    pattern.match(text)
                    if not pattern.pattern.startswith(_MATCHED):
                        sum(1 for _ in pattern.finditer(text))

                try:
                    assert_linear(read, unit, 2_000, before, after)
                except AssertionError as error:
                    raise AssertionError(f"{name} {pattern.pattern!r} over {unit!r}") from error
