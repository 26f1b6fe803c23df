"""`dynosaur deploy`: what stands in prefect.yaml, on the Prefect server. What people changed there since stays."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml

from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.results import Result
from flows.command.screen import Screen

POOL, NIGHTLY = "dynosaur", "nightly"
FILE = "prefect.yaml"
_KNOWN = {
    *("name", "entrypoint", "description", "tags", "schedules", "concurrency_limit", "parameters", "work_pool"),
    *("paused", "pull", "enforce_parameter_schema"),
}


class Deployed(Result):
    """What became of one part of the server."""

    part: str
    done: Literal["made", "renewed", "kept"]
    detail: str = ""


@dataclass(frozen=True)
class Declared:
    """One deployment as the file declares it, in the fields of Prefect's API."""

    name: str
    entrypoint: str
    code: dict[str, Any]
    """What follows the code: renewed each time."""
    choices: dict[str, Any] = field(default_factory=dict)
    """What people change on the server: set once."""


def deploy(client: Any, folder: Path, reset: bool) -> Iterator[Deployed]:
    """Brings the work pool and the deployments of `folder`'s file to the server; `reset` takes back what was changed
    there by hand. Raises BadSetting where the file cannot be used; nothing is changed then."""
    declared = read_file(folder)
    for pool in sorted({each.code["work_pool_name"] for each in declared}):
        yield _pool(client, pool)
    for each in declared:
        yield _deployment(client, folder, each, reset)


def find_folder() -> Path:
    """The checkout: the working folder, or where this code lies. Raises BadSetting where neither has the file."""
    places = [Path.cwd(), Path(__file__).parents[2]]
    found = next((place for place in places if (place / FILE).is_file()), None)
    if found is None:
        told = " and ".join(dict.fromkeys(map(str, places)))
        raise DynosaurError(Code.BAD_SETTING, f"no {FILE} in {told}: run it in a checkout of Dynosaur")
    return found


def read_file(folder: Path) -> list[Declared]:
    """The deployments of the file; raises BadSetting where it is no such file, or says what is not understood."""
    from prefect.utilities.templating import apply_values

    path = folder / FILE
    try:
        # the variables as Prefect's own command fills them in, and the folder as if it were run there
        whole: Any = apply_values(yaml.safe_load(path.read_text("utf-8")), {**os.environ, "PWD": str(folder)}, False)
        return [_declared(each, whole.get("pull") or []) for each in whole["deployments"]]
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise DynosaurError(Code.BAD_SETTING, f"{path} cannot be read: {error}") from error
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise DynosaurError(Code.BAD_SETTING, f"{path} is no file of deployments: {error!r}") from error


def _declared(given: Mapping[str, Any], pull: list[Any]) -> Declared:
    from prefect.client.schemas.actions import DeploymentScheduleCreate
    from prefect.client.schemas.schedules import construct_schedule

    if unknown := sorted(given.keys() - _KNOWN):
        raise ValueError(f"{given.get('name')}: `dynosaur deploy` does not know {', '.join(unknown)}")
    pool, limit = given["work_pool"], given.get("concurrency_limit")
    code = {
        "description": given.get("description"),
        "entrypoint": given["entrypoint"],
        "work_pool_name": pool["name"],
        "work_queue_name": pool.get("work_queue_name"),
        "pull_steps": given.get("pull", pull),
        "enforce_parameter_schema": given.get("enforce_parameter_schema", True),
    }
    schedules = []
    for item in given.get("schedules") or []:
        when = {key: item[key] for key in ("cron", "interval", "rrule", "anchor_date", "timezone") if key in item}
        rest = {key: value for key, value in item.items() if key not in when}
        schedules.append(DeploymentScheduleCreate(schedule=construct_schedule(**when), **rest))
    choices = {
        "schedules": schedules,
        "parameters": given.get("parameters") or {},
        "job_variables": pool.get("job_variables") or {},
        "tags": given.get("tags") or [],
        "paused": bool(given.get("paused")),
        "concurrency_limit": limit["limit"] if isinstance(limit, Mapping) else limit,
        "concurrency_options": _options(limit),
    }
    return Declared(given["name"], given["entrypoint"], code, choices)


def _options(limit: Any) -> Any:
    from prefect.client.schemas.objects import ConcurrencyOptions

    return (
        ConcurrencyOptions(**{k: v for k, v in limit.items() if k != "limit"}) if isinstance(limit, Mapping) else None
    )


def _pool(client: Any, name: str) -> Deployed:
    from prefect.client.schemas.actions import WorkPoolCreate
    from prefect.exceptions import ObjectNotFound
    from prefect.workers.process import ProcessWorker

    part = f"work pool {name}"
    try:
        there = client.read_work_pool(name)
    except ObjectNotFound:
        template = ProcessWorker.get_default_base_job_template()
        client.create_work_pool(WorkPoolCreate(name=name, type="process", base_job_template=template))
        return Deployed(part=part, done="made", detail="processes of a worker's machine")
    limit = "" if there.concurrency_limit is None else f", at most {there.concurrency_limit} runs at once"
    paused = ", paused: it hands out no run until someone resumes it" if there.is_paused else ""
    return Deployed(part=part, done="kept", detail=f"of type {there.type}{limit}{paused}")


def _deployment(client: Any, folder: Path, declared: Declared, reset: bool) -> Deployed:
    from prefect.client.schemas.actions import DeploymentUpdate
    from prefect.exceptions import ObjectNotFound
    from prefect.flows import load_flow_from_entrypoint
    from prefect.utilities.callables import parameter_schema

    flow: Any = load_flow_from_entrypoint(str(folder / declared.entrypoint), use_placeholder_flow=False)
    form = parameter_schema(flow)
    code = {**declared.code, "parameter_openapi_schema": form.model_dump(exclude_unset=True)}
    part = f"deployment {flow.name}/{declared.name}"
    try:
        there = client.read_deployment_by_name(f"{flow.name}/{declared.name}")
    except ObjectNotFound:
        client.create_deployment(client.create_flow_from_name(flow.name), declared.name, **code, **declared.choices)
        return Deployed(part=part, done="made", detail=_told(declared.choices["schedules"], declared.choices))
    outdated = sorted(there.parameters.keys() - form.properties.keys())
    changed = _changed(there, declared.choices)
    back = set(changed) if reset else {"parameters"} if outdated else set()
    renewed = {name: value for name, value in code.items() if getattr(there, name) != value}
    update = renewed | {name: declared.choices[name] for name in back}
    if "schedules" in back:
        update["schedules"] = [item.model_dump(exclude_unset=True) for item in declared.choices["schedules"]]
    if "concurrency_limit" in back:
        update["concurrency_options"] = declared.choices["concurrency_options"]
    if update:  # of no use otherwise, and the server would make its scheduled runs anew
        client.update_deployment(there.id, DeploymentUpdate(**update))
    kept = [text for name, text in changed.items() if name not in back]
    details = [f"as changed on the server: {'; '.join(kept)} (--reset takes that back)"] if kept else []
    if outdated:
        details.append(f"parameters of an earlier version were dropped: {', '.join(outdated)}")
    elif back:
        details.append(f"taken back from {FILE}: {', '.join(sorted(back))}")
    return Deployed(part=part, done="renewed" if update else "kept", detail="; ".join(details))


def _changed(there: Any, choices: Mapping[str, Any]) -> dict[str, str]:
    """What differs on the server from the file: the API's field, and a sentence's part."""
    stands = {
        "schedules": _schedules(there.schedules),
        "parameters": there.parameters,
        "job_variables": there.job_variables,
        "tags": sorted(there.tags),
        "paused": there.paused,
        "concurrency_limit": there.global_concurrency_limit and there.global_concurrency_limit.limit,
    }
    file = {**choices, "schedules": _schedules(choices["schedules"]), "tags": sorted(choices["tags"])}
    # values of parameters and variables may be private, and are not repeated
    shown = {"schedules": there.schedules and when(there.schedules), "concurrency_limit": stands["concurrency_limit"]}
    return {
        name: f"{name.replace('_', ' ')} {shown[name] or 'none'}" if name in shown else name.replace("_", " ")
        for name, value in stands.items()
        if value != file[name]
    }


def _schedules(schedules: Any) -> list[Any]:
    return [(item.schedule.model_dump(mode="json"), item.active, item.parameters) for item in schedules]


def _told(schedules: Any, choices: Mapping[str, Any]) -> str:
    limit = choices["concurrency_limit"]
    return ", ".join(filter(None, [when(schedules), f"{limit} at once" if limit else ""]))


def when(schedules: Any) -> str:
    """Schedules for a person: `0 3 * * * UTC`."""
    told = []
    for item in schedules:
        rule = item.schedule
        text = getattr(rule, "cron", None) or getattr(rule, "rrule", None) or f"every {rule.interval}"
        told.append(f"{text} {rule.timezone or 'UTC'}{'' if item.active else ' (switched off)'}")
    return ", ".join(told)


def show_deployed(deployed: list[Deployed], screen: Screen) -> None:
    for each in deployed:
        screen.line(f"{each.done:<8} {each.part}" + (f": {each.detail}" if each.detail else ""))
