"""The embedded model, for real: the packaged weights behind their server."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from openai import APIConnectionError, OpenAI

from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.llm.local_model import (
    DEFAULT_FILE,
    DEFAULT_REPO,
    FALLBACK_PACKAGE,
    LocalModel,
    Weights,
    find_weights,
)

pytest.importorskip("xllamacpp")
CLOSED = "http://127.0.0.1:9"


def client(model: LocalModel) -> OpenAI:
    return OpenAI(base_url=model.base_url, api_key="none", max_retries=0)


@pytest.fixture(scope="module")
def weights() -> Weights:
    return find_weights(endpoint=CLOSED)


@pytest.fixture(scope="module")
def model(weights: Weights) -> Iterator[LocalModel]:
    with LocalModel(weights, context=1024) as running:
        yield running


@pytest.fixture
def hub() -> Iterator[str]:
    """A Hub that has one file, of a few bytes, under every name."""
    body = b"GGUF, or so it says"

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response(200)
            self.send_header("ETag", f'"{hashlib.sha256(body).hexdigest()}"')
            self.send_header("X-Repo-Commit", "a" * 40)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()

        def do_GET(self) -> None:
            self.do_HEAD()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def found(tmp_path: Path, endpoint: str, setting: str | None = None) -> Weights:
    """What a fresh process with an empty cache finds, as the Hub's library reads its environment once."""
    code = (
        "import json, sys; from dynosaur_core.llm.local_model import find_weights; "
        "w = find_weights(json.loads(sys.argv[1])); print(json.dumps([str(w.path), w.origin, w.reason]))"
    )
    env = {**os.environ, "HF_ENDPOINT": endpoint, "HF_HOME": str(tmp_path), "HF_HUB_DISABLE_XET": "1"}
    command = [sys.executable, "-c", code, json.dumps(setting)]
    path, origin, reason = json.loads(subprocess.run(command, env=env, check=True, capture_output=True).stdout)
    return Weights(Path(path), origin, reason)


def test_the_hubs_weights_are_preferred_and_then_kept(tmp_path: Path, hub: str) -> None:
    first = found(tmp_path, hub)
    assert first.path.name == DEFAULT_FILE
    assert first.origin == f"hf://{DEFAULT_REPO}"
    assert found(tmp_path, CLOSED) == first


def test_weights_named_on_the_hub(tmp_path: Path, hub: str) -> None:
    assert found(tmp_path, hub, "hf://acme/tiny/some/tiny-Q4.gguf").name == "tiny-q4"


def test_without_the_hub_the_packaged_weights_run_and_say_why(weights: Weights) -> None:
    assert weights.name.startswith("smollm2-135m-instruct")
    assert FALLBACK_PACKAGE in weights.sentence
    assert "Hub cannot be reached" in weights.sentence


@pytest.mark.parametrize(
    ("setting", "code"),
    [
        ("/nowhere/model.gguf", Code.BAD_SETTING),
        ("hf://owner/repo", Code.BAD_SETTING),
        ("hf://acme/tiny/tiny.gguf", Code.CONNECTION_FAILED),
    ],
)
def test_a_setting_that_cannot_be_followed_is_an_error_not_another_model(setting: str, code: Code) -> None:
    with pytest.raises(DynosaurError) as caught:
        find_weights(setting, endpoint=CLOSED)
    assert caught.value.code is code


def test_answers_keep_to_the_schema(model: LocalModel) -> None:
    schema = {
        "type": "object",
        "properties": {"output_field": {"enum": ["zebra_crossing", "quokka"]}, "tasks": {"const": 3}},
        "required": ["output_field", "tasks"],
        "additionalProperties": False,
    }
    answer = client(model).chat.completions.create(
        model=model.model,
        messages=[{"role": "user", "content": "Write a poem about the sea."}],
        response_format={"type": "json_schema", "json_schema": {"name": "t", "schema": schema, "strict": True}},
        temperature=0,
        max_tokens=60,
    )
    assert answer.model == model.model
    assert answer.usage is not None and answer.usage.completion_tokens > 0
    read = json.loads(answer.choices[0].message.content or "")
    assert read["output_field"] in ("zebra_crossing", "quokka")
    assert read["tasks"] == 3


def test_listens_on_loopback_alone(model: LocalModel) -> None:
    assert httpx.URL(model.base_url).host == "127.0.0.1"
    assert httpx.URL(model.base_url).path == "/v1"
    assert [listed.id for listed in client(model).models.list()] == [model.model]


def test_stopping_cuts_off_what_is_under_way(weights: Weights) -> None:
    outcome: list[object] = []

    def ask(address: OpenAI, name: str) -> None:
        try:
            outcome.append(
                address.chat.completions.create(
                    model=name,
                    messages=[{"role": "user", "content": "Count."}],
                    logit_bias={"2": -100},  # the end-of-text token: it would stop by itself
                    max_tokens=900,
                )
            )
        except APIConnectionError as error:
            outcome.append(error)

    with LocalModel(weights, slots=1, context=1024) as running:
        thread = threading.Thread(target=ask, args=(client(running), running.model))
        thread.start()
        time.sleep(0.3)
        address = running.base_url
    thread.join()
    assert isinstance(outcome[0], APIConnectionError)
    assert running.base_url == ""
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{address}/models")


def test_a_process_that_dies_takes_the_server_with_it(weights: Weights) -> None:
    code = (
        "import os, sys; from pathlib import Path; from dynosaur_core.llm.local_model import *; "
        "m = LocalModel(Weights(Path(sys.argv[1]), '', ''), slots=1, context=512).__enter__(); "
        "os.write(1, m.base_url.encode()); os._exit(9)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(weights.path)], capture_output=True, text=True)
    assert done.returncode == 9
    assert done.stderr == ""
    assert done.stdout.startswith("http://127.0.0.1:")
    for _ in range(100):
        try:
            httpx.get(f"{done.stdout}/models")
        except httpx.TransportError:
            return
        time.sleep(0.05)
    pytest.fail("the server outlived its process")


def test_a_file_that_is_no_model(tmp_path: Path) -> None:
    path = tmp_path / "broken.gguf"
    path.write_bytes(b"not a model")
    with pytest.raises(DynosaurError, match=r"BadSetting.*broken\.gguf"), LocalModel(find_weights(str(path))):
        pass
