"""What Prefect stands on: the installed versions are those that are promised, and a pair that broke it is named."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.settings import PREFECT_API_URL, PREFECT_CLIENT_MAX_RETRIES, temporary_settings

from dynosaur_core.errors import DynosaurError
from flows.command.nightly import examine_recorder
from flows.command.prefect_parts import TESTED, installed, misfits, try_schedule
from flows.command.recorder import RECORDER

ROOT = Path(__file__).parents[3]


def _pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().split()
    return dict(line.split("==") for line in lines if "==" in line)


def test_misfits_are_none_in_what_is_pinned_and_installed() -> None:
    pins = _pins()
    assert misfits({name: pins[name] for name in TESTED}) == []
    assert misfits(installed()) == []
    assert {name: pins[name] for name in TESTED} == TESTED  # a new pin is a new pair: try it, then write it there


@pytest.mark.parametrize(
    ("name", "have", "words"),
    [
        ("sqlalchemy", "2.1.9", "prefect 3.8.8 with sqlalchemy 2.1.9 is not a tested pair: 2.0.58 is"),
        ("fastapi", "0.151.0", "prefect 3.8.8 with fastapi 0.151.0 is not a tested pair: 0.150.0 is"),
        ("websockets", "17.0", "prefect 3.8.8 requires websockets"),
        ("rich", "16.1", "prefect 3.8.8 requires rich"),
    ],
)
def test_misfits_name_a_pair_that_nobody_tried_and_a_requirement_that_is_not_met(
    name: str, have: str, words: str
) -> None:
    found = misfits({**installed(), name: have})
    assert any(words in sentence for sentence in found), found


def test_try_schedule_has_the_server_schedule_a_run_and_leaves_nothing(prefect_server: None) -> None:
    with get_client(sync_client=True) as client:

        def kept() -> list[set[object]]:
            everything = client.read_flows(), client.read_deployments(), client.read_flow_runs()
            return [{one.id for one in kind} for kind in everything]

        before = kept()
        assert "it schedules" in try_schedule()
        assert kept() == before


def test_a_prefect_that_is_away_is_named_with_its_address_and_what_to_do() -> None:
    here = {PREFECT_API_URL: "http://127.0.0.1:9/api", PREFECT_CLIENT_MAX_RETRIES: 0}
    with temporary_settings(here), pytest.raises(DynosaurError) as raised:
        try_schedule()
    assert "server at http://127.0.0.1:9/api does not answer" in raised.value.message


@contextmanager
def a_server(status: int, settings: bytes) -> Iterator[SyncPrefectClient]:
    """A client of a server that answers so when it is asked for its settings."""

    class Server(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            told, body = (status, settings) if self.path.endswith("/admin/settings") else (200, b'"3.8.8"')
            self.send_response(told)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        here = {PREFECT_API_URL: f"http://127.0.0.1:{server.server_port}/api"}
        with temporary_settings(here), get_client(sync_client=True) as client:
            yield client
        server.shutdown()


def test_a_server_that_writes_down_task_runs_one_by_one_is_named() -> None:
    for batch, named in ((1, 1), (100, 0)):
        told = {"server": {"services": {"task_run_recorder": {"batch_size": batch}}}}
        with a_server(200, json.dumps(told).encode()) as client:
            found = list(examine_recorder(client))
        assert len(found) == named
        assert all(each.ok and "one by one" in each.found and "server.env" in each.what_to_do for each in found)


def test_prefects_server_tells_how_it_writes_down_task_runs(prefect_server: None) -> None:
    with get_client(sync_client=True) as client:
        told = client.request("GET", "/admin/settings").json()["server"]["services"]["task_run_recorder"]
        assert told["batch_size"] == int(RECORDER["PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE"])
        assert list(examine_recorder(client)) == []


@pytest.mark.parametrize("answer", [(404, b"{}"), (200, b"{}"), (200, b"[]"), (200, b"<html>"), (403, b"no")])
def test_a_server_that_does_not_tell_its_settings_is_not_named(answer: tuple[int, bytes]) -> None:
    """As Prefect Cloud, and a proxy."""
    with a_server(*answer) as client:
        assert list(examine_recorder(client)) == []
