"""Brings the sinks up to what the store holds."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from prefect import flow, get_run_logger
from prefect.states import Completed, State

from dynosaur_core.clients import Clients, open_clients
from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.growth import contribution_name
from dynosaur_core.models import Contribution
from dynosaur_core.publish.release import make_release
from dynosaur_core.publish.sinks import open_sink
from dynosaur_core.report import GrowthReport
from flows.ending import failed
from flows.options import Options
from flows.progress import tell


@flow(name="release", persist_result=False)
def release(store: str | None = None, release: list[str] | None = None) -> State[Any]:
    """Makes the releases of what the store holds, without growing.

    Args:
        store: Folder or fsspec URL of what is kept between growths. Default: DYNOSAUR_STORE.
        release: Where the release goes. Default: DYNOSAUR_RELEASE.
    """
    clients = open_clients(Options(store=store, release=release).settings())
    done, errors = release_to_sinks(clients)
    data = {"release": done, "release_errors": errors}
    tell("released", data)
    if errors:
        return failed("; ".join(errors.values()))
    return Completed(message=f"{len(done)} releases up to date", data=data)


def release_everywhere(clients: Clients, report: GrowthReport) -> None:
    """Releases to every sink of the settings; what could not be made stands in the report."""
    report.releases, report.release_errors = release_to_sinks(clients)


def release_to_sinks(clients: Clients) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    """Per sink: version, records and whether it changed; or the error. One sink's failure leaves the others alone."""
    log = get_run_logger()
    done: dict[str, dict[str, Any]] = {}
    errors: dict[str, str] = {}
    for url in clients.settings.release:
        tell("release", url)
        try:
            sink = open_sink(url, clients.settings.releasing)
            outcome = make_release(
                Contributions(clients),
                sink,
                clients.store,
                clients.settings.releasing,
                datetime.now(UTC),
                clients.ledger.removals(),
                names=lambda: dict(clients.ledger.contributions()),
            )
        except DynosaurError as error:
            log.error("release to %s: %s", url, error)
            errors[url] = f"{url}: {error}"
            continue
        done[url] = {"version": outcome.version, "records": outcome.records, "changed": outcome.changed}
        log.info("release %s: version %d, %d records", url, outcome.version, outcome.records)
    return done, errors


class Contributions:
    """What belongs into the release, read anew each time it is gone through."""

    def __init__(self, clients: Clients) -> None:
        self.clients = clients

    def __iter__(self) -> Iterator[Contribution]:
        for repo_id, name in self.clients.ledger.contributions():
            yield read_contribution(self.clients, repo_id, name)


def read_contribution(clients: Clients, repo_id: str, name: str) -> Contribution:
    """The contribution that the ledger names; raises StoreFailed where the store has lost it."""
    data = clients.store.read_bytes(contribution_name(name))
    if data is None:
        message = f"the contribution of {repo_id} is missing from the store; run `dynosaur backfill {repo_id}`"
        raise DynosaurError(Code.STORE_FAILED, message)
    return Contribution.model_validate_json(data)
