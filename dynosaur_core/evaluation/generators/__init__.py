"""Generators: prompts become texts. Greedy, so that the same prompt gets the same text."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from typing import NamedTuple, Protocol

from dynosaur_core.evaluation.choice import ENDPOINT, EvaluationChoice
from dynosaur_core.models import Usage
from dynosaur_core.settings import Settings


class Generated(NamedTuple):
    """What a model wrote for one prompt."""

    place: int
    """Of its prompt among those that were given."""
    text: str
    error: str = ""
    """The code of the error for which it wrote nothing, where that is the prompt's own."""


class Generator(Protocol):
    """A model that is evaluated."""

    name: str
    """For a person."""
    digest: str
    """Names all that its texts depend on, beside the prompt."""

    def count(self, text: str) -> int:
        """Tokens of a prompt."""

    def generate(self, prompts: Sequence[str], done: Container[int] = ()) -> Iterator[Generated]:
        """Yields, as they come, the texts for the prompts whose places are not in `done`.

        What a prompt gets does not depend on `done`. Raises DynosaurError; what was yielded before stays right.
        """

    def usage(self) -> Usage | None:
        """What an endpoint was paid in this run; None for models on this machine."""


def open_generator(choice: EvaluationChoice, settings: Settings) -> Generator:
    """The generator that a choice names. A model on this machine is loaded when it is first asked.

    Raises BadSetting for a model that is not there, and for an extra that is not installed.
    """
    kind, _, model = choice.model.partition(":")
    if kind == ENDPOINT:
        from dynosaur_core.evaluation.generators.endpoint import open_endpoint

        return open_endpoint(model or settings.model, choice.new_tokens, settings)
    from dynosaur_core.evaluation.generators.local import open_local

    return open_local(choice.model, choice.new_tokens, choice.batch, choice.dtype)
