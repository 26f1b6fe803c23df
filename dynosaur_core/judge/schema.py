"""The faults that the judge looks for, and the JSON schema of its answer."""

from __future__ import annotations

from typing import Any

from dynosaur_core.llm.schemas import closed
from dynosaur_core.reasons import Reason

VERDICTS = "verdicts"
NONE = "none"
"""The word for a task with nothing wrong."""
FAULTS: dict[Reason, str] = {
    Reason.SWAPPED: "asks for an input, or takes the output for given",
    Reason.MULTIPLE_OUTPUTS: "asks for more than the output holds",
    Reason.CONTRADICTION: "asks for the opposite of the outputs",
    Reason.WRONG_LABELS: "names or explains answers that the outputs are not",
    Reason.MISMATCH: "asks for another property, part, kind or language than the outputs are",
    Reason.ROW_SPECIFIC: "speaks of particulars of one row",
    Reason.TRIVIAL_COPY: "an input already is the output, alike or encoded (an answer found in a text is no copy)",
    Reason.MISSING_INPUT: "instruction or output depend on what is not among the inputs",
    Reason.NOT_DERIVABLE: "nobody could tell the output: a score, name or label that nothing points to",
    Reason.BOOKKEEPING_OUTPUT: "the output is an id, link or file name",
}
"""The reasons in their order of precedence, as the prompt explains them."""


def verdict_schema() -> dict[str, Any]:
    """The strict form of OpenAI, the same for every request: a grammar is compiled once."""
    text = {"type": "string"}
    reason = {"type": "string", "enum": [NONE, *FAULTS]}
    verdict = closed({"task": {"type": "integer"}, "thought": text, "reason": reason, "mended": text})
    return closed({VERDICTS: {"type": "array", "items": verdict}})
