"""How an instruction and its input are put before a model: the same when it is trained and when it is measured."""

from __future__ import annotations

import string
from collections.abc import Callable, Sequence
from typing import Literal

PromptForm = Literal["tk-instruct", "plain"]
DEFAULT_PROMPT: PromptForm = "tk-instruct"
Example = tuple[str, str]
"""(input, output)"""


def _ended(text: str) -> str:
    """A text that ends in a punctuation mark, as Tk-Instruct ends its parts."""
    text = text.strip()
    return text if text.endswith(tuple(string.punctuation)) else f"{text}."


def _tk_instruct(instruction: str, given: str, examples: Sequence[Example]) -> str:
    """The format of Tk-Instruct: Wang et al., EMNLP 2022, arXiv 2204.07705."""
    shown = "".join(
        f" Positive Example {number} -\nInput: {_ended(question)}\n Output: {_ended(answer)}\n\n"
        for number, (question, answer) in enumerate(examples, start=1)
    )
    asked = f"Now complete the following example -\nInput: {_ended(given)}\nOutput: "
    return f"Definition: {_ended(instruction)}\n\n{shown}{asked}"


def _plain(instruction: str, given: str, examples: Sequence[Example]) -> str:
    shown = "".join(f"Input:\n{question}\nAnswer:\n{answer}\n\n" for question, answer in examples)
    return f"Instruction:\n{instruction.strip()}\n\n{shown}Input:\n{given.strip()}\nAnswer:\n"


_FORMS: dict[PromptForm, Callable[[str, str, Sequence[Example]], str]] = {"tk-instruct": _tk_instruct, "plain": _plain}


def prompt(form: PromptForm, instruction: str, given: str, examples: Sequence[Example] = ()) -> str:
    """What the model reads before it writes the output; `given` is the input's text."""
    return _FORMS[form](instruction, given, examples)
