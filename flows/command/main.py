"""The `dynosaur` command."""

from __future__ import annotations

import os
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from dynosaur_core.errors import DynosaurError
from dynosaur_core.logs import ROOT
from dynosaur_core.text import printable
from flows.command import ending, look
from flows.command.arguments import (
    Adopt,
    AsJson,
    Batch,
    Catalog,
    CatalogName,
    DryRun,
    MaxCost,
    Model,
    ReleaseUrls,
    StoreUrl,
    WithdrawMany,
)
from flows.command.running import run_growth, run_release, show_forecast
from flows.command.verbose import add_verbose
from flows.options import Options

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="An instruction-tuning dataset that grows by what is new in a catalogue of annotated datasets.",
    epilog="Everything else is set by DYNOSAUR_* variables or dynosaur.toml; `dynosaur doctor` tries what is set.",
)


@app.command()
def grow(
    catalog: Catalog = None,
    store: StoreUrl = None,
    release: ReleaseUrls = None,
    limit: Annotated[int | None, typer.Option(min=1, metavar="N", help="at most so many datasets are grown")] = None,
    max_cost_usd: MaxCost = None,
    recipe: Annotated[str | None, typer.Option(metavar="NAME", help="default, or reference: the rules of 2023")] = None,
    model: Model = None,
    batch: Batch = None,
    since: Annotated[datetime | None, typer.Option(help="of the Hub: modified at or after this date")] = None,
    search: Annotated[str | None, typer.Option(help="of the Hub: a word in the dataset's id")] = None,
    author: Annotated[str | None, typer.Option(help="of the Hub: the owner")] = None,
    tags: Annotated[
        list[str] | None, typer.Option("--tag", help="of the Hub: a tag it must have; may be repeated")
    ] = None,
    catalog_name: CatalogName = None,
    adopt: Adopt = False,
    withdraw_many: WithdrawMany = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """One growth: survey, branches, release."""
    options = Options.of(locals())
    if dry_run:
        from flows.dry_run import forecast

        show_forecast(forecast(options, limit=limit), as_json)
        return
    from flows.grow import grow as grow_flow

    run_growth(lambda: grow_flow(**options.model_dump(), limit=limit, return_state=True), options, as_json)


@app.command()
def backfill(
    ids: Annotated[list[str] | None, typer.Argument(metavar="ID", help="ids, or patterns such as 'nyu-mll/*'")] = None,
    modified_since: Annotated[
        str | None, typer.Option("--since", metavar="DATE", help="last modified at or after it, such as 2026-01-31")
    ] = None,
    modified_until: Annotated[
        str | None, typer.Option("--until", metavar="DATE", help="last modified before it")
    ] = None,
    error: Annotated[list[str] | None, typer.Option(metavar="CODE", help="what they ended with; repeatable")] = None,
    license: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="what their records carry; repeatable")
    ] = None,
    from_stage: Annotated[
        str | None, typer.Option(metavar="STAGE", help="begin at metadata, instruction, filter or publish")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="run every stage again; with --from-stage instruction, ask the model anew")
    ] = False,
    catalog: Catalog = None,
    store: StoreUrl = None,
    release: ReleaseUrls = None,
    max_cost_usd: MaxCost = None,
    model: Model = None,
    batch: Batch = None,
    catalog_name: CatalogName = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Run chosen datasets again."""
    options = Options.of(locals())
    from dynosaur_core.clients import open_clients
    from flows.backfill import Choice, check_choice, chosen_forecast
    from flows.backfill import backfill as backfill_flow

    choice = _checked(
        Choice,
        datasets=ids or [],
        modified_since=modified_since,
        modified_until=modified_until,
        errors=error or [],
        licenses=license or [],
        from_stage=from_stage,
        force=force,
    )
    if dry_run:
        show_forecast(chosen_forecast(choice, options), as_json)
        return
    check_choice(open_clients(options.settings()), choice)
    run_growth(lambda: backfill_flow(choice=choice, **_of_backfill(options), return_state=True), options, as_json)


@app.command()
def release(
    store: StoreUrl = None,
    release: ReleaseUrls = None,
    verify: Annotated[bool, typer.Option("--verify", help="compare the content of all files, not sizes alone")] = False,
    adopt: Adopt = False,
    withdraw_many: WithdrawMany = False,
    as_json: AsJson = False,
) -> None:
    """Bring the releases up to what the store holds, and mend them."""
    run_release(Options.of(locals()), verify, as_json)


@app.command()
def demo(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="where the store and the release go")] = Path(
        "dynosaur-demo"
    ),
    as_json: AsJson = False,
) -> None:
    """Grow the bundled catalogue with a model on this machine: no key."""
    from flows.command.demo import run_demo

    raise typer.Exit(run_demo(folder, as_json))


def _of_backfill(options: Options) -> dict[str, Any]:
    return options.model_dump(exclude={"recipe", "since", "search", "author", "tags", "adopt", "withdraw_many"})


def _checked(model: Any, **values: Any) -> Any:
    from pydantic import ValidationError

    from flows.options import bad_setting

    try:
        return model(**values)
    except ValidationError as error:
        raise bad_setting(error) from error


def _quiet_prefect() -> None:
    """The screen shows what happens, errors too; Prefect's own log is for who sets PREFECT_LOGGING_LEVEL. What the
    library logs goes into the run logs of the UI, and to stderr with `-v`."""
    os.environ.setdefault("PREFECT_LOGGING_LEVEL", "CRITICAL")
    os.environ.setdefault("PREFECT_LOGGING_EXTRA_LOGGERS", ROOT.name)
    os.environ.setdefault("PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW", "ignore")  # such as what `doctor` waits for
    ROOT.propagate = False  # the root's handler is Prefect's, and writes to the screen
    os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
    os.environ.setdefault("DO_NOT_TRACK", "1")
    os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "120")  # 20 are few for a busy machine


def _leave(error: DynosaurError, advice: str) -> None:
    sys.stderr.write(f"dynosaur: {printable(str(error))}\n  -> {advice}\n")
    sys.exit(2 if error.policy.wrong_command else 1)


app.add_typer(look.app)
add_verbose(app)
add_verbose(look.app)


def main() -> None:
    """Entry point: exit status 0 done, 1 failed, 2 wrong command or setting, 130 or 143 interrupted (and resumable)."""
    _quiet_prefect()
    ending.on_signals()
    try:
        app(standalone_mode=True)
    except DynosaurError as error:
        _leave(error, error.policy.advice)
    except (KeyboardInterrupt, ending.TerminatedError) as end:
        ending.leave(end)
    except Exception as error:  # a Prefect that is away raises whatever its clients and databases raise
        if "prefect" not in sys.modules:
            raise
        from flows.command.prefect_parts import PREFECT_ADVICE, prefect_away

        if not (away := prefect_away(error)):
            raise
        _leave(away, PREFECT_ADVICE)
