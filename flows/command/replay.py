"""`dynosaur replay`: the training mixture of a stage."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dynosaur_core.continual.choice import ReplayChoice
from flows.command.arguments import AsJson, MaxCost, ReleaseUrls, StoreUrl, option_of, print_json
from flows.options import Options, checked

if TYPE_CHECKING:
    from flows.command.screen import Screen

app = typer.Typer()


_option = partial(option_of, ReplayChoice)


@app.command()
def replay(
    stage: Annotated[str | None, _option("stage", "VERSIONS")] = None,
    earlier: Annotated[str | None, _option("earlier", "VERSIONS", "--from")] = None,
    strategy: Annotated[str | None, _option("strategy", "NAME")] = None,
    tasks: Annotated[int | None, _option("tasks", "M")] = None,
    rows: Annotated[int | None, _option("rows", "N")] = None,
    tokens: Annotated[int | None, _option("tokens", "T")] = None,
    per_source: Annotated[int | None, _option("per_source", "M")] = None,
    per_license: Annotated[int | None, _option("per_license", "M")] = None,
    age_weight: Annotated[float | None, _option("age_weight", "W")] = None,
    seed: Annotated[int | None, _option("seed", "S")] = None,
    out: Annotated[str | None, _option("out", "FOLDER")] = None,
    max_cost_usd: MaxCost = None,
    store: StoreUrl = None,
    release: ReleaseUrls = None,
    as_json: AsJson = False,
) -> None:
    """The next stage's training mixture, with replay."""
    given = {
        "stage": stage,
        "earlier": earlier,
        "strategy": strategy,
        "tasks": tasks,
        "rows": rows,
        "tokens": tokens,
        "per_source": per_source,
        "per_license": per_license,
        "age_weight": age_weight,
        "seed": seed,
        "out": out,
    }
    from flows.command.screen import Screen

    choice = checked(ReplayChoice, {name: value for name, value in given.items() if value is not None})
    options = Options(store=store, release=release, max_cost_usd=max_cost_usd)
    screen = Screen()
    with screen:
        summary = _run(choice, options, screen)
    if as_json:
        print_json(summary)
        return
    screen.line(summary.sentence())
    screen.next_steps([f"look at {summary.out}/README.md; train on {summary.out}/data or one of {summary.out}/exports"])


def _run(choice: ReplayChoice, options: Options, screen: Screen) -> Any:
    from dynosaur_core.continual.choosing import replay_encoder
    from dynosaur_core.continual.stages import open_stages
    from flows.progress import MixtureMade, listening

    settings = options.settings()
    replay_encoder(choice, settings)  # what is wrong ends here, before a flow run exists
    open_stages(choice.stage, choice.earlier, settings)
    from flows.replay import replay as flow

    made: list[Any] = []
    with (
        listening(lambda event: made.append(event.summary) if isinstance(event, MixtureMade) else None),
        listening(screen.listen),
    ):
        state = flow(choice, options.store, options.release, options.max_cost_usd, return_state=True)
    if not made:
        error = state.result(raise_on_failure=False)
        raise error if isinstance(error, BaseException) else RuntimeError(state.message)
    return made[0]
