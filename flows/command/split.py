"""`dynosaur split` and `dynosaur subset`: stages for experiments, and tasks for an evaluation suite."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from pydantic import BaseModel

from dynosaur_core.continual.choice import SplitChoice, SubsetChoice
from flows.command.arguments import AsJson, MaxCost, ReleaseUrls, StoreUrl, help_of, option_of, print_json
from flows.options import Options, checked

if TYPE_CHECKING:
    from dynosaur_core.continual.split_folder import SplitSummary
    from dynosaur_core.continual.subset_folder import SubsetSummary

app = typer.Typer()
T = TypeVar("T", bound=BaseModel)


_split, _subset = partial(option_of, SplitChoice), partial(option_of, SubsetChoice)


@app.command()
def split(
    out: Annotated[str, _split("out", "FOLDER")],
    records: Annotated[
        str | None, typer.Argument(metavar="RECORDS", help=help_of("records", SplitChoice), show_default=False)
    ] = None,
    stages: Annotated[int | None, _split("stages", "K")] = None,
    held_out: Annotated[int | None, _split("held_out", "N")] = None,
    rows: Annotated[int | None, _split("rows", "N")] = None,
    test: Annotated[str | None, _split("test", "SUITE")] = None,
    seed: Annotated[int | None, _split("seed", "S")] = None,
    release: ReleaseUrls = None,
    as_json: AsJson = False,
) -> None:
    """Stages with held-out rows for experiments; nothing leaks."""
    from dynosaur_core.continual.split_folder import make_split

    given = {"records": records, "stages": stages, "held_out": held_out, "rows": rows, "test": test, "seed": seed}
    choice = _choice(SplitChoice, {**given, "out": out})
    settings = Options(release=release).settings()
    step = f"train on {out}/stage-1; `dynosaur replay --stage {out}@2 --from {out}@1 --out ...` for the next mixture"
    _show(
        "reading rows", lambda count: make_split(choice, settings, count), [f"look at {out}/README.md", step], as_json
    )


@app.command()
def subset(
    suite: Annotated[str, _subset("suite", "SUITE")],
    out: Annotated[str, _subset("out", "FOLDER")],
    records: Annotated[
        str | None, typer.Argument(metavar="RECORDS", help=help_of("records", SubsetChoice), show_default=False)
    ] = None,
    tasks: Annotated[int | None, _subset("tasks", "M")] = None,
    rows: Annotated[int | None, _subset("rows", "N")] = None,
    seed: Annotated[int | None, _subset("seed", "S")] = None,
    max_cost_usd: MaxCost = None,
    store: StoreUrl = None,
    release: ReleaseUrls = None,
    as_json: AsJson = False,
) -> None:
    """The tasks most like those of an evaluation suite."""
    from dynosaur_core.clients import open_clients
    from dynosaur_core.continual.subset_folder import make_subset

    given = {"records": records, "suite": suite, "tasks": tasks, "rows": rows, "seed": seed, "out": out}
    choice = _choice(SubsetChoice, given)
    settings = Options(store=store, release=release, max_cost_usd=max_cost_usd).settings()
    kept = open_clients(settings).store
    steps = [f"look at {out}/README.md; train on {out}/data or one of {out}/exports"]
    _show("comparing", lambda count: make_subset(choice, settings, kept, count), steps, as_json)


def _choice(model: type[T], given: Mapping[str, Any]) -> T:
    return checked(model, {name: value for name, value in given.items() if value is not None})


def _show(
    what: str,
    make: Callable[[Callable[[int, int], None]], SplitSummary | SubsetSummary],
    steps: list[str],
    as_json: bool,
) -> None:
    from flows.command.screen import Screen

    screen = Screen()
    with screen:
        found = make(lambda done, total: screen.advance(what, done, total))
    if as_json:
        print_json(found)
        return
    screen.line(found.sentence())
    screen.next_steps(steps)
