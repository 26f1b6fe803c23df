"""Runs the flows that a command stands for, with the screen listening, and ends with their exit status."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import typer

from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.results import Forecast
from flows.choice import Choice
from flows.command.arguments import print_json
from flows.options import Options

# The flows bring Prefect: seconds that `--help` and a wrong option need not wait for.


def run_growth(call: Callable[[], Any], options: Options, as_json: bool) -> None:
    """Runs a flow that grows; ends with exit status 1 where its verdict is Failed."""
    from dynosaur_core.clients import open_clients
    from flows.command.screen import Screen
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
        print_json(report.summary())
    else:
        screen.show_report(settings)
    raise typer.Exit(1 if state.is_failed() else 0)


def run_backfill(choice: Choice, options: Options, dry_run: bool, as_json: bool) -> None:
    """Runs the backfill, or shows what it would do."""
    choice.check()  # before Prefect is loaded, or a server started
    from dynosaur_core.clients import open_clients
    from flows.backfill import backfill, check_choice, chosen_forecast

    if dry_run:
        show_forecast(chosen_forecast(choice, options), as_json)
        return
    check_choice(open_clients(options.settings()), choice)
    run_growth(lambda: backfill(choice, options=options, return_state=True), options, as_json)


def run_release(options: Options, verify: bool, as_json: bool) -> None:
    """Runs the release flow; exit status 1 where a release was not made."""
    from dynosaur_core.clients import open_clients
    from flows.command.screen import Screen
    from flows.progress import listening
    from flows.release import release, sink_of

    settings = options.settings()
    if not settings.release:
        raise DynosaurError(Code.BAD_SETTING, "no release is set: give --release or DYNOSAUR_RELEASE")
    clients = open_clients(settings)
    # a store that is not there, or an address that is none, ends here, before a flow run exists
    clients.join()
    _ = [sink_of(clients, url) for url in settings.release]
    screen = Screen()
    given = options.model_dump(include={"store", "release", "adopt", "withdraw_many"})
    with screen, listening(screen.listen):
        state = release(**given, verify=verify, return_state=True)
    if screen.released is None:
        raise _end_of(state)
    if as_json:
        print_json(screen.released)
    else:
        screen.show_released(settings)
    raise typer.Exit(1 if screen.released.release_errors else 0)


def show_forecast(forecast: Forecast, as_json: bool) -> None:
    if as_json:
        print_json(forecast)
        return
    from flows.command.screen import Screen

    Screen().show_forecast(forecast)


def _end_of(state: Any) -> BaseException:
    """Why a flow run ended before it had anything to tell."""
    error = state.result(raise_on_failure=False)
    return error if isinstance(error, BaseException) else RuntimeError(state.message)
