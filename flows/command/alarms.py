"""The alarms of the nightly growth: automations of the Prefect server, which notify by a block of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.secrets import remember
from flows.command.deploy import NIGHTLY, Deployed

BLOCK = "dynosaur-alarm"
LATE = timedelta(hours=3)
"""How long after its time a growth may begin, where nobody says by when."""
_WEB = re.compile(r"https?://[^/\s]")
_SLACK = re.compile(r"https://hooks\.slack(-gov)?\.com/services/")
_BLOCK = re.compile(r"([a-z0-9-]+)/([A-Za-z0-9_-]+)")
_RUN = "prefect.flow-run."
_ENDS = {f"{_RUN}{state}" for state in ("Completed", "Failed", "Crashed", "TimedOut")}
_BEGINS = {*_ENDS, f"{_RUN}Running", f"{_RUN}Cancelled", f"{_RUN}Cancelling"}
_TEXT = "{{ flow_run.name }} ended {{ flow_run.state.name }}: {{ flow_run.state.message }}\n{{ flow_run|ui_url }}"


@dataclass(frozen=True)
class Alarm:
    """One automation. A trigger that expects events within a time fires when they do not come."""

    name: str
    description: str
    subject: str
    body: str
    expect: set[str]
    after: set[str]
    for_each: set[str]
    periods: int = 0
    """Periods of the schedule that pass in the time; the time within which a growth may begin is added to them."""


ALARMS = (
    Alarm(
        name="dynosaur: a growth failed",
        description="A run of grow/nightly ended Failed, Crashed or TimedOut.",
        subject="Dynosaur: a growth failed",
        body=_TEXT,
        expect=_ENDS - {f"{_RUN}Completed"},
        after=set(),
        for_each=set(),
    ),
    Alarm(
        name="dynosaur: a growth did not begin",
        description="A run of grow/nightly is late, and has not begun by the hour that `dynosaur deploy --by` set.",
        subject="Dynosaur: a growth did not begin",
        body="{{ flow_run.name }} was due at {{ flow_run.expected_start_time }} and has not begun. Does a worker "
        "listen to the pool dynosaur? `dynosaur doctor` tells.\n{{ flow_run|ui_url }}",
        expect=_BEGINS,
        after={f"{_RUN}Late"},
        for_each={"prefect.resource.id"},
    ),
    Alarm(
        name="dynosaur: no growth has ended",
        description="Since the last run of grow/nightly ended a whole period has passed in which none did.",
        subject="Dynosaur: no growth has ended since the last one",
        body="The last growth that ended was {{ flow_run.name }}, at {{ flow_run.end_time }}. The next one hangs, was "
        "never scheduled, or its worker is gone; `dynosaur doctor` tells.\n{{ flow_run|ui_url }}",
        expect=_ENDS,
        after=_ENDS,
        for_each=set(),
        periods=1,
    ),
)


def check_alarms(client: Any, notify: str | None, by: str | None) -> None:
    """Raises BadSetting where an option of `set_alarms` says nothing that it understands."""
    if notify is not None:
        remember(notify)
        named = _BLOCK.fullmatch(notify)
        if not _WEB.match(notify) and not (named and _document(client, named[2], named[1])):
            wanted = "https://..., or TYPE/NAME of a notification block of the server (`prefect block ls` lists them)"
            raise DynosaurError(
                Code.BAD_SETTING, f"--notify: neither a web address nor a block that is there: {wanted}"
            )
    if by is not None:
        _hour(by)


def set_alarms(client: Any, notify: str | None, by: str | None) -> Iterator[Deployed]:
    """Makes the automations that are not there. `notify` is the address of a webhook, or `TYPE/NAME` of a notification
    block of the server; without it those that are there go on as they are. `by` is an hour `HH:MM` in the schedule's
    time zone. Raises BadSetting where the growth has no schedule that `by` could refer to."""
    there = {alarm.name: client.read_automations_by_name(alarm.name) for alarm in ALARMS}
    block = _block(client, notify) if notify else None
    if not notify and not all(there.values()):
        block = _block_of(client)
        if block is None:
            detail = "none: `dynosaur deploy --notify https://...` says where they go"
            yield Deployed(part="alarms", done="kept", detail=detail)
            return
    deployment = client.read_deployment_by_name(f"grow/{NIGHTLY}")
    starts = next_starts(client, deployment)
    late = LATE if by is None else _late(deployment, starts, _hour(by))
    for alarm in ALARMS:
        within = alarm.periods * period_of(starts) + late
        yield _set(client, alarm, there[alarm.name], block, within, by is not None)


def _set(client: Any, alarm: Alarm, there: list[Any], block: UUID | None, within: timedelta, by: bool) -> Deployed:
    part = f"alarm {alarm.name.removeprefix('dynosaur: ')}"
    if not there:
        assert block
        client.create_automation(_automation(alarm, block, within))
        return Deployed(part=part, done="made", detail="" if not alarm.after else f"within {_hours(within)}")
    [stands, *_] = there
    changes: list[str] = []
    if block:
        stands.actions = _actions(alarm, block)
        changes.append("where it notifies")
    if by and alarm.after:
        stands.trigger.within = within
        changes.append(f"within {_hours(within)}")
    if changes:
        core = stands.model_dump(exclude={"id", "owner_resource"})
        client.update_automation(stands.id, type(_automation(alarm, UUID(int=0), within)).model_validate(core))
    switched_off = [] if stands.enabled else ["switched off"]
    return Deployed(part=part, done="renewed" if changes else "kept", detail=", ".join(changes + switched_off))


def _automation(alarm: Alarm, block: UUID, within: timedelta) -> Any:
    from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture

    trigger = EventTrigger(
        match={"prefect.resource.id": f"{_RUN}*"},
        # by its name: a deployment that is deleted and made anew keeps its alarms
        match_related=[
            {"prefect.resource.role": "deployment", "prefect.resource.name": NIGHTLY},
            {"prefect.resource.role": "flow", "prefect.resource.name": "grow"},
        ],
        expect=alarm.expect,
        after=alarm.after,
        for_each=alarm.for_each,
        posture=Posture.Proactive if alarm.after else Posture.Reactive,
        threshold=1,
        within=within if alarm.after else timedelta(0),
    )
    return AutomationCore(
        name=alarm.name, description=alarm.description, trigger=trigger, actions=_actions(alarm, block)
    )


def _actions(alarm: Alarm, block: UUID) -> list[Any]:
    from prefect.events.actions import SendNotification

    return [SendNotification(block_document_id=block, subject=alarm.subject, body=alarm.body)]


def _block(client: Any, notify: str) -> UUID:
    """The block that notifies; made for the address of a webhook, which it keeps encrypted, as a secret."""
    from prefect.blocks.notifications import CustomWebhookNotificationBlock, SlackWebhook

    if named := _BLOCK.fullmatch(notify):
        return UUID(str(client.read_block_document_by_name(named[2], named[1]).id))
    block: Any
    if _SLACK.match(notify):
        block = SlackWebhook(url=notify)
    else:
        text = {"subject": "{{subject}}", "body": "{{body}}", "text": "{{subject}}\n{{body}}"}
        block = CustomWebhookNotificationBlock(
            name="dynosaur", url="{{address}}", json_data=text, secrets={"address": notify}
        )
    return UUID(str(block.save(BLOCK, overwrite=True)))


def _block_of(client: Any) -> UUID | None:
    """The block that an earlier `--notify` made."""
    for kind in ("custom-webhook", "slack-webhook"):
        if found := _document(client, BLOCK, kind):
            return found
    return None


def _document(client: Any, name: str, kind: str) -> UUID | None:
    from prefect.exceptions import ObjectNotFound

    try:
        return UUID(str(client.read_block_document_by_name(name, kind).id))
    except ObjectNotFound:
        return None


def next_starts(client: Any, deployment: Any) -> list[datetime]:
    """When a deployment's next runs are due, the earliest first, as the server schedules them; none without an active
    schedule."""
    from prefect.client.schemas.filters import FlowRunFilter
    from prefect.client.schemas.sorting import FlowRunSort

    client.request(
        "POST", "/deployments/{id}/schedule", path_params={"id": deployment.id}, json={"min_runs": 8, "max_runs": 8}
    )
    chosen = {"deployment_id": {"any_": [deployment.id]}, "state": {"type": {"any_": ["SCHEDULED"]}}}
    runs = client.read_flow_runs(
        flow_run_filter=FlowRunFilter.model_validate(chosen), sort=FlowRunSort.EXPECTED_START_TIME_ASC
    )
    return [run.expected_start_time for run in runs if run.auto_scheduled]


def period_of(starts: list[datetime]) -> timedelta:
    """The longest time between two runs; a day where there are not two."""
    gaps = (later - earlier for earlier, later in pairwise(starts))
    return max(gaps, default=timedelta(days=1))


def _hour(by: str) -> time:
    try:
        return datetime.strptime(by, "%H:%M").time()
    except ValueError:
        raise DynosaurError(Code.BAD_SETTING, "--by is an hour of the day, such as 06:00") from None


def _late(deployment: Any, starts: list[datetime], hour: time) -> timedelta:
    """How long after its time a growth may begin, so that it has begun by that hour."""
    if not starts:
        raise DynosaurError(Code.BAD_SETTING, f"--by: grow/{NIGHTLY} has no schedule that is switched on")
    zone = next((ZoneInfo(item.schedule.timezone) for item in deployment.schedules if item.schedule.timezone), None)
    due = starts[0].astimezone(zone or ZoneInfo("UTC"))
    end = due.replace(hour=hour.hour, minute=hour.minute, second=0, microsecond=0)
    return end - due if end > due else end + timedelta(days=1) - due


def _hours(length: timedelta) -> str:
    hours, minutes = divmod(round(length.total_seconds() / 60), 60)
    return f"{hours} hours" + (f" {minutes} minutes" if minutes else "")
