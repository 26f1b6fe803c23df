"""Faults that the loopback endpoint can have: of the connection, of HTTP, and of what the model says."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

CONNECTION = ("reset", "cut", "hang", "drip", "headers", "informational")
HTTP = ("429", "500", "503", "html", "not_json", "no_choices")
CONTENT = ("truncated", "fenced", "prefixed", "python", "wrong_keys", "list", "chatty")
UNUSABLE = ("refusal", "prose")
EMPTY = ("empty", "broken")
"""Responses of status 200 without an answer: no text, and a `finish_reason` that says that the upstream broke."""
USAGE = ("missing_usage",)
SAID = {"said_429": 429, "said_502": 502}
"""Errors in the body of a response of status 200."""
QUOTA = "quota"
"""Ends everything: not one of ALL."""
ALL = CONNECTION + HTTP + tuple(SAID) + CONTENT + UNUSABLE + EMPTY + USAGE


@dataclass
class Faults:
    """A seeded share of attempts that go wrong, and faults planned for certain requests.

    What happens to an attempt depends on the seed, the request and the attempt's number alone, never on the order in
    which threads arrive.
    """

    kinds: Sequence[str] = ()
    share: float = 0.0
    seed: int = 0
    planned: dict[str, list[str]] = field(default_factory=dict)
    """Text of a prompt -> the faults of the next attempts with it, in order; "" is none. Used up."""

    def choose(self, digest: str, attempt: int, prompt: str) -> str:
        for text, faults in self.planned.items():
            if text in prompt and faults:
                return faults.pop(0)
        draw = random.Random(f"{self.seed}/{digest}/{attempt}")
        return draw.choice(list(self.kinds)) if self.kinds and draw.random() < self.share else ""


def spoil(text: str, kind: str) -> str:
    """The model's answer with a fault of form."""
    return _SPOILERS.get(kind, lambda answer: answer)(text)


def _tasks(text: str) -> list[dict[str, object]]:
    value = json.loads(text)
    return next((tasks for tasks in value.values() if isinstance(tasks, list)), [])


_SPOILERS: dict[str, Callable[[str], str]] = {
    "truncated": lambda text: text[: int(len(text) * 0.7)],
    "fenced": lambda text: f"Here you are:\n```json\n{text}\n```\n",
    "prefixed": lambda text: "\n".join(f"Task {i}: {json.dumps(task)}" for i, task in enumerate(_tasks(text), 1)),
    "python": lambda text: repr(json.loads(text)),
    "wrong_keys": lambda text: text.replace('"input_fields"', '"Input Fields"').replace('"output_field"', '"outputs"'),
    "list": lambda text: json.dumps(_tasks(text)),
    "chatty": lambda text: f"Sure! I looked at [both rows] and {{so}} suggest: {text} Hope this helps.",
    "prose": lambda text: "The fields could be used in many ways, for example for classification.",
    "empty": lambda text: "",
    "broken": lambda text: text[:20],
}
