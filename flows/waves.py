"""Cuts a large plan into waves, and runs them: in flow runs of this process, or of a deployment that workers share.

Of a deployment (`waves.deployment`) the growth stays the only master: it holds the lease and the budget, announces each
wave in the ledger, writes its order into the store, starts a flow run, and counts what ends. A wave whose process has
ended or fallen silent is struck from the ledger, after which that process writes nothing more, and its datasets that
have not ended go into another wave.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect import flow, get_run_logger
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.client.schemas.objects import State
from prefect.deployments import run_deployment
from prefect.exceptions import ObjectNotFound
from prefect.states import Cancelled, Cancelling

from dynosaur_core import stopping
from dynosaur_core.clients import Clients
from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.growth import Growth
from dynosaur_core.ledger.waves import announce_wave, forget_waves, read_waves, remove_wave, take_ends
from dynosaur_core.models import DatasetRef, Stage
from dynosaur_core.report import BranchEnd
from dynosaur_core.settings import Settings
from dynosaur_core.stored import as_stored
from dynosaur_core.waves import WaveEnd, WaveOrder, forget_orders, order_name, shapes
from flows.branches import Branches
from flows.options import Options
from flows.progress import BranchEnded, tell

_TRIES = 3
"""So many processes may end under a dataset's wave; then it waits for the next growth."""
_POLL_S = 1.0
_ASK_PREFECT_EVERY = 5
"""Polls: the ledger says more, and costs less."""
_REMEDY = "run `dynosaur grow` again"


def run_waves(
    clients: Clients, options: Options, growth: Growth, refs: Sequence[DatasetRef], fresh: Stage | None
) -> None:
    """A plan of one wave runs right here; a larger one in a flow run per wave."""
    settings = clients.settings
    if len(refs) <= settings.wave_size:
        Branches(growth, settings, fresh).run(refs)
        return
    waves = [tuple(refs[start : start + settings.wave_size]) for start in range(0, len(refs), settings.wave_size)]
    if settings.waves.deployment:
        Shared(clients, options, growth, fresh, settings.waves.deployment).run(waves)
        return
    for number, wave in enumerate(waves, start=1):
        _run_here(growth, settings, fresh, wave, f"{number} of {len(waves)}")


def _run_here(growth: Growth, settings: Settings, fresh: Stage | None, refs: Sequence[DatasetRef], which: str) -> None:
    """A part of a large plan as a flow run of its own, in this process. The flow is made here, around the growth, which
    holds the open ledger and store and so can be no parameter of a flow run."""

    @flow(name="grow wave", flow_run_name=f"wave {which}", persist_result=False)
    def grow_wave(growth_id: str, number: str) -> None:
        Branches(growth, settings, fresh).run(refs)

    grow_wave(growth.growth_id, which)


@dataclass
class Wave:
    """Datasets that one process is to run."""

    refs: tuple[DatasetRef, ...]
    tries: int = 1
    wave_id: str = ""
    flow_run: UUID | None = None
    beats: int = 0
    """0 as long as no process has taken it."""
    heard: float = field(default_factory=time.monotonic)
    """When it was handed out, or last said that it is alive; by this machine's clock."""

    def silent_s(self) -> float:
        return time.monotonic() - self.heard


class Shared:
    """The waves of one growth, which the workers of a pool share."""

    def __init__(
        self, clients: Clients, options: Options, growth: Growth, fresh: Stage | None, deployment: str
    ) -> None:
        self.clients, self.growth, self.fresh, self.deployment = clients, growth, fresh, deployment
        self.ledger, self.settings = clients.ledger, clients.settings
        self.anew_since = clients.llm(growth.growth_id).anew_since if self.settings.asks_model else None
        self.options = _for_other_folders(options, clients)
        self.waiting: deque[Wave] = deque()
        self.at_work: dict[str, Wave] = {}
        self.ended: set[str] = set()
        """Ids of the datasets that are counted."""
        self.begun = self.polls = 0

    def run(self, waves: Sequence[tuple[DatasetRef, ...]]) -> None:
        """Returns when every dataset has ended, waits for a batch, or was given up."""
        forget_waves(self.ledger)
        forget_orders(self.clients.store)
        self.waiting.extend(map(Wave, waves))
        with get_client(sync_client=True) as prefect, self._none_left(prefect):
            while self.waiting or self.at_work:
                while self.waiting and len(self.at_work) < self.settings.waves.at_once:
                    self._hand_out(self.waiting.popleft())
                self._look(prefect)
                if self.at_work:
                    stopping.sleep(_POLL_S)

    def _hand_out(self, wave: Wave) -> None:
        self.begun += 1
        number = self.ledger.growth_number()
        wave.wave_id = f"{self.growth.growth_id}-{number}-{self.begun}"
        order = WaveOrder(
            wave_id=wave.wave_id,
            growth_id=self.growth.growth_id,
            number=number,
            catalog=self.growth.catalog,
            refs=wave.refs,
            shapes=shapes(self.settings),
            model=self.settings.model,
            max_cost_usd=self.settings.max_cost_usd,
            max_cost_usd_month=self.settings.max_cost_usd_month,
            fresh_from=self.fresh,
            anew_since=self.anew_since,
        )
        self.clients.store.write_model(order_name(wave.wave_id), order)
        announce_wave(self.ledger, wave.wave_id)
        self.at_work[wave.wave_id] = wave
        given = {"wave_id": wave.wave_id, "options": self.options.model_dump(mode="json", exclude_unset=True)}
        try:
            name = f"wave {wave.wave_id}"
            run: Any = run_deployment(self.deployment, parameters=given, timeout=0, flow_run_name=name)
        except ObjectNotFound as error:
            message = f"Prefect has no deployment {self.deployment}: run `dynosaur deploy`, or unset waves.deployment"
            raise DynosaurError(Code.BAD_SETTING, message) from error
        wave.flow_run, wave.heard = run.id, time.monotonic()

    def _look(self, prefect: SyncPrefectClient) -> None:
        """Counts what has ended, and does what there is to do about each wave."""
        over = self._over(prefect) if self.polls % _ASK_PREFECT_EVERY == 0 else {}
        self.polls += 1
        lines = read_waves(self.ledger)  # first: what a wave says last comes after all its ends
        self._count()
        for wave in list(self.at_work.values()):
            line = lines.get(wave.wave_id)
            if line is None:  # a later growth has forgotten it, and this one writes no more; or somebody deleted it
                self._again(wave, "the ledger does not know it any more")
                continue
            if line.beats != wave.beats:
                wave.beats, wave.heard = line.beats, time.monotonic()
            if line.ended is not None:
                self._close(wave)
                self._note(as_stored(line.ended, WaveEnd, f"the end of wave {wave.wave_id}", _REMEDY))
            elif wave.flow_run in over:
                self._again(wave, f"its flow run ended {over[wave.flow_run]}")
            elif wave.beats and wave.silent_s() > self.settings.waves.silence_s:
                self._again(wave, f"its process has been silent for {wave.silent_s():.0f} s")
            elif not wave.beats and wave.silent_s() > self.settings.waves.wait_s:
                self._run_myself(wave, prefect)

    def _over(self, prefect: SyncPrefectClient) -> dict[UUID | None, str]:
        """Flow runs that have ended, with the names and messages of their states."""
        ids = [wave.flow_run for wave in self.at_work.values() if wave.flow_run]
        if not ids:
            return {}
        runs = prefect.read_flow_runs(flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=ids)), limit=len(ids))
        return {run.id: f"{run.state.name}: {run.state.message}" for run in runs if run.state and run.state.is_final()}

    def _count(self) -> None:
        for found in take_ends(self.ledger):
            ended = as_stored(found, BranchEnd, "what a wave has kept in the ledger", _REMEDY)
            self.ended.add(ended.repo_id)
            self.growth.report.add(ended.report)
            tell(BranchEnded(ended.repo_id, ended.end))

    def _note(self, end: WaveEnd) -> None:
        self.growth.pending.update({ref.repo_id: (ref, stage) for ref, stage in end.pending})
        self.growth.report.stopped = self.growth.report.stopped or end.stopped

    def _close(self, wave: Wave, *, unless_taken: bool = False) -> bool:
        """The process of the wave writes nothing from now on."""
        if not remove_wave(self.ledger, wave.wave_id, unless_taken=unless_taken) and unless_taken:
            return False
        self.clients.store.remove(order_name(wave.wave_id))
        del self.at_work[wave.wave_id]
        return True

    def _again(self, wave: Wave, why: str) -> None:
        """What has not ended in the wave goes to another process, some times."""
        self._close(wave)
        self._count()
        left = tuple(ref for ref in wave.refs if ref.repo_id not in self.ended)
        again = "go to another one" if wave.tries < _TRIES else "wait for the next growth"
        get_run_logger().warning("wave %s: %s; %d of its datasets %s", wave.wave_id, why, len(left), again)
        if left and wave.tries < _TRIES:
            self.waiting.append(Wave(left, wave.tries + 1))
        elif left:
            message = f"the waves with it have ended {_TRIES} times before it did; the last one: {why}"
            self.growth.given_up(left, DynosaurError(Code.INTERRUPTED, message))

    def _run_myself(self, wave: Wave, prefect: SyncPrefectClient) -> None:
        if not self._close(wave, unless_taken=True):
            return
        _end_run(prefect, wave, Cancelled(message="the growth runs it itself"))
        get_run_logger().warning("wave %s: no worker has taken it in %.0f s", wave.wave_id, wave.silent_s())
        _run_here(self.growth, self.settings, self.fresh, wave.refs, wave.wave_id)
        self.ended.update(ref.repo_id for ref in wave.refs)

    @contextmanager
    def _none_left(self, prefect: SyncPrefectClient) -> Iterator[None]:
        """A growth that is ended from outside leaves no wave to a worker."""
        try:
            yield
        finally:
            for wave in self.at_work.values():
                _end_run(prefect, wave, Cancelling(message="its growth was ended"))
                self.clients.store.remove(order_name(wave.wave_id))


def _end_run(prefect: SyncPrefectClient, wave: Wave, state: State[Any]) -> None:
    """Ends the flow run of a wave, unless somebody has deleted it."""
    if wave.flow_run:
        with suppress(ObjectNotFound):
            prefect.set_flow_run_state(wave.flow_run, state)


def _for_other_folders(options: Options, clients: Clients) -> Options:
    """The options of a growth for processes that are started in other folders."""
    given: dict[str, Any] = {}
    if options.store and clients.store.local:
        given["store"] = str(Path(clients.store.root).absolute())
    if options.catalog and clients.catalog.place:
        given["catalog"] = clients.catalog.place
    return Options(**(options.model_dump(exclude_unset=True) | given))
