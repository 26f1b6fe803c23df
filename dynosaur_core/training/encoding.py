"""Rows become tokens: what the model reads, and the output that it learns, with the token that ends it.

A row that is longer than the recipe's length loses a part of its input: all lines of it that are longer than some bound
are cut to that bound, so that a question or the options below a long passage stay. Outputs are never cut.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.evaluation.prompts import prompt
from dynosaur_core.training.manifest import Rows
from dynosaur_core.training.recipes import Recipe
from dynosaur_core.training.rows import Row

ENCODING_VERSION = 1
"""Raised where the same rows become other tokens than before."""
MASKED = -100
"""The label of a token that carries no loss."""
EMPTY_OUTPUT = "its output is empty"
LONG_OUTPUT = "its output leaves too little room, or none, for the prompt"
LONG_INPUT = "it is too long, and no line of its input is long enough to be cut"
_LEAST_LINE = 80
"""Characters of a line that are never cut: a question, an option, a label."""
_CHARS_PER_TOKEN = 16
"""More than a token has: what lies beyond so many is cut without being counted."""
_BATCH = 1_000

Progress = Callable[[int], None]


class Encoded:
    """The rows of a training as tokens, in two flat arrays: a million rows take no more than their numbers."""

    def __init__(self, *, causal: bool) -> None:
        self._causal = causal
        self._tokens = array("i")
        self._ends = array("q", [0])

    def add(self, question: Sequence[int], answer: Sequence[int]) -> None:
        for part in (question, answer):
            self._tokens.extend(part)
            self._ends.append(len(self._tokens))

    def __len__(self) -> int:
        return len(self._ends) // 2

    def __getitem__(self, at: int) -> dict[str, list[int]]:
        """input_ids, attention_mask and labels of a row. A causal model reads the output after the prompt."""
        begin, middle, end = self._ends[2 * at : 2 * at + 3]
        question, answer = self._tokens[begin:middle].tolist(), self._tokens[middle:end].tolist()
        read = question + answer if self._causal else question
        labels = [MASKED] * len(question) + answer if self._causal else answer
        return {"input_ids": read, "attention_mask": [1] * len(read), "labels": labels}

    @property
    def tokens(self) -> int:
        return len(self._tokens)


def encode(
    rows: Iterable[Row], tokenizer: Any, recipe: Recipe, *, causal: bool, progress: Progress = lambda _rows: None
) -> tuple[Encoded, Rows]:
    """All rows as tokens, in their order, and what became of them. Raises BadSetting where none is left."""
    encoded, left_out, cut, seen = Encoded(causal=causal), Counter[str](), 0, 0
    rows = iter(rows)
    while batch := list(islice(rows, _BATCH)):
        for found in _encode(batch, tokenizer, recipe, causal):
            if isinstance(found, str):
                left_out[found] += 1
            else:
                question, answer, was_cut = found
                encoded.add(question, answer)
                cut += was_cut
        seen += len(batch)
        progress(seen)
    if not len(encoded):
        why = ", ".join(f"{count:,} since {reason}" for reason, count in left_out.items()) or "there are none"
        raise DynosaurError(Code.BAD_SETTING, f"no row is left to train on: {why}")
    return encoded, Rows(used=len(encoded), cut=cut, left_out=dict(left_out), tokens=encoded.tokens)


def _encode(
    rows: list[Row], tokenizer: Any, recipe: Recipe, causal: bool
) -> Iterator[tuple[list[int], list[int], bool] | str]:
    """For each row its prompt, its output and whether it was cut, or why it is left out."""
    shown = [_bounded(row, recipe.length) for row in rows]
    prompts = _question(tokenizer, [prompt(recipe.prompt, row.instruction, row.input) for row in shown], causal)
    most = _CHARS_PER_TOKEN * recipe.length
    answers = tokenizer([row.output.strip()[:most] for row in rows], add_special_tokens=False)["input_ids"]
    for row, short, question, answer in zip(rows, shown, prompts, answers, strict=True):
        room = recipe.length - len(answer) - 1 if causal else recipe.length
        if not answer:
            yield EMPTY_OUTPUT
        elif len(row.output.strip()) > most or room <= 0 or (not causal and len(answer) + 1 > recipe.output_length):
            yield LONG_OUTPUT
        elif len(question) <= room:
            yield question, [*answer, tokenizer.eos_token_id], short is not row
        elif fitting := _cut(short, room, tokenizer, recipe, causal):
            yield fitting, [*answer, tokenizer.eos_token_id], True
        else:
            yield LONG_INPUT


def _question(tokenizer: Any, texts: list[str], causal: bool) -> list[list[int]]:
    """Prompts as the tokenizer writes them; the token that ends a text is for the output alone in a causal model."""
    found: list[list[int]] = tokenizer(texts)["input_ids"]
    if causal:
        return [ids[:-1] if ids and ids[-1] == tokenizer.eos_token_id else ids for ids in found]
    return found


def _bounded(row: Row, length: int) -> Row:
    """The row itself, or one without what cannot be among `length` tokens: a line may have megabytes."""
    bound = _CHARS_PER_TOKEN * length
    return row if len(row.input) <= bound else row._replace(input=_lines_to(row.input, bound))


def _cut(row: Row, room: int, tokenizer: Any, recipe: Recipe, causal: bool) -> list[int]:
    """The tokens of the longest prompt that fits into `room`, by bisection over the bound; empty where none does."""

    def tokens(bound: int) -> list[int]:
        return _question(tokenizer, [prompt(recipe.prompt, row.instruction, _lines_to(row.input, bound))], causal)[0]

    low, high = _LEAST_LINE, max(map(len, row.input.split("\n")))
    fitting = tokens(low) if high > low else []
    if not fitting or len(fitting) > room:
        return []
    while high - low > 1:
        middle = (low + high) // 2
        if len(found := tokens(middle)) <= room:
            low, fitting = middle, found
        else:
            high = middle
    return fitting


def _lines_to(text: str, bound: int) -> str:
    """The text with each line cut to `bound` characters."""
    return "\n".join(line[:bound] for line in text.split("\n"))
