"""What a split's name says about its use."""

from __future__ import annotations

import re

from dynosaur_core.models import SplitRole

_WORDS: dict[SplitRole, set[str]] = {
    "test": {"test", "tests", "testing", "eval", "evaluation", "heldout", "held", "holdout", "hold"}
    | {"challenge", "benchmark"},
    "validation": {"validation", "valid", "val", "dev", "development"},
}


def split_role(name: str) -> SplitRole:
    """`validation_matched` -> validation, `test.clean` -> test, `full` -> train: what is neither is training data."""
    words = set(re.split(r"[^a-z]+", re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()))
    for role, known in _WORDS.items():
        if words & known:
            return role
    return "train"
