"""llm.thoughts: what stands after a model's thoughts, however they are marked."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynosaur_core.llm.thoughts import after_thoughts

DRAFT = json.dumps({"tasks": [{"instruction": "A draft."}]})
FINAL = json.dumps({"tasks": [{"instruction": "Put it between <think> and </think>."}]})


@pytest.mark.parametrize(
    "text",
    [
        FINAL,
        f"<think>{DRAFT}</think>{FINAL}",
        f"First: {DRAFT} but poor.\n</think>\n{FINAL}",
        f"<thinking>{DRAFT}</thinking>{FINAL}",
        f"<Reasoning>\n{DRAFT}</Reasoning>\n{FINAL}",
        f"<thought>{DRAFT}</thought>{FINAL}",
        f"<seed:think>{DRAFT}</seed:think>{FINAL}",
        f"[THINK]{DRAFT}[/THINK]{FINAL}",
        f"◁think▷{DRAFT}◁/think▷{FINAL}",
        f"<think>a</think>{DRAFT}</think>{FINAL}",
        f"<think>I must end with a <think> mark. {DRAFT}</think>{FINAL}",
        f'<think>{{"instruction": "Write </think>."}} no, {DRAFT}</think>{FINAL}',
        f"{FINAL}<think>Was that right? {DRAFT}</think>",
        f"{FINAL}\n<think>{DRAFT}",
        f"<|channel|>analysis<|message|>{DRAFT}<|end|><|start|>assistant<|channel|>final<|message|>{FINAL}",
        f"<|channel|>analysis<|message|>{DRAFT}<|end|><|channel|>final <|constrain|>json<|message|>{FINAL}<|return|>",
        f"{DRAFT}<|end|><|start|>assistant<|channel|>final<|message|>{FINAL}<|return|>",
        f"<|channel|>final<|message|>{FINAL}<|end|><|channel|>analysis<|message|>{DRAFT}",
        f"analysisPerhaps {DRAFT}assistantfinal{FINAL}",
    ],
)
def test_after_thoughts_leaves_the_answer(text: str) -> None:
    assert after_thoughts(text).strip() == FINAL


@pytest.mark.parametrize(
    "text", [f"<think>{DRAFT}", f"<think>{DRAFT}</think>", f"<|channel|>analysis<|message|>{DRAFT}<|end|>", "<think>"]
)
def test_after_thoughts_leaves_nothing_of_thoughts_alone(text: str) -> None:
    assert after_thoughts(text).strip() == ""


@given(st.text("{}[]\"'<think>/|channel final", max_size=80))
def test_after_thoughts_of_any_text_is_a_part_of_it(text: str) -> None:
    assert len(after_thoughts(text)) <= len(text)


@pytest.mark.parametrize(
    "part", ["<think>", "</think>", "<|channel|>analysis", '{"a": [', "{'", '{"\\"', "[1,", "<think " * 3, "analysis"]
)
def test_after_thoughts_takes_time_in_proportion(part: str) -> None:
    def spent(length: int) -> float:
        text = f"<think>{part * (length // len(part))}</think>"
        best = []
        for _ in range(3):
            began = time.process_time()
            after_thoughts(text)
            best.append(time.process_time() - began)
        return min(best)

    assert spent(60_000) < 30 * max(spent(6_000), 0.01)
