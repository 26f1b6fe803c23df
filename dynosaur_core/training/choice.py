"""What `dynosaur finetune` is asked for: the fields are the options of the command and of the flow's form."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.training.recipes import Recipe, Value, recipe


class FinetuneChoice(BaseModel):
    """One training."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)

    data: str = ""
    """What is learnt: the folder of a mixture or of a release, or a file (.parquet, .jsonl) with instruction, input and
    output, with messages, or in the form of tk-instruct."""
    out: str = ""
    """Folder of the training: the same command goes on with what lies there."""
    recipe: str = "smollm2-135m-lora"
    """A recipe of --recipes."""
    values: dict[str, Value] = {}
    """Values that go before the recipe's."""
    save_steps: int = Field(default=500, ge=1)
    """Steps after which a checkpoint is written."""
    save_minutes: float = Field(default=10.0, gt=0)
    """Minutes after which a checkpoint is written."""

    def chosen(self) -> Recipe:
        """The recipe with its values. Raises BadSetting where data or out are not named, and for what is no recipe."""
        for name, what in (("data", "a mixture, a release or a file"), ("out", "the folder of the training")):
            if not getattr(self, name):
                raise DynosaurError(Code.BAD_SETTING, f"name {what} with --{name}")
        return recipe(self.recipe, self.values)
