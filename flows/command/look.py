"""The commands that look and grow nothing: check, status, failed, explain, stats, export, settings, doctor."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.export import Form
from flows.command.arguments import AsJson, Catalog, ReleaseUrls, StoreUrl, print_json
from flows.options import Options

if TYPE_CHECKING:
    from flows.command.screen import Screen

app = typer.Typer()


@app.command()
def check(
    tasks: Annotated[
        Path, typer.Argument(metavar="TASKS", help="JSONL of dataset, config, instruction, input_fields, output_field.")
    ],
    catalog: Catalog = None,
    judge: Annotated[bool, typer.Option("--judge", help="Ask the model about those that the filter accepts.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The same: each line of stdout is one JSON object.")] = False,
) -> None:
    """Judge task designs as the filter would: one line of JSON each."""
    from dynosaur_core.check import Checker
    from dynosaur_core.clients import Clients, open_clients
    from dynosaur_core.scratch import scratch_folder

    settings = Options(catalog=catalog).settings()
    try:
        lines = tasks.read_text(encoding="utf-8").split("\n")  # a text may hold other signs that end a line
    except (OSError, UnicodeDecodeError) as error:
        raise DynosaurError(Code.BAD_SETTING, f"{tasks} cannot be read: {error}") from error
    with tempfile.TemporaryDirectory(prefix="check-", dir=scratch_folder()) as folder:
        # a store of its own, and a ledger for what the judge may cost
        own = Clients(settings.model_copy(update={"store": folder, "ledger": None}))
        checker = Checker(open_clients(settings).catalog, own.store, settings)
        for verdict in checker.check_with_judge(lines, own.llm("check")) if judge else checker.check(lines):
            print_json(verdict)


@app.command()
def status(store: StoreUrl = None, as_json: AsJson = False) -> None:
    """What the store holds, and how the last growths ended."""
    from flows.command import views

    _show(views.status(_clients(store)), views.show_status, as_json)


@app.command()
def failed(store: StoreUrl = None, as_json: AsJson = False) -> None:
    """What broke or was deferred, why, and what to do about it."""
    from flows.command import views

    _show(views.failed(_clients(store)), views.show_failed, as_json)


@app.command()
def explain(
    name: Annotated[str, typer.Argument(metavar="ID[:CONFIG]", help="A dataset, or one of its configs.")],
    store: StoreUrl = None,
    requests: Annotated[
        bool, typer.Option("--requests", help="Also what was sent to the model, and what came back.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """What became of one dataset and why: tasks, verdicts, records."""
    from flows.command.explain import explain as explained

    clients = _clients(store)
    found = explained(clients, name, requests=requests or as_json)
    if as_json:
        print_json(found)
        return
    from flows.command.screen import Screen
    from flows.command.show_explanation import show_explanation

    show_explanation(found, Screen(), clients.settings.store, requests=requests)


@app.command()
def stats(store: StoreUrl = None, as_json: AsJson = False) -> None:
    """Records by licence, designer and dataset."""
    from flows.command import views

    _show(views.stats(_clients(store)), views.show_stats, as_json)


@app.command()
def export(
    to: Annotated[str, typer.Argument(metavar="TO", help="File or URL (.gz compresses); a folder for `reference`.")],
    form: Annotated[Form, typer.Option("--format", help="The form of its lines, or the two files of 2023.")] = "alpaca",
    catalog: Catalog = None,
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> None:
    """Write the grown dataset in another form."""
    from flows.command.export import export as write
    from flows.command.export import show_exported

    _show(write(_clients(store, catalog), form, to), show_exported, as_json)


@app.command()
def settings(
    word: Annotated[str, typer.Argument(metavar="WORD", help="Only those with it in name, variable or meaning.")] = "",
    catalog: Catalog = None,
    store: StoreUrl = None,
    release: ReleaseUrls = None,
    as_json: AsJson = False,
) -> None:
    """Every setting: its variable, value, source, default, meaning."""
    from dynosaur_core.setting_reference import reference
    from flows.command.show_settings import show_settings

    options = Options(catalog=catalog, store=store, release=release)
    _show(reference(options.settings(), options.overrides(), word), show_settings, as_json)


@app.command()
def doctor(catalog: Catalog = None, store: StoreUrl = None, as_json: AsJson = False) -> None:
    """Try store, catalogue, model and Prefect, and say what to do."""
    from flows.command.doctor import examine, show_findings

    findings = examine(Options(catalog=catalog, store=store))
    _show(findings, show_findings, as_json)
    raise typer.Exit(0 if all(finding.ok for finding in findings) else 1)


def _clients(store: str | None, catalog: str | None = None) -> Any:
    """For commands that look: a store that is not there is not made."""
    from dynosaur_core.clients import open_clients

    clients = open_clients(Options(store=store, catalog=catalog).settings())
    clients.join()
    return clients


def _show(found: Any, show: Callable[[Any, Screen], None], as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    from flows.command.screen import Screen

    show(found, Screen())
