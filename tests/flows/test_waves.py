"""Waves of a deployment: two workers share a growth, and whatever becomes of them each dataset ends once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.objects import FlowRun
from prefect.settings import PREFECT_API_URL
from sqlalchemy import update

from dynosaur_core.errors import DynosaurError
from dynosaur_core.ledger import Ledger, Outcome
from dynosaur_core.ledger.budget import Budget
from dynosaur_core.ledger.lease import leases
from dynosaur_core.ledger.waves import forget_waves, read_waves
from dynosaur_core.models import DatasetRef
from dynosaur_core.policy.judge import forget_overrides
from dynosaur_core.settings import Settings
from dynosaur_core.waves import WaveOrder, shapes
from tests.flows.conftest import Grown
from tests.flows.test_grow import records_of
from tests.support.datasets import REVIEW_FEATURES, reviews, write_dataset
from tests.support.killing import start_growth, wait_until
from tests.support.llm import LlmServer

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.xdist_group("waves")  # deployed once
_SILENCE_S = 10.0


def _environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PREFECT_API_URL": PREFECT_API_URL.value() or "", "PREFECT_WORKER_QUERY_SECONDS": "1", **more}


@pytest.fixture(scope="module")
def deployed(prefect_server: None) -> None:
    with get_client(sync_client=True) as client:
        client.create_work_pool(WorkPoolCreate(name="dynosaur", type="process"), overwrite=True)
    command = [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--name", "wave"]
    subprocess.run(command, env=_environment(), cwd=ROOT, check=True, capture_output=True)


@pytest.fixture
def shops(tmp_path: Path) -> Path:
    for n in range(6):
        rows = {"train": reviews(16, 100 * n)}
        write_dataset(tmp_path / "shops", f"shop/r{n:02}", rows, features=REVIEW_FEATURES)
    return tmp_path / "shops"


@contextmanager
def _worker(log: Path, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """A worker that runs one flow run at a time."""
    command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", "dynosaur", "--limit", "1"]
    with log.open("ab") as file:
        process = subprocess.Popen(command, env=_environment(**environment), cwd=ROOT, stdout=file, stderr=file)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(60)


def _children(pid: int) -> list[int]:
    """Of a process: itself, and all that came of it."""
    parents: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(path.read_text().rpartition(")")[2].split()[1])
        except OSError:  # it has ended meanwhile
            continue
        parents.setdefault(parent, []).append(int(path.parent.name))
    return [pid, *(each for child in parents.get(pid, []) for each in _children(child))]


def _beating(ledger: Ledger) -> int:
    time.sleep(0.5)
    return sum(line.beats > 0 for line in read_waves(ledger).values())


def test_waves_of_two_workers_one_of_which_is_killed_grow_every_dataset_once(
    deployed: None, endpoint: LlmServer, shops: Path, tmp_path: Path
) -> None:
    endpoint.behaviour.gate = threading.Event()
    own = {
        "OPENAI_BASE_URL": endpoint.url,
        "OPENAI_API_KEY": "sk-test-secret",
        "DYNOSAUR_JUDGING__JUDGE": "off",
        "DYNOSAUR_WAVES__SILENCE_S": str(_SILENCE_S),
    }
    store, release = tmp_path / "store", tmp_path / "release"
    more = {"DYNOSAUR_WAVES__DEPLOYMENT": "wave/wave", "DYNOSAUR_WAVE_SIZE": "2", "DYNOSAUR_MAX_COST_USD": "1"}
    with _worker(tmp_path / "a.log", **own) as first, _worker(tmp_path / "b.log", **own):
        growth = start_growth(shops, store, release, **own, **more)
        ledger_file = store / "ledger.db"
        wait_until(lambda: growth.poll() is not None or ledger_file.exists())
        ledger = Ledger(f"sqlite:///{ledger_file}")
        wait_until(lambda: growth.poll() is not None or (_beating(ledger) >= 2 and endpoint.seen.in_flight))
        if growth.poll() is None:
            for pid in reversed(_children(first.pid)):
                os.kill(pid, signal.SIGKILL)
        endpoint.behaviour.gate.set()
        output, errors = growth.communicate(timeout=240)
    said = errors[-3_000:] + (tmp_path / "b.log").read_text()[-3_000:]
    assert growth.returncode == 0, said
    report = json.loads(output)
    assert (report["grown"], report["failed"], report["deferred"]) == (6, {}, 0), said
    entries = list(ledger.entries())
    assert [entry.outcome for entry in entries] == [Outcome.GROWN] * 6
    assert report["records"] == sum(entry.records for entry in entries) == len(records_of(release))
    assert len({row["repo_id"] for row in records_of(release)}) == 6
    assert Budget(ledger.engine, report["growth_id"]).spent().requests == report["llm"]["requests"]
    taken = (tmp_path / "b.log").read_text()
    assert f"wave {report['growth_id']}" in taken and "-4' - Finished in state Completed" in taken, said
    assert read_waves(ledger) == {} and not list((store / "waves").iterdir())
    assert "sk-test-secret" not in said + output


def test_waves_that_no_worker_takes_are_run_by_the_growth(
    deployed: None,
    run_growth: Callable[..., Grown],
    endpoint: LlmServer,
    shops: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    for name, value in {"WAVES__DEPLOYMENT": "wave/wave", "WAVES__WAIT_S": "0", "WAVE_SIZE": "3"}.items():
        monkeypatch.setenv(f"DYNOSAUR_{name}", value)
    monkeypatch.setenv("DYNOSAUR_DESIGNING__DESIGNERS", "rules")
    grown = run_growth(catalog=str(shops))
    assert (grown.report.grown, grown.report.branches) == (6, 6)
    assert len({row["repo_id"] for row in records_of(tmp_path / "release")}) == 6
    states = sorted(run.state_name for run in grown.runs)
    assert states == ["Cancelled", "Cancelled", "Completed", "Completed"], "none waits for a worker"


def test_waves_of_a_deployment_that_there_is_not_end_with_what_to_do(
    run_growth: Callable[..., Grown], shops: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"WAVES__DEPLOYMENT": "wave/none", "WAVE_SIZE": "3", "DESIGNING__DESIGNERS": "rules"}.items():
        monkeypatch.setenv(f"DYNOSAUR_{name}", value)
    with pytest.raises(AssertionError, match="Prefect has no deployment wave/none"):
        run_growth(catalog=str(shops))


def test_an_order_is_refused_by_a_worker_whose_settings_make_other_data() -> None:
    growths = Settings(model="gpt-5.6-luna", max_cost_usd=3.0)
    order = WaveOrder(
        wave_id="w",
        growth_id="g",
        number=1,
        catalog="hub",
        refs=(DatasetRef(repo_id="a/b", revision="r"),),
        shapes=shapes(growths),
        model=growths.model,
        max_cost_usd=growths.max_cost_usd,
        max_cost_usd_month=None,
    )
    taken = order.settings(Settings(store="elsewhere", model="another", concurrency=2))
    assert (taken.model, taken.max_cost_usd, taken.store, taken.concurrency) == ("gpt-5.6-luna", 3.0, "elsewhere", 2)
    with pytest.raises(DynosaurError, match="are not those of the growth: filtering"):
        order.settings(Settings(filtering={"min_rows": 9}))  # type: ignore[arg-type]


def test_an_order_is_refused_where_the_override_file_says_otherwise(tmp_path: Path) -> None:
    """The same address on two machines is not the same file."""
    file = tmp_path / "overrides.toml"
    settings = Settings(policy={"overrides": str(file)})  # type: ignore[arg-type]
    found = []
    for text in ('["a/b"]\nlicense = "mit"\n', '["a/b"]\nrefuse = "no"\n'):
        file.write_text(text)
        forget_overrides()
        found.append(shapes(settings))
    forget_overrides()
    assert {name for name in found[0] if found[0][name] != found[1][name]} == {"the file of policy.overrides"}


def test_a_growth_that_lost_its_lease_while_others_work_for_it_says_so(
    deployed: None, run_growth: Callable[..., Grown], shops: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in {"WAVES__DEPLOYMENT": "wave/wave", "WAVE_SIZE": "3", "DESIGNING__DESIGNERS": "rules"}.items():
        monkeypatch.setenv(f"DYNOSAUR_{name}", value)

    def take_over() -> None:
        ledger_file = tmp_path / "store/ledger.db"
        wait_until(ledger_file.exists)
        ledger = Ledger(f"sqlite:///{ledger_file}")
        wait_until(lambda: len(read_waves(ledger)) == 2)  # all are handed out
        with ledger.engine.begin() as connection:
            connection.execute(update(leases).values(holder="", expires=datetime.now(UTC)))
        with ledger.growing():
            forget_waves(ledger)

    other = threading.Thread(target=take_over)
    other.start()
    with pytest.raises(AssertionError, match="GrowthRunning"):
        run_growth(catalog=str(shops))
    other.join()


def test_waves_whose_runs_somebody_deletes_are_run_by_the_growth(
    deployed: None, run_growth: Callable[..., Grown], shops: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    given = {"WAVES__DEPLOYMENT": "wave/wave", "WAVES__WAIT_S": "4", "WAVE_SIZE": "3", "DESIGNING__DESIGNERS": "rules"}
    for name, value in given.items():
        monkeypatch.setenv(f"DYNOSAUR_{name}", value)
    before, deleted = {run.id for run in _scheduled_waves()}, []

    def delete() -> None:
        wait_until(lambda: len({run.id for run in _scheduled_waves()} - before) == 2)
        with get_client(sync_client=True) as client:
            for run in _scheduled_waves():
                if run.id not in before:
                    client.delete_flow_run(run.id)
                    deleted.append(run.id)

    person = threading.Thread(target=delete)
    person.start()
    grown = run_growth(catalog=str(shops))
    person.join()
    assert (grown.report.grown, len(deleted)) == (6, 2)


def _scheduled_waves() -> list[FlowRun]:
    with get_client(sync_client=True) as client:
        return [run for run in client.read_flow_runs(limit=200) if run.state_name == "Scheduled"]
