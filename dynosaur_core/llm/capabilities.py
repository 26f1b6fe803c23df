"""What an endpoint takes, for each model that it is asked for: found out by asking, and kept in the store."""

from __future__ import annotations

import json
from dataclasses import replace

from dynosaur_core.digest import digest
from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.llm.adapter import Adapter
from dynosaur_core.llm.answers import Answers
from dynosaur_core.llm.request import Capability, Request, body
from dynosaur_core.llm.responses import STOP, Completion
from dynosaur_core.llm.thoughts import after_thoughts


class Capabilities:
    """The capabilities of one endpoint; shared by all threads of a process."""

    def __init__(self, adapter: Adapter, answers: Answers, api: str) -> None:
        self.adapter, self.answers, self.api = adapter, answers, api
        self._found: dict[str, Capability] = {}

    def of(self, model: str) -> Capability:
        """What is known so far."""
        if model not in self._found:
            name = "max_completion_tokens" if self.adapter.official else "max_tokens"
            kept = self.answers.capability(self._name(model))
            self._found[model] = kept or Capability(max_tokens_name=name)
        return self._found[model]

    def less(self, request: Request, capability: Capability, message: str) -> Capability:
        """The next lesser capability that leads to another body; raises ModelRequestRefused where there is none."""
        less = capability.after_refusal(message)
        while less is not None and body(request, less, self.api) == body(request, capability, self.api):
            less = less.after_refusal(message)
        if less is None:
            raise DynosaurError(Code.MODEL_REQUEST_REFUSED, message)
        return less

    def learn(self, request: Request, capability: Capability, answer: Completion) -> None:
        """Keeps what a first answer shows of a model; one that ignores a schema is asked for text from then on."""
        if not request.schema:  # it shows nothing of the forms that designers and judge ask for
            self._found[request.model] = replace(capability, known=True)
            return
        structured = capability.structured
        if structured != "text" and answer.finish_reason == STOP and answer.refusal is None:
            try:
                value = json.loads(after_thoughts(answer.text))
            except (ValueError, RecursionError):
                value = None
            if not (isinstance(value, dict) and set(request.schema["required"]) <= set(value)):
                structured = "text"
        self._found[request.model] = replace(capability, structured=structured, known=True)
        self.answers.remember(self._name(request.model), self._found[request.model])

    def _name(self, model: str) -> str:
        return digest(self.adapter.base_url, model, self.api)
