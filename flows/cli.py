"""The `dynosaur` command."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from dynosaur_core.errors import Code, DynosaurError
from flows.options import Options
from flows.screen import Screen

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None, help=__doc__
)

Catalog = Annotated[str | None, typer.Option(help="hub, a folder in the Hub's layout, or a .jsonl export")]
StoreUrl = Annotated[str | None, typer.Option("--store", help="folder or URL of what is kept between growths")]
ReleaseUrls = Annotated[
    list[str] | None, typer.Option("--release", help="where the release goes: folder, s3://, hf://datasets/owner/name")
]
AsJson = Annotated[bool, typer.Option("--json", help="print one JSON object on stdout, and nothing else there")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="show the plan and what it would cost; nothing is spent")]
MaxCost = Annotated[float | None, typer.Option(help="cap on the model's cost in this growth, in US dollars")]
Model = Annotated[str | None, typer.Option(help="the model that designs tasks")]
Batch = Annotated[
    bool | None, typer.Option("--batch/--no-batch", help="ask by the Batch API: half the price, within 24 hours")
]


@app.command()
def grow(
    catalog: Catalog = None,
    store: StoreUrl = None,
    release: ReleaseUrls = None,
    limit: Annotated[int | None, typer.Option(help="at most so many datasets get a branch")] = None,
    max_cost: MaxCost = None,
    recipe: Annotated[str | None, typer.Option(help="default, or reference: the rules of 2023")] = None,
    model: Model = None,
    batch: Batch = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """One growth: survey, branches, release."""
    options = Options(
        catalog=catalog,
        store=store,
        release=release or None,
        max_cost_usd=max_cost,
        recipe=recipe,
        model=model,
        batch=batch,
    )
    _quiet_prefect()
    if dry_run:
        from flows.dry_run import forecast

        _show_forecast(forecast(options, limit=limit), as_json)
        return
    from flows.grow import grow as grow_flow

    _run_growth(lambda: grow_flow(**options.model_dump(), limit=limit, return_state=True), options, as_json)


@app.command()
def backfill(
    ids: Annotated[list[str] | None, typer.Argument(help="dataset ids or patterns such as 'nyu-mll/*'")] = None,
    since: Annotated[str | None, typer.Option(help="last modified at or after this date")] = None,
    until: Annotated[str | None, typer.Option(help="last modified before this date")] = None,
    error: Annotated[list[str] | None, typer.Option(help="error codes or reasons that the datasets ended with")] = None,
    license: Annotated[list[str] | None, typer.Option(help="licences that their records carry")] = None,
    from_stage: Annotated[
        str | None, typer.Option(help="metadata, instruction, filter or publish: run again from here")
    ] = None,
    force: Annotated[bool, typer.Option(help="run again although nothing changed")] = False,
    catalog: Catalog = None,
    store: StoreUrl = None,
    release: ReleaseUrls = None,
    max_cost: MaxCost = None,
    model: Model = None,
    batch: Batch = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Run chosen datasets again."""
    options = Options(
        catalog=catalog, store=store, release=release or None, max_cost_usd=max_cost, model=model, batch=batch
    )
    _quiet_prefect()
    from flows.backfill import Choice, chosen_forecast
    from flows.backfill import backfill as backfill_flow

    choice = _checked(
        Choice,
        datasets=ids or [],
        modified_since=since,
        modified_until=until,
        errors=error or [],
        licenses=license or [],
        from_stage=from_stage,
        force=force,
    )
    if dry_run:
        _show_forecast(chosen_forecast(choice, options), as_json)
        return
    _run_growth(lambda: backfill_flow(choice=choice, **_growth_options(options), return_state=True), options, as_json)


@app.command()
def release(store: StoreUrl = None, release: ReleaseUrls = None, as_json: AsJson = False) -> None:
    """Bring the releases up to what the store holds."""
    options = Options(store=store, release=release or None)
    _quiet_prefect()
    from flows.release import release as release_flow

    if not options.settings().release:
        raise DynosaurError(Code.BAD_SETTING, "no release is set: give --release or DYNOSAUR_RELEASE")
    state = release_flow(store=store, release=release or None, return_state=True)
    data = state.result(raise_on_failure=False)
    if isinstance(data, Exception):
        raise data
    if as_json:
        _print_json(data)
    else:
        Screen().line(state.message or "")
        for url, made in data["release"].items():
            Screen().line(f"{url}: version {made['version']}, {made['records']:,} records")
    raise typer.Exit(1 if data["release_errors"] else 0)


@app.command()
def demo(
    folder: Annotated[Path, typer.Argument(help="where the store and the release go")] = Path("dynosaur-demo"),
    as_json: AsJson = False,
) -> None:
    """The main job on embedded defaults: bundled catalogue, local model, store and Prefect; no key, no network."""
    _quiet_prefect()
    from flows.demo import run_demo

    raise typer.Exit(run_demo(folder, as_json))


@app.command()
def check(
    tasks: Annotated[Path, typer.Argument(help="JSONL: dataset, config, instruction, input_fields, output_field")],
    catalog: Catalog = None,
) -> None:
    """Judge task designs as the filter stage would: one line of JSON each, in order."""
    import tempfile

    from dynosaur_core.check import Checker
    from dynosaur_core.clients import open_clients
    from dynosaur_core.store import Store

    settings = Options(catalog=catalog).settings()
    try:
        lines = tasks.read_text(encoding="utf-8").split("\n")  # a text may hold other signs that end a line
    except (OSError, UnicodeDecodeError) as error:
        raise DynosaurError(Code.BAD_SETTING, f"{tasks} cannot be read: {error}") from error
    with tempfile.TemporaryDirectory(prefix="dynosaur-check-") as folder:
        for verdict in Checker(open_clients(settings).catalog, Store(folder), settings).check(lines):
            _print_json(verdict)


@app.command()
def status(store: StoreUrl = None, as_json: AsJson = False) -> None:
    """What the store holds, and how the last growths ended."""
    from flows import inspect

    _show(inspect.status(_clients(store)), inspect.show_status, as_json)


@app.command()
def failed(store: StoreUrl = None, as_json: AsJson = False) -> None:
    """The datasets that broke or were deferred: code, stage, message, what to do."""
    from flows import inspect

    _show(inspect.failed(_clients(store)), inspect.show_failed, as_json)


@app.command()
def explain(name: Annotated[str, typer.Argument(help="a dataset id, or ID:CONFIG")], store: StoreUrl = None) -> None:
    """All that is known of one dataset, as JSON."""
    from flows import inspect

    sys.stdout.write(json.dumps(inspect.explain(_clients(store), name), indent=2, default=str) + "\n")


@app.command()
def stats(store: StoreUrl = None, as_json: AsJson = False) -> None:
    """Records by licence, designer and dataset."""
    from flows import inspect

    _show(inspect.stats(_clients(store)), inspect.show_stats, as_json)


@app.command()
def export(
    to: Annotated[str, typer.Argument(help="file or URL (.gz compresses); a folder for the format reference")],
    form: Annotated[str, typer.Option("--format", help="alpaca, messages, tk-instruct or reference")] = "alpaca",
    catalog: Catalog = None,
    store: StoreUrl = None,
) -> None:
    """Write the grown dataset in another form."""
    from flows import inspect

    count = inspect.export(_clients(store, catalog), form, to)
    Screen().line(f"{count:,} lines to {to}")


@app.command()
def doctor(catalog: Catalog = None, store: StoreUrl = None, as_json: AsJson = False) -> None:
    """Try the catalogue, the model endpoint, the store and Prefect, and say what to do about each."""
    from flows.doctor import examine, show_findings

    _quiet_prefect()
    findings = examine(Options(catalog=catalog, store=store))
    _show(findings, show_findings, as_json)
    raise typer.Exit(0 if all(finding["ok"] for finding in findings) else 1)


def _clients(store: str | None, catalog: str | None = None) -> Any:
    from dynosaur_core.clients import open_clients

    return open_clients(Options(store=store, catalog=catalog).settings())


def _show(found: Any, show: Callable[[Any, Screen], None], as_json: bool) -> None:
    if as_json:
        _print_json(found)
    else:
        show(found, Screen())


def _run_growth(call: Callable[[], Any], options: Options, as_json: bool) -> None:
    """Runs a flow with the screen listening; ends with the exit status of section 10 of the design."""
    from dynosaur_core.clients import open_clients
    from flows.progress import listening

    settings = options.settings()
    clients = open_clients(settings)
    _ = clients.catalog, clients.ledger  # wrong settings end here, before a flow run exists
    screen = Screen()
    with screen, listening(screen.listen):
        state = call()
    report = screen.report
    if report is None:
        error = state.result(raise_on_failure=False)
        raise error if isinstance(error, BaseException) else RuntimeError(state.message)
    if as_json:
        _print_json(report.as_json())
    else:
        screen.show_report(settings)
    raise typer.Exit(1 if state.is_failed() else 0)


def _growth_options(options: Options) -> dict[str, Any]:
    return options.model_dump(exclude={"recipe"})


def _show_forecast(forecast: dict[str, Any], as_json: bool) -> None:
    if as_json:
        _print_json(forecast)
    else:
        Screen().show_forecast(forecast)


def _checked(model: Any, **values: Any) -> Any:
    from pydantic import ValidationError

    from flows.options import bad_setting

    try:
        return model(**values)
    except ValidationError as error:
        raise bad_setting(error) from error


def _print_json(value: Any) -> None:
    sys.stdout.write(json.dumps(value, ensure_ascii=False, default=str) + "\n")
    sys.stdout.flush()


def _quiet_prefect() -> None:
    """The screen tells what happens; Prefect's own log shows warnings unless PREFECT_LOGGING_LEVEL says more."""
    os.environ.setdefault("PREFECT_LOGGING_LEVEL", "ERROR")
    os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")


def main() -> None:
    """Entry point: exit status 0 done, 1 failed, 2 wrong command or setting, 130 interrupted (and resumable)."""
    try:
        app(standalone_mode=True)
    except DynosaurError as error:
        sys.stderr.write(f"dynosaur: {error}\n  -> {error.kind.advice}\n")
        sys.exit(2 if error.code in (Code.BAD_SETTING, Code.BAD_CATALOG, Code.PRICE_UNKNOWN) else 1)
    except KeyboardInterrupt:
        sys.stderr.write("dynosaur: interrupted; the same command goes on from here\n")
        sys.exit(130)


if __name__ == "__main__":
    main()
