"""The `dynosaur` command."""

from __future__ import annotations

import gc
import logging
import os
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from dynosaur_core.errors import DynosaurError
from dynosaur_core.logs import ROOT
from dynosaur_core.text import printable
from flows.choice import Choice
from flows.command import continual, ending, evaluate, finetune, look, operate, replay, split
from flows.command.arguments import (
    Adopt,
    AsJson,
    Author,
    Batch,
    Catalog,
    CatalogName,
    DryRun,
    EndedWith,
    Force,
    FromStage,
    Ids,
    Licenses,
    Limit,
    MaxCost,
    Model,
    ModifiedSince,
    ModifiedUntil,
    RecipeName,
    ReleaseUrls,
    Search,
    Since,
    StoreUrl,
    Tags,
    WithdrawMany,
)
from flows.command.helping import add_help
from flows.command.recorder import RECORDER
from flows.command.running import run_backfill, run_growth, run_release, show_forecast
from flows.command.verbose import add_verbose, show_logs
from flows.options import Options, checked

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,  # its options would write into the files of a person's shell
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    epilog="`dynosaur settings` lists what else can be set, and `dynosaur doctor` tries what is set.",
)


def _show_version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"dynosaur {version('dynosaur')}\n")
        raise typer.Exit


@app.callback()
def dynosaur(
    show_version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_show_version, help="Print the version.")
    ] = False,
) -> None:
    """An instruction-tuning dataset that grows by what is new in a catalogue of annotated datasets."""


@app.command()
def grow(
    catalog: Catalog = None,
    store: StoreUrl = None,
    release: ReleaseUrls = None,
    limit: Limit = None,
    max_cost_usd: MaxCost = None,
    recipe: RecipeName = None,
    model: Model = None,
    batch: Batch = None,
    since: Since = None,
    search: Search = None,
    author: Author = None,
    tags: Tags = None,
    catalog_name: CatalogName = None,
    adopt: Adopt = False,
    withdraw_many: WithdrawMany = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """One growth: survey, branches, release."""
    options = Options(
        catalog=catalog,
        catalog_name=catalog_name,
        store=store,
        release=release,
        limit=limit,
        max_cost_usd=max_cost_usd,
        recipe=recipe,
        model=model,
        batch=batch,
        since=since,
        search=search,
        author=author,
        tags=tags,
        adopt=adopt,
        withdraw_many=withdraw_many,
    )
    if dry_run:
        from flows.dry_run import forecast

        show_forecast(forecast(options), as_json)
        return
    from flows.grow import grow as grow_flow

    run_growth(lambda: grow_flow(options, return_state=True), options, as_json)


@app.command()
def backfill(
    ids: Ids = None,
    modified_since: ModifiedSince = None,
    modified_until: ModifiedUntil = None,
    error: EndedWith = None,
    license: Licenses = None,
    from_stage: FromStage = None,
    force: Force = False,
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
    chosen = {
        "datasets": ids or [],
        "modified_since": modified_since,
        "modified_until": modified_until,
        "errors": error or [],
        "licenses": license or [],
        "from_stage": from_stage,
        "force": force,
    }
    options = Options(
        catalog=catalog,
        catalog_name=catalog_name,
        store=store,
        release=release,
        max_cost_usd=max_cost_usd,
        model=model,
        batch=batch,
    )
    run_backfill(checked(Choice, chosen), options, dry_run, as_json)


@app.command()
def release(
    store: StoreUrl = None,
    release: ReleaseUrls = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Compare the content of all files, not their sizes alone.")
    ] = False,
    adopt: Adopt = False,
    withdraw_many: WithdrawMany = False,
    as_json: AsJson = False,
) -> None:
    """Bring the releases up to what the store holds, and mend them."""
    run_release(Options(store=store, release=release, adopt=adopt, withdraw_many=withdraw_many), verify, as_json)


@app.command()
def demo(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where the store and the release go.")] = Path(
        "dynosaur-demo"
    ),
    as_json: AsJson = False,
) -> None:
    """Grow the bundled catalogue with a local model: no key."""
    from flows.command.demo import run_demo

    raise typer.Exit(run_demo(folder, as_json))


def _quiet_prefect() -> None:
    """Silences Prefect's log, since the screen already reports progress and errors; PREFECT_LOGGING_LEVEL brings it
    back. The library's log lines go into the run logs of the UI; to stderr go its warnings, and with `-v` all lines."""
    os.environ.setdefault("PREFECT_LOGGING_LEVEL", "CRITICAL")
    os.environ.setdefault("PREFECT_SERVER_LOGGING_LEVEL", "CRITICAL")  # a temporary server ends in disorder
    os.environ.setdefault("PREFECT_LOGGING_EXTRA_LOGGERS", ROOT.name)
    os.environ.setdefault("PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW", "ignore")  # such as what `doctor` waits for
    ROOT.propagate = False  # the root's handler is Prefect's, and writes to the screen
    show_logs(logging.WARNING)
    os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
    os.environ.setdefault("DO_NOT_TRACK", "1")
    if not sys.stderr.isatty():  # bars of the libraries that upload and read; where somebody watches, they stay
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
        os.environ.setdefault("TQDM_DISABLE", "1")
    os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "120")  # 20 are few for a busy machine
    for name, value in RECORDER.items():
        os.environ.setdefault(name, value)


def _leave(error: DynosaurError, advice: str) -> None:
    said = DynosaurError.__str__(error)  # that of a task run bears its advice already
    sys.stderr.write(f"dynosaur: {printable(said)}\n  -> {advice}\n")
    sys.exit(2 if error.policy.wrong_command else 1)


for more in (replay, split, finetune, evaluate, continual, look, operate):
    app.add_typer(more.app)
    add_verbose(more.app)
    add_help(more.app)
add_verbose(app)
add_help(app)


def main() -> None:
    """Entry point: exit status 0 done, 1 failed, 2 wrong command or setting, 130 or 143 interrupted (and resumable)."""
    gc.set_threshold(50_000)  # the default looks through all that was imported again and again: a fifth of the start
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
