"""`dynosaur continual`: replay strategies compared on a model that is trained in stages."""

from __future__ import annotations

import logging
from functools import partial
from typing import Annotated, Any

import typer

from dynosaur_core.experiment.choice import ExperimentChoice
from flows.command.arguments import AsJson, StoreUrl, option_of, print_json
from flows.command.finetune import with_values
from flows.options import Options, checked

app = typer.Typer()


_option = partial(option_of, ExperimentChoice)


@app.command()
@with_values("seed")
def continual(
    *,
    split: Annotated[str, _option("split", "FOLDER")],
    out: Annotated[str, _option("out", "FOLDER")],
    strategies: Annotated[str | None, _option("strategies", "NAME,...")] = None,
    seeds: Annotated[str | None, _option("seeds", "S,...")] = None,
    tasks: Annotated[int | None, _option("tasks", "M")] = None,
    rows: Annotated[int | None, _option("rows", "N")] = None,
    recipe: Annotated[str | None, _option("recipe", "NAME")] = None,
    suite: Annotated[str | None, _option("suite", "SUITE")] = None,
    instances: Annotated[int | None, _option("instances", "N")] = None,
    held_out: Annotated[int | None, _option("held_out", "N")] = None,
    input_tokens: Annotated[int | None, _option("input_tokens", "T")] = None,
    new_tokens: Annotated[int | None, _option("new_tokens", "T")] = None,
    eval_batch: Annotated[int | None, _option("eval_batch", "N")] = None,
    store: StoreUrl = None,
    as_json: AsJson = False,
    values: dict[str, Any],
) -> None:
    """Compare replay strategies on a model trained in stages."""
    given = {
        "split": split,
        "out": out,
        "strategies": None if strategies is None else [name.strip() for name in strategies.split(",")],
        "seeds": None if seeds is None else seeds.split(","),
        "tasks": tasks,
        "rows": rows,
        "recipe": recipe,
        "suite": suite,
        "instances": instances,
        "held_out": held_out,
        "input_tokens": input_tokens,
        "new_tokens": new_tokens,
        "eval_batch": eval_batch,
        "values": values,
    }
    choice = checked(ExperimentChoice, {name: value for name, value in given.items() if value is not None})
    summary, failure = _run(choice, store)
    if as_json:
        print_json(summary)
    else:
        from flows.command.screen import Screen

        screen = Screen()
        screen.line(summary.sentence())
        if summary.runs:
            screen.next_steps([f"look at {summary.out}/comparison/README.md"])
    if failure:
        raise failure


def _run(choice: ExperimentChoice, store: str | None) -> tuple[Any, BaseException | None]:
    """The summary, and the error of the first step that failed."""
    from dynosaur_core.experiment.experiment import begin
    from flows.command.verbose import show_logs

    begin(choice, Options(store=store).settings())  # what is wrong ends here, before a flow run exists
    show_logs(logging.INFO)
    from flows.continual import continual as flow
    from flows.progress import Compared, listening

    made: list[Compared] = []
    with listening(lambda event: made.append(event) if isinstance(event, Compared) else None):
        state = flow(choice, store, return_state=True)
    if not made:
        error = state.result(raise_on_failure=False)
        raise error if isinstance(error, BaseException) else RuntimeError(state.message)
    return made[0].summary, made[0].failure
