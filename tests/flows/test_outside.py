"""What comes from outside harms its own dataset alone, and what must not get out stays in: whole growths, in processes
of their own."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from prefect.settings import PREFECT_API_URL
from sqlalchemy import create_engine, text

from dynosaur_core.digest import digest
from tests.flows.conftest import Grown
from tests.ledger.conftest import postgres_url as postgres_url
from tests.support.datasets import write_dataset

KEY = "sk-proj-Echo/9876+abcdefghijklmnop="
PASSWORD = "a-ledgers-pass-word"
ROOT = Path(__file__).parents[2]


def _grow(work: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "flows.command", "grow", "--store", str(work / "store"), "--json", *arguments]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("DYNOSAUR_", "OPENAI_"))}
    given = {"PREFECT_API_URL": PREFECT_API_URL.value() or "", "PYTHONPATH": str(ROOT), **environment}
    everything = {name: value for name, value in {**inherited, **given}.items() if value}
    return subprocess.run(command, env=everything, capture_output=True, text=True, timeout=250, check=False, cwd=work)


def _database(url: str, name: str) -> str:
    """A new database on the tests' PostgreSQL."""
    server = create_engine(url.replace("postgresql:", "postgresql+psycopg:"), isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    return f"{url.rpartition('/')[0]}/{name}"


class _Echo(BaseHTTPRequestHandler):
    """Answers one dataset with a task that quotes the key, and all others with an error that does."""

    def do_POST(self) -> None:
        asked = self.rfile.read(int(self.headers["Content-Length"])).decode()
        key = self.headers["Authorization"].removeprefix("Bearer ")
        spelled = f"{key} {quote(key, safe='')} {base64.b64encode(key.encode()).decode()}"
        if "shop/reviews" in asked:
            task = {"instruction": f"Say how the review feels. Key {spelled}", "input_fields": ["text"]}
            content = json.dumps({"tasks": [{**task, "output_field": "label"}]})
            message = {"role": "assistant", "content": content}
            choice = {"index": 0, "finish_reason": "stop", "message": message}
            status, body = 200, {"object": "chat.completion", "model": f"m {key}", "choices": [choice]}
        else:
            status, body = 400, {"error": {"message": f"the request of {spelled} is refused", "code": key}}
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def _echo() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Echo)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        server.shutdown()
        server.server_close()


def test_a_key_that_the_endpoint_echoes_stays_in(tmp_path: Path, catalog: Path, postgres_url: str) -> None:
    plain = _database(postgres_url, "echoed")
    ledger = plain.replace("dynosaur@", f"dynosaur:{PASSWORD}@")
    with _echo() as url:
        done = _grow(
            tmp_path,
            *("--catalog", str(catalog), "--release", str(tmp_path / "release")),
            OPENAI_BASE_URL=url,
            OPENAI_API_KEY=KEY,
            DYNOSAUR_LEDGER=ledger,
            DYNOSAUR_MODEL="stub",
            DYNOSAUR_JUDGING__JUDGE="off",  # an echo is no verdict
            PREFECT_API_URL="",
            PREFECT_HOME=str(tmp_path / "prefect"),
            PREFECT_LOGGING_LEVEL="DEBUG",
        )
    assert done.stdout, done.stderr[-3_000:]
    report = json.loads(done.stdout)
    assert report["failed"] == {"ModelRequestRefused": 1}, done.stderr[-3_000:]
    with create_engine(plain.replace("postgresql:", "postgresql+psycopg:")).connect() as connection:
        rows = [str(row) for row in connection.execute(text("SELECT * FROM datasets"))]
        rows += [str(row) for row in connection.execute(text("SELECT * FROM growths"))]
    assert any("is refused" in row and "[secret]" in row for row in rows)
    places = {"stdout": done.stdout, "stderr": done.stderr, "ledger": "\n".join(rows)}
    for path in tmp_path.rglob("*"):
        if path.is_file():
            places[str(path.relative_to(tmp_path))] = path.read_bytes().decode("utf-8", "replace")
    assert any(name.startswith("prefect/prefect.db") for name in places)
    assert any("[secret]" in said for name, said in places.items() if name.startswith("store/answers/"))
    spelled = (KEY, KEY[:24], quote(KEY, safe=""), base64.b64encode(KEY.encode()).decode()[:-4], PASSWORD)
    found = {name: secret for name, said in places.items() for secret in spelled if secret in said}
    assert found == {}
    [trace] = [json.loads(places[name]) for name in places if name == f"store/traces/{digest('museum/questions')}.json"]
    assert "[secret]" in trace["instruction"]


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_odd_names_and_texts_end_one_dataset_each(
    request: pytest.FixtureRequest,
    run_growth: Callable[..., Grown],
    catalog: Path,
    database: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Good datasets among such that used to end the growth, in the names of files, cards and messages."""
    monkeypatch.setenv("DYNOSAUR_DESIGNING__DESIGNERS", "rules")
    if database == "postgresql":
        monkeypatch.setenv("DYNOSAUR_LEDGER", _database(request.getfixturevalue("postgres_url"), "odd"))
    name = write_dataset(catalog, "odd/file-name", {"train": [{"a": 1}]})
    (name / "train.jsonl").unlink()
    (name / "README.md").write_text("---\nlicense: mit\nlanguage: en\n---\n")
    (name / os.fsdecode(b"caf\xe9.parquet")).write_bytes(b"PAR1 no parquet PAR1")
    nul = write_dataset(catalog, "odd/nul", {"train": [{"a": 1}]})
    (nul / "train.jsonl").unlink()
    (nul / "README.md").write_text("---\nlicense: mit\nlanguage: en\n---\n")
    (nul / "train.csv").write_bytes("question\nwhy\nhow\n".encode("utf-16-le"))
    markup = write_dataset(catalog, "odd/markup", {"train": [{"a": "b"}]}, license=None)
    header = 'license: mit\nconfigs:\n- config_name: default\n  data_files: "/[/b]x"\n'
    (markup / "README.md").write_text(f"---\n{header}---\n")
    half = write_dataset(catalog, "odd/half", {"train": [{"a": "b"}]})
    (half / "README.md").write_text('---\nlicense: mit\nlanguage: [en, "\\ud83d"]\npretty_name: "\\ud83d"\n---\n')
    (catalog / "odd" / os.fsdecode(b"id-\xff")).mkdir()
    (catalog / "odd" / os.fsdecode(b"id-\xff") / "x.jsonl").write_text('{"a": "b"}\n')
    long = catalog / ("o" * 120) / ("n" * 200)
    long.mkdir(parents=True)
    (long / "x.jsonl").write_text('{"a": "b"}\n')

    report = run_growth().report.summary().as_json()
    said = capfd.readouterr().err
    assert "Traceback" not in said, said[-3_000:]
    assert report["grown"] == 2 and report["refused"]["bad_entry"] == 2, report
    assert r"2 entries skipped, without a usable id or revision, such as 'odd/id-\udcff'" in caplog.text
    assert sum(report["failed"].values()) + sum(report["refused"].values()) == 4 + 2 + 1
    assert "Unexpected" not in report["failed"], report
    assert report["release"], report
    again = run_growth().report.summary().as_json()
    assert (again["grown"], again["planned"]["unchanged"]) == (0, 7), again
