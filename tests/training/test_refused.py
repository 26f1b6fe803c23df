"""What is refused before torch and the other libraries of models are loaded, which takes up to a minute."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from dynosaur_core.errors import DynosaurError
from dynosaur_core.training.places import check_model
from tests.training.conftest import ROWS, write

_PROGRAM = """
import json, sys
from dynosaur_core.errors import DynosaurError
from dynosaur_core.evaluation.choice import EvaluationChoice
from dynosaur_core.evaluation.evaluate import evaluate
from dynosaur_core.settings import Settings
from dynosaur_core.training.choice import FinetuneChoice
from dynosaur_core.training.finetune import finetune
said = []
for given in json.loads(sys.argv[1]):
    try:
        evaluate(EvaluationChoice(**given), Settings()) if "suite" in given else finetune(FinetuneChoice(**given))
    except DynosaurError as error:
        said.append(error.message)
print(json.dumps([said, "torch" in sys.modules or "transformers" in sys.modules]))
"""


class _Empty(BaseHTTPRequestHandler):
    """A Hub that has nothing."""

    def do_GET(self) -> None:
        self.send_response(404)
        self.send_header("X-Error-Code", "RepoNotFound")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def hub() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Empty) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def refused(folder: Path, given: list[dict[str, Any]], hub: str = "http://127.0.0.1:9") -> list[str]:
    """What a process says that is asked for each of these in turn; it loads no library."""
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "HF_ENDPOINT": hub, "HF_HOME": str(folder)}
    command = [sys.executable, "-c", _PROGRAM, json.dumps(given)]
    done = subprocess.run(command, env=env, cwd=folder, capture_output=True, text=True, check=False)
    assert "retry" not in done.stderr.lower() and not done.returncode, done.stderr
    said, loaded = json.loads(done.stdout)
    assert not loaded and len(said) == len(given)
    return list(said)


def test_finetune_refuses_before_the_libraries_are_loaded(tmp_path: Path) -> None:
    rows, wrong = write(tmp_path / "rows.jsonl", ROWS), write(tmp_path / "wrong.jsonl", [*ROWS, {"question": "x"}])
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.txt").write_text("x")
    (tmp_path / "empty").mkdir()
    begun = {"dynosaur": "1", "libraries": {}, "encoding": 1, "recipe_name": "smollm2-135m-lora", "model_digest": ""}
    begun |= {"recipe": {"epochs": 99}, "data": "", "data_digest": ""}
    begun |= {"rows": {"used": 0, "cut": 0, "left_out": {}, "tokens": 0}}
    (tmp_path / "other").mkdir()
    (tmp_path / "other/training.json").write_text(json.dumps(begun))
    given = {"data": str(rows), "out": str(tmp_path / "out")}
    said = refused(
        tmp_path,
        [
            {**given, "data": "nowhere.jsonl"},
            {**given, "data": str(wrong)},
            {**given, "out": str(tmp_path / "mine")},
            {**given, "out": str(tmp_path / "other")},
            {**given, "values": {"model": "./nowhere"}},
            {**given, "values": {"model": str(tmp_path / "empty")}},
            {**given, "values": {"model": "nobody/nothing"}},
        ],
    )
    words = ["is not there", "wrong.jsonl, line 21: a row has", "holds files and no training.json"]
    words += ["a training with another", "there is no such folder", "holds no config.json", "the Hub cannot be reached"]
    assert [word for word, text in zip(words, said, strict=True) if word not in text] == []
    assert not (tmp_path / "out").exists()


def test_evaluate_of_a_name_that_neither_a_folder_nor_the_hub_has_says_so_at_once(tmp_path: Path, hub: str) -> None:
    suite = write(tmp_path / "rows.jsonl", ROWS)
    (tmp_path / "runs/first").mkdir(parents=True)
    names = ["runz", "runs/fist", "nobody/nothing", "x y/z", "smolm2-135m"]
    given = [{"model": name, "suite": str(suite), "out": str(tmp_path / "out")} for name in names]
    assert refused(tmp_path, given, hub) == [
        "model 'runz': there is no such folder; did you mean runs? (a model of the Hub is OWNER/NAME)",
        "model 'runs/fist': there is no such folder; did you mean first?, and the Hub has none that you may read",
        "model 'nobody/nothing': there is no such folder, and the Hub has none that you may read",
        "model 'x y/z': there is no such folder, and the Hub has no such names",
        "model 'smolm2-135m': there is no such folder; did you mean smollm2-135m? (a model of the Hub is OWNER/NAME)",
    ]
    [said] = refused(tmp_path, given[2:3])
    assert "there is no such folder, and the Hub cannot be reached: " in said


def test_check_model_knows_folders_with_a_model(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model/config.json").write_text("{}")
    check_model(str(tmp_path / "model"))
    with pytest.raises(DynosaurError, match="there is no such folder; did you mean model"):
        check_model(str(tmp_path / "modle"))
