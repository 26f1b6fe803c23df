"""What the command says of Prefect: whether its server answers and schedules, and with parts that it was tried with."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, requires, version
from typing import Any
from uuid import uuid4

from packaging.requirements import Requirement
from packaging.version import Version

from dynosaur_core.errors import Code, DynosaurError

PREFECT_ADVICE = "Start it (`dynosaur serve`, `prefect server start`), or correct PREFECT_API_URL; `grow` needs none."
PARTS_ADVICE = "Install with constraints.txt (`make install`), or pin the package that is named."
TESTED = {
    "prefect": "3.8.8",
    "aiosqlite": "0.22.1",
    "alembic": "1.20.1",
    "asyncpg": "0.32.0",
    "fastapi": "0.150.0",
    "httpx": "0.28.1",
    "pydantic": "2.14.3",
    "pydocket": "0.27.0",
    "sqlalchemy": "2.0.58",
    "starlette": "1.10.0",
    "uvicorn": "0.54.0",
    "websockets": "16.1.1",
}
"""What Prefect's server stands on, in the versions that the tests ran with (those of constraints.txt). Prefect's own
requirements allow later ones, and two of them broke it: with fastapi 0.151 the server did not start, with sqlalchemy
2.1 it could not insert scheduled runs."""


def installed() -> dict[str, str]:
    """Versions of Prefect and of what it requires, as far as they are installed."""
    found: dict[str, str] = {}
    for name in ("prefect", *(requirement.name for requirement in _required())):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue  # of another system or Python
    return found


def misfits(versions: Mapping[str, str]) -> list[str]:
    """One sentence for each package that Prefect does not promise to work with: outside of its requirements, or of a
    later minor version than the one that was tested with it."""
    found: list[str] = []
    prefect = f"prefect {versions['prefect']}"
    for requirement in _required():
        have = versions.get(requirement.name)
        if have and not requirement.specifier.contains(have, prereleases=True):
            found.append(f"{prefect} requires {requirement.name}{requirement.specifier}, and {have} is installed")
    for name, tested in TESTED.items():
        have = versions.get(name)
        if have and _minor(have) > _minor(tested):
            found.append(f"{prefect} with {name} {have} is not a tested pair: {tested} is")
    return found


def try_schedule() -> str:
    """Lets Prefect's server schedule a flow run and removes it again. Raises ConnectionFailed where it does not."""
    import httpx
    from prefect.client.orchestration import get_client
    from prefect.exceptions import PrefectException
    from prefect.settings import PREFECT_API_URL

    where = PREFECT_API_URL.value()
    server = f"Prefect's server at {where}" if where else "Prefect's temporary server"
    try:
        with get_client(sync_client=True) as client:
            if error := client.api_healthcheck():
                raise DynosaurError(Code.CONNECTION_FAILED, f"{server} does not answer: {_first_line(error)}")
            count = _scheduled_runs(client._client)
    except (PrefectException, RuntimeError, OSError, httpx.HTTPError) as failure:
        message = f"{server} does not start or schedule: {_first_line(failure)}"
        raise DynosaurError(Code.CONNECTION_FAILED, message) from failure
    if not count:
        raise DynosaurError(Code.CONNECTION_FAILED, f"{server} took a schedule and scheduled no run")
    kept = f"server at {where}" if where else "a temporary server starts; `prefect server start` keeps one with a UI"
    return f"{kept}; it schedules"


def _first_line(error: BaseException) -> str:
    """What follows it are links to pages on HTTP."""
    return next(iter(str(error).splitlines()), type(error).__name__)


def _scheduled_runs(http: Any) -> int:
    """How many runs the server makes of a schedule, by the code that its scheduler runs."""

    def post(path: str, body: dict[str, Any]) -> Any:
        answer = http.post(path, json=body)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    flow = post("/flows/", {"name": f"dynosaur doctor {uuid4().hex[:8]}"})
    try:
        schedule = {"schedule": {"interval": 86_400}, "active": True}
        given = {"name": "trial", "flow_id": flow["id"], "schedules": [schedule]}
        deployment = post("/deployments/", given)
        post(f"/deployments/{deployment['id']}/schedule", {"min_runs": 1, "max_runs": 2})
        return int(post("/flow_runs/count", {"deployments": {"id": {"any_": [deployment["id"]]}}}))
    finally:
        http.delete(f"/flows/{flow['id']}")  # its deployment and runs go with it


def prefect_away(error: BaseException) -> DynosaurError | None:
    """Prefect's server that does not answer as an error with one sentence; None for any other error."""
    import httpx
    from prefect.exceptions import PrefectException
    from prefect.settings import PREFECT_API_URL

    unreachable = isinstance(error, RuntimeError) and re.search("reach API|Prefect API", str(error))
    if not unreachable and not isinstance(error, PrefectException | httpx.HTTPError):
        return None
    where = PREFECT_API_URL.value() or "a temporary server"
    first = (str(error).strip().splitlines() or [""])[0]
    said = f"{type(error).__name__}: {first}" if first else type(error).__name__
    return DynosaurError(Code.CONNECTION_FAILED, f"Prefect ({where}) does not answer: {said}")


def _required() -> list[Requirement]:
    """What Prefect requires here, without its extras."""
    every = map(Requirement, requires("prefect") or ())
    return [item for item in every if item.marker is None or item.marker.evaluate({"extra": ""})]


def _minor(text: str) -> tuple[int, ...]:
    return Version(text).release[:2]
