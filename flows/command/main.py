"""The `dynosaur` command."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.text import printable
from flows.command import ending, look
from flows.command.arguments import (
    Adopt,
    AsJson,
    Catalog,
    CatalogName,
    ReleaseUrls,
    StoreUrl,
    WithdrawMany,
    print_json,
)
from flows.command.screen import Screen
from flows.options import Options

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="An instruction-tuning dataset that grows by what is new in a catalogue of annotated datasets.",
    epilog="Everything else is set by DYNOSAUR_* variables or dynosaur.toml; `dynosaur doctor` tries what is set.",
)

_WRONG_COMMAND = {
    Code.BAD_SETTING,
    Code.BAD_CATALOG,
    Code.FOREIGN_STORE,
    Code.PRICE_UNKNOWN,
    Code.MODEL_KEY_REFUSED,
}

DryRun = Annotated[bool, typer.Option("--dry-run", help="show the plan and what it would cost; nothing is spent")]
MaxCost = Annotated[
    float | None, typer.Option("--max-cost", min=0, metavar="USD", help="cap on the model's cost in this growth")
]
Model = Annotated[str | None, typer.Option(metavar="NAME", help="the model that designs tasks")]
Batch = Annotated[
    bool | None, typer.Option("--batch/--no-batch", help="ask by the Batch API: half the price, within 24 hours")
]


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

        _show_forecast(forecast(options, limit=limit), as_json)
        return
    from flows.grow import grow as grow_flow

    _run_growth(lambda: grow_flow(**options.model_dump(), limit=limit, return_state=True), options, as_json)


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
        _show_forecast(chosen_forecast(choice, options), as_json)
        return
    check_choice(open_clients(options.settings()), choice)
    _run_growth(lambda: backfill_flow(choice=choice, **_growth_options(options), return_state=True), options, as_json)


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
    options = Options.of(locals())
    from dynosaur_core.clients import open_clients
    from flows.progress import listening
    from flows.release import release as release_flow
    from flows.release import sink_of

    clients = open_clients(options.settings())
    if not clients.settings.release:
        raise DynosaurError(Code.BAD_SETTING, "no release is set: give --release or DYNOSAUR_RELEASE")
    # a store that is not there, or an address that is none, ends here, before a flow run exists
    clients.join()
    _ = [sink_of(clients, url) for url in clients.settings.release]
    screen = Screen()
    with listening(screen.listen):
        state = release_flow(
            store=store,
            release=release or None,
            verify=verify,
            adopt=adopt,
            withdraw_many=withdraw_many,
            return_state=True,
        )
    if screen.released is None:
        raise _end_of(state)
    if as_json:
        print_json(screen.released)
    else:
        screen.show_released(options.settings())
    raise typer.Exit(1 if screen.released["release_errors"] else 0)


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


def _run_growth(call: Callable[[], Any], options: Options, as_json: bool) -> None:
    """Runs a flow with the screen listening; ends with the exit status of section 10 of the design."""
    from dynosaur_core.clients import open_clients
    from flows.progress import listening
    from flows.release import sink_of

    settings = options.settings()
    clients = open_clients(settings)
    # wrong settings end here, before a flow run exists
    _ = clients.catalog, [sink_of(clients, url) for url in settings.release]
    clients.join(create=True, adopt=options.adopt)
    clients.name_catalog()
    screen = Screen()
    with screen, listening(screen.listen):
        state = call()
    report = screen.report
    if report is None:
        raise _end_of(state)
    if as_json:
        print_json(report.as_json())
    else:
        screen.show_report(settings)
    raise typer.Exit(1 if state.is_failed() else 0)


def _end_of(state: Any) -> BaseException:
    """Why a flow run ended before it had anything to tell."""
    error = state.result(raise_on_failure=False)
    return error if isinstance(error, BaseException) else RuntimeError(state.message)


def _growth_options(options: Options) -> dict[str, Any]:
    return options.model_dump(exclude={"recipe", "since", "search", "author", "tags", "adopt", "withdraw_many"})


def _show_forecast(forecast: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(forecast)
    else:
        Screen().show_forecast(forecast)


def _checked(model: Any, **values: Any) -> Any:
    from pydantic import ValidationError

    from flows.options import bad_setting

    try:
        return model(**values)
    except ValidationError as error:
        raise bad_setting(error) from error


def _quiet_prefect() -> None:
    """The screen tells what happens, errors too; Prefect's own log is for who sets PREFECT_LOGGING_LEVEL."""
    os.environ.setdefault("PREFECT_LOGGING_LEVEL", "CRITICAL")
    os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
    os.environ.setdefault("DO_NOT_TRACK", "1")
    os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "120")  # 20 are few for a busy machine


def _leave(error: DynosaurError, advice: str) -> None:
    sys.stderr.write(f"dynosaur: {printable(str(error))}\n  -> {advice}\n")
    sys.exit(2 if error.code in _WRONG_COMMAND else 1)


app.add_typer(look.app)


def main() -> None:
    """Entry point: exit status 0 done, 1 failed, 2 wrong command or setting, 130 or 143 interrupted (and resumable)."""
    _quiet_prefect()
    ending.on_signals()
    try:
        app(standalone_mode=True)
    except DynosaurError as error:
        _leave(error, error.kind.advice)
    except (KeyboardInterrupt, ending.TerminatedError) as end:
        ending.leave(end)
    except Exception as error:
        if "prefect" not in sys.modules:
            raise
        from flows.command.prefect_parts import PREFECT_ADVICE, prefect_away

        if not (away := prefect_away(error)):
            raise
        _leave(away, PREFECT_ADVICE)
