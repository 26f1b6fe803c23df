"""`dynosaur doctor`: tries every part that a growth needs, and says what to do about each."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import islice

from dynosaur_core.clients import Clients, open_clients
from dynosaur_core.contributions import holds_contribution
from dynosaur_core.digest import digest
from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.identity import check_release
from dynosaur_core.publish.sinks import open_sink
from flows.command.findings import Finding
from flows.command.screen import Screen
from flows.options import Options


def examine(options: Options) -> list[Finding]:
    """One finding per part."""
    try:
        settings = options.settings()
    except DynosaurError as error:
        return [_failed("settings", error)]
    clients = open_clients(settings)
    parts: list[tuple[str, Callable[[], str]]] = [
        (f"store {settings.store}", lambda: _store(clients)),
        ("ledger", lambda: _ledger(clients)),
        (f"catalogue {settings.catalog}", lambda: _catalog(clients)),
    ]
    if settings.asks_model:
        parts.append((f"model {settings.model}", lambda: _model(clients)))
    parts += [(f"release {url}", partial(_release, clients, url)) for url in settings.release]
    findings = [_finding(part, examination) for part, examination in parts]
    prefect = _finding("prefect", _prefect)
    if prefect.ok:
        return [*findings, prefect, *_nightly(), _prefect_parts()]
    from flows.command.prefect_parts import PREFECT_ADVICE

    return [*findings, prefect.model_copy(update={"what_to_do": PREFECT_ADVICE}), _prefect_parts()]


def show_findings(findings: list[Finding], screen: Screen) -> None:
    for finding in findings:
        how = "FAILED" if not finding.ok else "note  " if finding.what_to_do else "ok    "
        screen.line(f"{how}  {finding.part}")
        screen.indented(finding.found)
        if finding.what_to_do:
            screen.indented(f"-> {finding.what_to_do}")


def _finding(part: str, examination: Callable[[], str]) -> Finding:
    try:
        return Finding(part=part, ok=True, found=examination(), what_to_do="")
    except DynosaurError as error:
        return _failed(part, error)


def _failed(part: str, error: DynosaurError) -> Finding:
    return Finding(part=part, ok=False, found=str(error), what_to_do=error.policy.advice)


def _store(clients: Clients) -> str:
    name = f"doctor/{digest(clients.store.url)}.json"
    clients.store.write_json(name, {"written": True})
    if clients.store.read_json(name) != {"written": True}:
        raise DynosaurError(Code.STORE_FAILED, "what was written cannot be read back")
    return "can be written and read"


def _ledger(clients: Clients) -> str:
    clients.join(create=True)
    return f"{sum(clients.ledger.counts().values()):,} datasets known"


def _catalog(clients: Clients) -> str:
    first = [ref.repo_id for ref in islice(clients.catalog.list(), 3)]
    return "lists " + (", ".join(first) + ", ..." if first else "nothing")


def _model(clients: Clients) -> str:
    capability = clients.llm().check()
    return f"answers; structured output: {capability.structured}"


def _release(clients: Clients, url: str) -> str:
    release, _ = open_sink(url, clients.settings.releasing, clients.settings.store).manifest()
    if release:
        holds = partial(holds_contribution, clients.store)
        check_release(release, url, clients.join(create=True), holds, adopt=False)
    return f"version {release.version}, {release.records:,} records" if release else "nothing released yet"


def _prefect() -> str:
    from flows.command.prefect_parts import try_schedule

    return try_schedule()


def _nightly() -> list[Finding]:
    from flows.command.nightly import examine_nightly

    return examine_nightly()


def _prefect_parts() -> Finding:
    """A pair that nobody has tried is no failure: whether it works, the part before this one has tried."""
    from flows.command.prefect_parts import PARTS_ADVICE, installed, misfits

    odd = misfits(installed())
    found = "; ".join(odd) or "the versions that the tests ran with"
    advice = PARTS_ADVICE if odd else ""
    return Finding(part="what Prefect stands on", ok=True, found=found, what_to_do=advice)
