"""How a recipe renders a task: one place for publish, which makes the records, and for the judge, who reads some."""

from __future__ import annotations

from collections.abc import Callable

from dynosaur_core.models import InstructionTask
from dynosaur_core.rendering import reference, render
from dynosaur_core.rendering.columns import Columns
from dynosaur_core.rendering.render import Rendered
from dynosaur_core.settings import Publishing

RECIPES: dict[str, Callable[[InstructionTask, Columns, Publishing], Rendered]] = {
    "default": render.render,
    "reference": reference.render,
}
