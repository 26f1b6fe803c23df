"""The `dynosaur` command."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from dynosaur_core.errors import Code, DynosaurError
from flows.options import Options
from flows.screen import Screen

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="An instruction-tuning dataset that grows by what is new in a catalogue of annotated datasets.",
    epilog="Everything else is set by DYNOSAUR_* variables or dynosaur.toml; `dynosaur doctor` tries what is set.",
)

Catalog = Annotated[
    str | None, typer.Option(metavar="WHERE", help="hub, a folder in the Hub's layout, or a .jsonl file or URL")
]
StoreUrl = Annotated[
    str | None, typer.Option("--store", metavar="URL", help="folder or URL of what is kept between growths")
]
ReleaseUrls = Annotated[
    list[str] | None,
    typer.Option("--release", metavar="URL", help="folder, s3://bucket/path or hf://datasets/owner/name; repeatable"),
]
AsJson = Annotated[bool, typer.Option("--json", help="print one JSON object on stdout, and nothing else there")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="show the plan and what it would cost; nothing is spent")]
MaxCost = Annotated[float | None, typer.Option(min=0, metavar="USD", help="cap on the model's cost in this growth")]
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
    max_cost: MaxCost = None,
    recipe: Annotated[str | None, typer.Option(metavar="NAME", help="default, or reference: the rules of 2023")] = None,
    model: Model = None,
    batch: Batch = None,
    since: Annotated[datetime | None, typer.Option(help="of the Hub: modified at or after this date")] = None,
    search: Annotated[str | None, typer.Option(help="of the Hub: a word in the dataset's id")] = None,
    author: Annotated[str | None, typer.Option(help="of the Hub: the owner")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="of the Hub: a tag it must have; may be repeated")] = None,
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
        since=since,
        search=search,
        author=author,
        tags=tag or None,
    )
    if dry_run:
        from flows.dry_run import forecast

        _show_forecast(forecast(options, limit=limit), as_json)
        return
    from flows.grow import grow as grow_flow

    _run_growth(lambda: grow_flow(**options.model_dump(), limit=limit, return_state=True), options, as_json)


@app.command()
def backfill(
    ids: Annotated[list[str] | None, typer.Argument(metavar="ID", help="ids, or patterns such as 'nyu-mll/*'")] = None,
    since: Annotated[
        str | None, typer.Option(metavar="DATE", help="last modified at or after it, such as 2026-01-31")
    ] = None,
    until: Annotated[str | None, typer.Option(metavar="DATE", help="last modified before it")] = None,
    error: Annotated[list[str] | None, typer.Option(metavar="CODE", help="what they ended with; repeatable")] = None,
    license: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="what their records carry; repeatable")
    ] = None,
    from_stage: Annotated[
        str | None, typer.Option(metavar="STAGE", help="begin at metadata, instruction, filter or publish")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="run every stage again, although nothing changed")] = False,
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
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="where the store and the release go")] = Path(
        "dynosaur-demo"
    ),
    as_json: AsJson = False,
) -> None:
    """Grow the bundled catalogue with a model on this machine: no key."""
    from flows.demo import run_demo

    raise typer.Exit(run_demo(folder, as_json))


@app.command()
def check(
    tasks: Annotated[
        Path, typer.Argument(metavar="TASKS", help="JSONL of dataset, config, instruction, input_fields, output_field")
    ],
    catalog: Catalog = None,
) -> None:
    """Judge task designs as the filter would: one line of JSON each."""
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
    """What broke or was deferred, why, and what to do about it."""
    from flows import inspect

    _show(inspect.failed(_clients(store)), inspect.show_failed, as_json)


@app.command()
def explain(
    name: Annotated[str, typer.Argument(metavar="ID[:CONFIG]", help="a dataset, or one of its configs")],
    store: StoreUrl = None,
) -> None:
    """All that is known of one dataset: its tasks, verdicts, requests."""
    from flows.explain import explain as explained

    sys.stdout.write(json.dumps(explained(_clients(store), name), indent=2, ensure_ascii=False, default=str) + "\n")


@app.command()
def stats(store: StoreUrl = None, as_json: AsJson = False) -> None:
    """Records by licence, designer and dataset."""
    from flows import inspect

    _show(inspect.stats(_clients(store)), inspect.show_stats, as_json)


@app.command()
def export(
    to: Annotated[str, typer.Argument(metavar="TO", help="file or URL (.gz compresses); a folder for `reference`")],
    form: Annotated[
        str, typer.Option("--format", metavar="FORM", help="alpaca, messages, tk-instruct or reference")
    ] = "alpaca",
    catalog: Catalog = None,
    store: StoreUrl = None,
) -> None:
    """Write the grown dataset in another form."""
    from flows.export import export as write

    count = write(_clients(store, catalog), form, to)
    Screen().line(f"{count:,} lines to {to}")


@app.command()
def doctor(catalog: Catalog = None, store: StoreUrl = None, as_json: AsJson = False) -> None:
    """Try store, catalogue, model and Prefect, and say what to do."""
    from flows.doctor import examine, show_findings

    findings = examine(Options(catalog=catalog, store=store))
    _show(findings, show_findings, as_json)
    raise typer.Exit(0 if all(finding["ok"] for finding in findings) else 1)


def _clients(store: str | None, catalog: str | None = None) -> Any:
    """For commands that look: a store that is not there is not made."""
    from dynosaur_core.clients import open_clients

    clients = open_clients(Options(store=store, catalog=catalog).settings())
    if not clients.store.fs.exists(clients.store.root):
        message = f"there is no store at {clients.store.url}: give --store or DYNOSAUR_STORE, or run `dynosaur grow`"
        raise DynosaurError(Code.BAD_SETTING, message)
    return clients


def _show(found: Any, show: Callable[[Any, Screen], None], as_json: bool) -> None:
    if as_json:
        _print_json(found)
    else:
        show(found, Screen())


def _run_growth(call: Callable[[], Any], options: Options, as_json: bool) -> None:
    """Runs a flow with the screen listening; ends with the exit status of section 10 of the design."""
    from dynosaur_core.clients import open_clients
    from dynosaur_core.publish.sinks import open_sink
    from flows.progress import listening

    settings = options.settings()
    clients = open_clients(settings)
    # wrong settings end here, before a flow run exists
    _ = clients.catalog, clients.ledger, [open_sink(url, settings.releasing) for url in settings.release]
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
    return options.model_dump(exclude={"recipe", "since", "search", "author", "tags"})


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
    """The screen tells what happens, errors too; Prefect's own log is for who sets PREFECT_LOGGING_LEVEL."""
    os.environ.setdefault("PREFECT_LOGGING_LEVEL", "CRITICAL")
    os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
    os.environ.setdefault("DO_NOT_TRACK", "1")


def main() -> None:
    """Entry point: exit status 0 done, 1 failed, 2 wrong command or setting, 130 interrupted (and resumable)."""
    _quiet_prefect()
    try:
        app(standalone_mode=True)
    except DynosaurError as error:
        sys.stderr.write(f"dynosaur: {error}\n  -> {error.kind.advice}\n")
        sys.exit(
            2 if error.code in (Code.BAD_SETTING, Code.BAD_CATALOG, Code.PRICE_UNKNOWN, Code.MODEL_KEY_REFUSED) else 1
        )
    except KeyboardInterrupt:
        sys.stderr.write("dynosaur: interrupted; the same command goes on from here\n")
        sys.exit(130)


if __name__ == "__main__":
    main()
