"""What a model is asked: the prompt of each instance, within a number of tokens."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from dynosaur_core.digest import digest
from dynosaur_core.evaluation.prompts import PromptForm, prompt
from dynosaur_core.suites.suite import Instance

PROMPT_VERSION = 1
"""Raised when the same instances get other prompts."""
_GAP = " ... "
_LEAST_CHARS = 32
"""Of an input that is cut; one of which less is left is not asked."""


@dataclass(frozen=True)
class Question:
    """A prompt, and how it came to fit."""

    instance: Instance
    prompt: str
    examples: int
    """Shown ones."""
    cut: bool
    """The middle of the input was cut out."""

    @property
    def digest(self) -> str:
        return digest(self.prompt)


def ask(
    instances: Iterable[Instance],
    form: PromptForm,
    examples: int,
    most: int,
    count: Callable[[str], int],
    left_out: Counter[str],
) -> list[Question]:
    """A question for each instance whose prompt fits into `most` tokens, as `count` counts them.

    Of a longer prompt the last examples are left out first, as Tk-Instruct does. Tk-Instruct then cuts the end off,
    with the request for an output; here the middle of the input is cut, since questions stand at either of its ends.
    """
    found = []
    for instance in instances:
        if question := _ask(instance, form, examples, most, count):
            found.append(question)
        else:
            left_out[f"instances whose instruction leaves no room in {most:,} tokens"] += 1
    return found


def _ask(
    instance: Instance, form: PromptForm, examples: int, most: int, count: Callable[[str], int]
) -> Question | None:
    shown = instance.examples[:examples]
    for left in range(len(shown), -1, -1):
        asked = prompt(form, instance.instruction, instance.given, shown[:left])
        if count(asked) <= most:
            return Question(instance, asked, left, cut=False)

    def shortened(chars: int) -> str:
        return prompt(form, instance.instruction, _without_middle(instance.given, chars))

    low, high = _LEAST_CHARS, len(instance.given) - 1
    if high < low or count(shortened(low)) > most:
        return None
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if count(shortened(middle)) <= most else (low, middle - 1)
    return Question(instance, shortened(low), 0, cut=True)


def _without_middle(text: str, chars: int) -> str:
    """The first and the last words of a text, `chars` characters of it at most."""
    head, tail = text[: -(-chars // 2)], text[-(chars // 2) :]
    begun, ended = head.rpartition(" ")[0] or head, tail.partition(" ")[2] or tail
    return f"{begun.rstrip()}{_GAP}{ended.lstrip()}"
