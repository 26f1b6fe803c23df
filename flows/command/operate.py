"""The commands of an operator: deploy, serve."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from dynosaur_core.errors import Code, DynosaurError
from flows.command.arguments import AsJson, print_json
from flows.command.deploy import Deployed
from flows.command.screen import Screen

app = typer.Typer()

Notify = Annotated[
    str | None,
    typer.Option(
        metavar="WHERE",
        help="Where alarms go: a webhook's address (also Slack's), or TYPE/NAME of a notification block.",
    ),
]
By = Annotated[
    str | None,
    typer.Option(metavar="HH:MM", help="Alarm when a nightly growth has not begun by then; 3 hours late if not given."),
]


@dataclass(frozen=True)
class Wanted:
    """The options of `dynosaur deploy`."""

    reset: bool = False
    notify: str | None = None
    by: str | None = None


def bring_all(client: Any, folder: Path, wanted: Wanted) -> list[Deployed]:
    """Brings pool, deployments and alarms to the server; raises BadSetting before it changes anything."""
    from flows.command.alarms import check_alarms, set_alarms
    from flows.command.deploy import deploy

    check_alarms(client, wanted.notify, wanted.by)
    return [*deploy(client, folder, wanted.reset), *set_alarms(client, wanted.notify, wanted.by)]


@app.command()
def deploy(
    notify: Notify = None,
    by: By = None,
    reset: Annotated[
        bool, typer.Option("--reset", help="Take back what was changed on the server: schedules, parameters...")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Bring pool, deployments and alarms to the Prefect server."""
    from prefect.client.orchestration import get_client
    from prefect.settings import PREFECT_API_URL

    from flows.command.deploy import find_folder, show_deployed

    if not PREFECT_API_URL.value():
        said = "no server is set: export PREFECT_API_URL=http://127.0.0.1:4200/api, or run `dynosaur serve`"
        raise DynosaurError(Code.BAD_SETTING, said)
    with get_client(sync_client=True) as client:
        done = bring_all(client, find_folder(), Wanted(reset, notify, by))
    if as_json:
        print_json(done)
    else:
        show_deployed(done, Screen())


@app.command()
def serve(
    host: Annotated[str, typer.Option(metavar="HOST", help="Listen at this address; 0.0.0.0 is all.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65_535, metavar="N", help="Listen at this port.")] = 4200,
    url: Annotated[
        str | None,
        typer.Option(metavar="URL", help="The address that browsers reach it under, where it is another one."),
    ] = None,
    notify: Notify = None,
    by: By = None,
) -> None:
    """Prefect's server with its UI, the deployments and a worker."""
    from flows.command.deploy import find_folder
    from flows.command.serve import PartEndedError
    from flows.command.serve import serve as run

    given = [f"--{name}={value}" for name, value in (("notify", notify), ("by", by)) if value is not None]
    try:
        run(host, port, url, find_folder(), given)
    except PartEndedError as error:
        Screen().line(f"dynosaur: {error}")
        raise typer.Exit(1) from error
