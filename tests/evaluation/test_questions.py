"""Prompts within a number of tokens: first the examples go, then the middle of the input, never the question's ends."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from dynosaur_core.evaluation.questions import Question, ask
from dynosaur_core.suites.suite import Instance

EXAMPLES = (("one two", "three"), ("four five", "six"))


def count(text: str) -> int:
    return len(text.split())


def asked(
    given: str, most: int, examples: int = 2, instruction: str = "Say it."
) -> tuple[list[Question], Counter[str]]:
    left_out: Counter[str] = Counter()
    instance = Instance("1", "t", instruction, given, ("x",), EXAMPLES)
    return ask([instance], "tk-instruct", examples, most, count, left_out), left_out


def test_ask_shows_the_examples_that_fit() -> None:
    shown = []
    for most in (31, 30, 22, 21, 13):
        [question], _ = asked("seven eight", most)
        shown.append(question.examples)
        assert not question.cut and "Input: seven eight." in question.prompt
    assert shown == [2, 1, 1, 0, 0] and asked("seven eight", 12)[0] == []
    [question], _ = asked("seven eight", 100, examples=1)
    assert question.examples == 1 and "Positive Example 2" not in question.prompt


def test_ask_cuts_the_middle_of_a_long_input() -> None:
    words = [f"w{at}" for at in range(400)]
    [question], left_out = asked(f"Question: who? {' '.join(words)} Answer now", 40)
    assert question.cut and question.examples == 0 and not left_out
    assert count(question.prompt) <= 40
    assert "Input: Question: who? w0" in question.prompt and "w399 Answer now.\nOutput: " in question.prompt
    assert " ... " in question.prompt and question.prompt.startswith("Definition: Say it.")


def test_ask_leaves_out_what_an_instruction_leaves_no_room_for() -> None:
    questions, left_out = asked("word " * 90, 40, instruction="long " * 60)
    assert questions == [] and left_out == {"instances whose instruction leaves no room in 40 tokens": 1}
    assert asked("short", 40, instruction="long " * 60)[0] == []


@given(st.text(max_size=300), st.integers(12, 60))
def test_ask_never_goes_over_the_limit(given: str, most: int) -> None:
    questions, left_out = asked(given, most)
    assert len(questions) + left_out.total() == 1
    for question in questions:
        assert count(question.prompt) <= most and question.prompt.endswith("\nOutput: ")
        assert question.cut or given.strip() in question.prompt
