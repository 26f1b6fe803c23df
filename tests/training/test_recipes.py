"""training.recipes: the published values, and what is refused."""

from __future__ import annotations

import pytest

from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.training.choice import FinetuneChoice
from dynosaur_core.training.recipes import recipe, recipes


@pytest.mark.parametrize(
    ("name", "batch", "learning_rate", "epochs"), [("t5-3b", 16, 1e-5, 2), ("llama-7b", 128, 3e-4, 3)]
)
def test_recipe_has_the_published_values(name: str, batch: int, learning_rate: float, epochs: float) -> None:
    found = recipe(name)
    assert (found.batch, found.learning_rate, found.epochs, found.length) == (batch, learning_rate, epochs, 512)


def test_recipes_are_all_valid_and_say_what_they_are_for() -> None:
    assert {"t5-3b", "llama-7b", "smollm2-135m-lora"} <= set(recipes())
    assert all(found.note and found.batch % found.micro_batch == 0 for found in recipes().values())


def test_recipe_takes_other_values() -> None:
    assert recipe("t5-3b", {"batch": 8, "seed": 3}) == recipe("t5-3b").model_copy(update={"batch": 8, "seed": 3})


@pytest.mark.parametrize(
    ("name", "values", "words"),
    [
        ("t5-3", {}, r"there is no recipe 't5-3'; did you mean t5-3b\?"),
        ("t5-3b", {"batch": 0}, "recipe t5-3b, batch: "),
        ("t5-3b", {"learning_rates": 1e-3}, r"did you mean learning_rate\?"),
        ("t5-3b", {"learning_rate": float("nan")}, "learning_rate: "),
        ("t5-3b", {"dtype": "float8"}, "dtype: "),
    ],
)
def test_recipe_refuses(name: str, values: dict[str, float], words: str) -> None:
    with pytest.raises(DynosaurError, match=words) as caught:
        recipe(name, values)
    assert caught.value.code is Code.BAD_SETTING


def test_choice_asks_for_data_and_a_folder() -> None:
    with pytest.raises(DynosaurError, match="with --data"):
        FinetuneChoice(out="x").chosen()
    with pytest.raises(DynosaurError, match="with --out"):
        FinetuneChoice(data="x").chosen()
