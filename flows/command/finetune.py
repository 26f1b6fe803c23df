"""`dynosaur finetune`: a model trained on what was grown."""

from __future__ import annotations

import inspect
import logging
import os
from collections.abc import Callable
from functools import partial, wraps
from typing import Annotated, Any, get_args

import typer

from dynosaur_core.training.choice import FinetuneChoice
from dynosaur_core.training.recipes import Recipe, recipes
from flows.command.arguments import AsJson, help_of, json_text, option_of, print_json
from flows.options import checked

app = typer.Typer()
_METAVARS = {int: "N", float: "X", str: "NAME"}


_option = partial(option_of, FinetuneChoice)


def with_values(*but: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Adds an option for each value of a recipe but these; the command is handed those that were given as `values`."""
    names = [name for name in Recipe.model_fields if name not in ("note", *but)]

    def adding(command: Callable[..., None]) -> Callable[..., None]:
        @wraps(command)
        def run(**given: Any) -> None:
            values = {name: value for name in names if (value := given.pop(name)) is not None}
            command(**given, values=values)

        known = inspect.signature(command, eval_str=True)
        kept = [parameter for parameter in known.parameters.values() if parameter.name != "values"]
        more = [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=_annotation(name))
            for name in names
        ]
        run.__signature__ = known.replace(parameters=[*kept, *more])  # type: ignore[attr-defined]
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in [*kept, *more]}
        return run

    return adding


def _annotation(name: str) -> Any:
    kind: Any = Recipe.model_fields[name].annotation
    metavar = next((_METAVARS[each] for each in (kind, *get_args(kind)) if each in _METAVARS), None)
    return Annotated[kind | None, typer.Option(metavar=metavar, help=f"Of the recipe: {help_of(name, Recipe)}")]


@app.command()
@with_values()
def finetune(
    *,
    data: Annotated[str | None, _option("data", "PLACE")] = None,
    out: Annotated[str | None, _option("out", "FOLDER")] = None,
    recipe: Annotated[str | None, _option("recipe", "NAME")] = None,
    list_recipes: Annotated[bool, typer.Option("--recipes", help="List the recipes with their values.")] = False,
    save_steps: Annotated[int | None, _option("save_steps", "N")] = None,
    save_minutes: Annotated[float | None, _option("save_minutes", "MINUTES")] = None,
    as_json: AsJson = False,
    values: dict[str, Any],
) -> None:
    """Train a model on what was grown, by a recipe."""
    if list_recipes:
        _list(as_json)
        return
    given = {
        "data": data,
        "out": out,
        "recipe": recipe,
        "save_steps": save_steps,
        "save_minutes": save_minutes,
        "values": values,
    }
    choice = checked(FinetuneChoice, {name: value for name, value in given.items() if value is not None})
    summary = _run(choice)
    if os.environ.get("RANK", "0") != "0":
        return
    if as_json:
        print_json(summary)
        return
    from flows.command.screen import Screen

    screen = Screen()
    screen.line(summary.sentence())
    for reason, count in summary.left_out.items():
        screen.indented(f"{count:,} rows are left out: {reason}")
    screen.next_steps([f"look at {summary.out}/loss.png; train the next stage with --model {summary.out}"])


def _list(as_json: bool) -> None:
    if as_json:
        typer.echo(json_text({name: found.model_dump(mode="json") for name, found in recipes().items()}))
        return
    from flows.command.screen import Screen

    screen = Screen()
    for name, found in recipes().items():
        what = f"adapter of rank {found.lora_rank}" if found.lora_rank else "all weights"
        screen.line(f"{name}: {found.note}")
        screen.indented(
            f"{found.model}, {what}; batch {found.batch}, learning rate {found.learning_rate:g} ({found.schedule}), "
            f"{found.epochs:g} epochs, length {found.length}"
        )


def _run(choice: FinetuneChoice) -> Any:
    """Of the processes that `accelerate launch` starts the first alone is a flow run."""
    from dynosaur_core.training.finetune import checked_recipe
    from dynosaur_core.training.finetune import finetune as train
    from flows.command.verbose import show_logs

    checked_recipe(choice)  # what is wrong ends here, before a flow run exists
    if os.environ.get("RANK", "0") != "0":
        return train(choice)
    show_logs(logging.INFO)
    from flows.finetune import finetune as flow
    from flows.progress import Trained, listening

    made: list[Any] = []
    with listening(lambda event: made.append(event.summary) if isinstance(event, Trained) else None):
        state = flow(choice, return_state=True)
    if not made:
        error = state.result(raise_on_failure=False)
        raise error if isinstance(error, BaseException) else RuntimeError(state.message)
    return made[0]
