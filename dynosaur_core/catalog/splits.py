"""What a split's name says about its use."""

from __future__ import annotations

import re

from dynosaur_core.models import SplitRole

_SIZE = r"(?:set|sets|split|data|mini|small|large|lite|full|core|sub|subset|sample|easy|hard|clean|other)?"
_PARTS = r"(?:train|dev|val|valid|validation|buzz|guess|public|private|hidden|final|gold|blind|mini|small|full|sub|ood)"
_WORDS: tuple[tuple[SplitRole, re.Pattern[str]], ...] = (
    (
        "test",
        re.compile(
            rf"tests?{_SIZE}|testing|test[a-e]|testbed|testbench|{_PARTS}{{1,2}}test{_SIZE}"
            r"|evals?|evaluations?|evalset|evaluate|heldout|held|holdout|hold|challenges?|challengeset"
            r"|bench|benchmarks?|leaderboard"
        ),
    ),
    (
        "validation",
        re.compile(
            rf"validation{_SIZE}|valid{_SIZE}|val{_SIZE}|dev{_SIZE}|devel|development|train(?:val|dev|valid)"
            r"|(?:buzz|guess)(?:dev|val)"
        ),
    ),
    (
        "train",
        re.compile(
            rf"train{_SIZE}|training{_SIZE}|trn|pretrain(?:ing)?|finetun(?:e|ing)|sft|rlhf|dpo|(?:buzz|guess|sub)train"
            r"|datasets?|corpus|unsupervised|unlabell?ed|prompts?|fewshot|demonstrations?"
        ),
    ),
)
"""Words of a name, in the order in which they decide."""
_WHOLE = re.compile(r"(?:full|all|everything|complete|total|whole|main|default|data)(?:data|set|rows|samples)?")
"""Names of splits that hold all there is. As a word among others they say nothing."""


def split_role(name: str) -> SplitRole:
    """`validation_matched` -> validation, `test.clean` and `devtest` -> test, `full` -> train; of `train_test` the test
    counts. A name without a word of the table, such as `easy` or `2019`, is unknown: it may hold test rows."""
    parted = re.sub(r"([a-z])([A-Z])", r"\1_\2", name[:200])
    words = [word for word in re.split(r"[^a-z]+", parted.lower()) if word]
    joined = "".join(re.split(r"[^A-Za-z]+", name[:200])).lower()  # `TESTmini` is parted in the wrong place
    for role, known in _WORDS:
        if any(known.fullmatch(word) for word in (*words, joined)):
            return role
    return "train" if _WHOLE.fullmatch(joined) else "unknown"
