"""`dynosaur evaluate`: how well a model follows instructions that it was not trained on."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

import typer

from dynosaur_core.evaluation.choice import Dtype, EvaluationChoice, Track
from dynosaur_core.evaluation.prompts import PromptForm
from flows.command.arguments import AsJson, StoreUrl, help_of, option_of, print_json
from flows.options import Options, checked

app = typer.Typer()


_option = partial(option_of, EvaluationChoice)


@app.command()
def evaluate(
    model: Annotated[str, _option("model", "NAME")],
    out: Annotated[str, _option("out", "FOLDER")],
    suite: Annotated[str | None, _option("suite", "SUITE")] = None,
    prompt: Annotated[PromptForm | None, _option("prompt")] = None,
    examples: Annotated[int | None, _option("examples", "N")] = None,
    instances: Annotated[int | None, _option("instances", "N")] = None,
    seed: Annotated[int | None, _option("seed", "S")] = None,
    input_tokens: Annotated[int | None, _option("input_tokens", "T")] = None,
    new_tokens: Annotated[int | None, _option("new_tokens", "T")] = None,
    batch: Annotated[int | None, _option("batch", "N")] = None,
    dtype: Annotated[Dtype | None, _option("dtype")] = None,
    first_line: Annotated[bool, typer.Option("--first-line", help=help_of("first_line", EvaluationChoice))] = False,
    track: Annotated[Track | None, _option("track")] = None,
    max_cost_usd: Annotated[
        float | None,
        typer.Option("--max-cost", min=0, metavar="USD", help="Cap on what an endpoint may cost for a model."),
    ] = None,
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> None:
    """Score a model on held-out tasks: ROUGE-L and exact match."""
    given = {
        "model": model,
        "out": out,
        "suite": suite,
        "prompt": prompt,
        "examples": examples,
        "instances": instances,
        "seed": seed,
        "input_tokens": input_tokens,
        "new_tokens": new_tokens,
        "batch": batch,
        "dtype": dtype,
        "first_line": first_line,
        "track": track,
    }
    choice = checked(EvaluationChoice, {name: value for name, value in given.items() if value is not None})
    summary = _run(choice, Options(store=store, max_cost_usd=max_cost_usd))
    if as_json:
        print_json(summary)
        return
    from flows.command.screen import Screen

    screen = Screen()
    screen.line(summary.sentence())
    if summary.usage:
        cost = "unknown cost" if summary.usage.cost_usd is None else f"${summary.usage.cost_usd:.4f}"
        screen.line(f"model: {summary.usage.requests:,} requests, {cost}")
    screen.next_steps([f"look at {summary.out}/README.md; every prediction is in {summary.out}/predictions.jsonl"])


def _run(choice: EvaluationChoice, options: Options) -> Any:
    from dynosaur_core.evaluation.evaluate import evaluate as evaluated
    from dynosaur_core.stopping import by_signal
    from flows.command.counting import counting

    settings = options.settings()
    with by_signal(), counting("predicting") as progress:
        return evaluated(choice, settings, progress=progress)
