"""The closed lists of codes and reasons: complete, and each produced by some test."""

from __future__ import annotations

import ast
import re
from enum import StrEnum
from functools import cache
from pathlib import Path

import pytest

from dynosaur_core.errors import ERRORS, Code, Endpoint, Retrier
from dynosaur_core.reasons import REASONS, Reason

TESTS = Path(__file__).parent


@cache
def claims() -> frozenset[str]:
    """What tests expect: `Code.X` and `Reason.X` in their code; texts that are a value, hold `Value: words` or end with
    `refused: value`. No docstring counts."""
    found: set[str] = set()
    for path in TESTS.rglob("test_*.py"):
        if path == Path(__file__):
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                found.add(f"{node.value.id}.{node.attr}")
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
                found.update((node.value, *re.findall(r"[A-Z]\w+(?=:|$)|(?<=refused: )\w+$", node.value)))
    return frozenset(found)


def test_every_code_has_a_policy() -> None:
    assert list(Code) and set(ERRORS) == set(Code)


@pytest.mark.parametrize("code", Code)
def test_a_policy_is_complete_and_does_not_contradict_itself(code: Code) -> None:
    policy = ERRORS[code]
    assert re.fullmatch(r"[A-Z].{10,}\.", policy.advice)
    assert policy.nights >= 1
    assert policy.transient or policy.retried_by is Retrier.NOBODY  # at once, then also on another night
    assert not (policy.withdraws and policy.transient)  # what passes withdraws nothing
    assert policy.withdraws or not policy.said_of_files
    assert policy.one_config or not policy.one_strategy
    assert policy.confirmed_by is None or policy.confirmed_by in policy.advice
    if policy.endpoint is Endpoint.CLOSED:
        assert policy.stops_growth and policy.retried_by is Retrier.NOBODY


def test_every_reason_has_its_sentence() -> None:
    assert list(Reason) and set(REASONS) == set(Reason)
    assert len(set(REASONS.values())) == len(REASONS)
    for sentence in REASONS.values():
        assert re.fullmatch(r"[a-z].{8,}[^.]", sentence)


@pytest.mark.parametrize("member", [*Code, *Reason])
def test_a_code_or_reason_is_produced_by_some_test(member: StrEnum) -> None:
    """Whoever adds one writes the test that meets it; one that no test meets may be dead."""
    assert {f"{type(member).__name__}.{member.name}", member.value} & claims()
