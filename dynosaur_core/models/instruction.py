"""What the designers give, and what it costs."""

from __future__ import annotations

from dynosaur_core.models.base import ListOutput, Mode, Rejection, Stored, added
from dynosaur_core.text import Line, Name, Said, Text


class Usage(Stored):
    """What one or more LLM answers cost."""

    requests: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    """The part of prompt_tokens that the endpoint read from its cache."""
    completion_tokens: int = 0
    cost_usd: float | None = 0.0
    """US dollars; None when the model has no known price."""

    def __add__(self, other: Usage) -> Usage:
        unknown = self.cost_usd is None or other.cost_usd is None
        return Usage(
            requests=self.requests + other.requests,
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            cached_tokens=self.cached_tokens + other.cached_tokens,
            completion_tokens=self.completion_tokens + other.completion_tokens,
            cost_usd=None if unknown else (self.cost_usd or 0.0) + (other.cost_usd or 0.0),
        )


class TaskDesign(Stored):
    """A task as its designer gave it, not judged yet. `malformed` says what could not be read of it."""

    instruction: Text = ""
    input_fields: tuple[Name, ...] = ()
    output_fields: tuple[Name, ...] = ()
    malformed: Line | None = None
    list_output: ListOutput | None = added(None)
    """What the designer said of an output that is a list; None where it said nothing."""
    label_words: tuple[tuple[Name, Name], ...] = added(())
    """Labels of the output, each with the words that stand for it in records."""


class Proposal(Stored):
    """One designer's answer for one subset and mode."""

    config: Name
    mode: Mode
    request_digest: Name
    """Digest of the exact request; for Mode.RULES of what the rules read."""
    model: Text
    designs: tuple[TaskDesign, ...]
    shown_fields: tuple[Name, ...]
    """The fields that the designer was shown."""
    raw: Said = ""
    finish_reason: Text | None = None
    problem: Rejection | None = None
    """Why the answer as a whole gave no designs (unparsable, refusal, ...)."""
    usage: Usage = Usage()
    """What was spent for it, in the run that spent it."""
