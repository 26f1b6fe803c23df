"""The faults that the judge looks for, and the JSON schema of its answer."""

from __future__ import annotations

from typing import Any

from dynosaur_core.reasons import Reason

VERDICTS = "verdicts"
NONE = "none"
"""The word for a task with nothing wrong."""
FAULTS: dict[Reason, str] = {
    Reason.SWAPPED: "it asks for what an input holds, or takes the output for given",
    Reason.MULTIPLE_OUTPUTS: "it asks for more than the output field holds, such as an answer and its grounds",
    Reason.CONTRADICTION: "it asks for the opposite of the outputs, such as a wrong answer where they are right",
    Reason.WRONG_LABELS: "the answers that it names or explains are not those of the outputs, or are mixed up",
    Reason.MISMATCH: "it asks for something else than the outputs are: another property, part, kind or language",
    Reason.ROW_SPECIFIC: "it speaks of particulars of one row (a person, number, subject) and does not fit the others",
    Reason.TRIVIAL_COPY: "an input already is the output, alike or in another encoding, so that nothing is to be read "
    "or thought about; an answer that has to be found in a text is no copy",
    Reason.MISSING_INPUT: "the inputs lack what the instruction speaks of, or what the output depends on, so that a "
    "learner can only guess",
    Reason.NOT_DERIVABLE: "nobody could give the output from the inputs, whatever they know: a score, a name, a label "
    "that nothing points to",
    Reason.BOOKKEEPING_OUTPUT: "the output is an id, link, file name or the like",
}
"""The reasons in their order of precedence, as the prompt explains them."""


def verdict_schema() -> dict[str, Any]:
    """The strict form of OpenAI, the same for every request: a grammar is compiled once."""
    text, texts = {"type": "string"}, {"type": "array", "items": {"type": "string"}}
    fields = _closed({"input_fields": texts, "output_field": text})
    verdict = {
        "task": {"type": "integer"},
        "thought": text,
        "reason": {"type": "string", "enum": [NONE, *FAULTS]},
        "mended": {"anyOf": [{"type": "null"}, text, fields]},
    }
    return _closed({VERDICTS: {"type": "array", "items": _closed(verdict)}})


def _closed(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
