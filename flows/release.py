"""Brings the sinks up to what the store holds."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

from prefect import flow, get_run_logger
from prefect.client.schemas.objects import State
from prefect.states import Completed

from dynosaur_core.clients import Clients, open_clients
from dynosaur_core.contributions import Contributions, holds_contribution
from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.models import Removal
from dynosaur_core.publish.release import make_release
from dynosaur_core.publish.sinks import Sink, open_sink
from dynosaur_core.publish.standing import Maker, standing
from dynosaur_core.report import GrowthReport
from dynosaur_core.results import Released, ReleaseOutcome
from dynosaur_core.withdrawals import check_withdrawals, reasons
from flows.ending import failed
from flows.options import Options
from flows.progress import ReleasesEnded, Releasing, tell


@flow(name="release", persist_result=False)
def release(
    store: str | None = None,
    release: list[str] | None = None,
    verify: bool = False,
    adopt: bool = False,
    withdraw_many: bool = False,
) -> State[Any]:
    """Makes the releases of what the store holds, without growing; what is missing or damaged there is mended.

    Args:
        store: Folder or fsspec URL of what is kept between growths. Default: DYNOSAUR_STORE.
        release: Where the release goes. Default: DYNOSAUR_RELEASE.
        verify: Compare the content of all data files with the manifest, not their sizes alone.
        adopt: The release was made from another store, or its manifest is broken: from now on it is this store's.
        withdraw_many: More datasets are to leave the release than may by mistake.
    """
    options = Options(store=store, release=release, adopt=adopt, withdraw_many=withdraw_many)
    clients = open_clients(options.settings())
    clients.join(write=True)
    released = release_to_sinks(clients, options, verify=verify)
    tell(ReleasesEnded(released))
    if released.release_errors:
        return failed("; ".join(released.release_errors.values()))
    return Completed(message=f"{len(released.release)} releases up to date", data=released.as_json())


def release_everywhere(clients: Clients, options: Options, report: GrowthReport) -> None:
    """Releases to every sink of the settings; what could not be made stands in the report."""
    released = release_to_sinks(clients, options)
    report.releases, report.release_errors = released.release, released.release_errors


def check_releases(clients: Clients, options: Options) -> None:
    """For a store that has grown nothing yet: raises ForeignStore where a release of another one, or
    somebody's own files, stand already.

    A mistyped store would else be grown, and paid for, before its release is refused.
    """
    if next(iter(clients.ledger.contributions()), None):
        return
    for url in clients.settings.release:
        maker, sink = _maker(clients, options), sink_of(clients, url)
        try:
            standing(sink, maker, datetime.now(UTC), verify=False)
        except DynosaurError as error:
            if error.code in (Code.FOREIGN_STORE, Code.GROWTH_RUNNING):
                raise
            # the release itself will say so, and it may do by then
            get_run_logger().warning("release to %s: %s", url, error)


def sink_of(clients: Clients, url: str) -> Sink:
    """The sink of one of the settings' addresses; raises BadSetting for an address that is none."""
    return open_sink(url, clients.settings.releasing, clients.settings.store)


def _maker(clients: Clients, options: Options) -> Maker:
    """What a release is made under: the store's id, the growth's number, and how much may leave."""

    def may_leave(leaving: Sequence[Removal], held: int) -> None:
        if not options.withdraw_many:
            check_withdrawals(len(leaving), held, clients.settings, reasons(leaving), "a release")

    return Maker(
        store=clients.join(create=True),
        holds=partial(holds_contribution, clients.store),
        growth=clients.ledger.growth_number,
        may_leave=may_leave,
        adopt=options.adopt,
    )


def release_to_sinks(clients: Clients, options: Options, *, verify: bool = False) -> Released:
    """Per sink what stands there now, or the error. One sink's failure leaves the others alone."""
    log = get_run_logger()
    done: dict[str, ReleaseOutcome] = {}
    errors: dict[str, str] = {}
    for url in clients.settings.release:
        tell(Releasing(url))
        try:
            sink = sink_of(clients, url)
            outcome = make_release(
                Contributions(clients.ledger, clients.store),
                sink,
                clients.store,
                clients.settings.releasing,
                datetime.now(UTC),
                clients.ledger.removals(),
                names=lambda: dict(clients.ledger.contributions()),
                maker=_maker(clients, options),
                verify=verify,
            )
        except DynosaurError as error:
            if error.code is Code.GROWTH_RUNNING:  # this growth is over, and its report would be the other one's
                raise
            log.error("release to %s: %s", url, error)
            errors[url] = f"{url}: {error}"
            continue
        done[url] = outcome
        log.info("release %s: version %d, %d records", url, outcome.version, outcome.records)
    return Released(release=done, release_errors=errors)
