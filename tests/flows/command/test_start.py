"""What a command imports before it does anything: whoever looks waits for none of the libraries that grow."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from dynosaur_core.clients import Clients
from dynosaur_core.settings import Settings
from tests.ledger.test_ledger import entry

HEAVY = [
    "alembic",
    "datasets",
    "genai_prices",
    "huggingface_hub",
    "openai",
    "pandas",
    "prefect",
    "torch",
    "transformers",
]
DATABASE, ARROW = ["sqlalchemy"], ["numpy", "pyarrow"]
LOOKS = [
    (["--version"], [*HEAVY, *DATABASE, *ARROW]),
    (["--help"], [*HEAVY, *DATABASE, *ARROW]),
    (["grow", "--help"], [*HEAVY, *DATABASE, *ARROW]),
    (["settings"], [*HEAVY, *DATABASE, *ARROW]),
    (["backfill"], [*HEAVY, *DATABASE, *ARROW]),
    (["status"], [*HEAVY, *ARROW]),
    (["failed"], [*HEAVY, *ARROW]),
    (["stats"], [*HEAVY, *ARROW]),
    (["explain", "a/b"], [*HEAVY, *ARROW]),
    (["explain", "a/c"], [*HEAVY, *ARROW]),
    (["export", "out.jsonl"], HEAVY),
]
"""Commands, those that bring least first, since one process runs them all; and what each leaves aside."""
ALL = """
import json, sys
from flows.command.main import main
found = []
for arguments, unwanted in json.loads(sys.argv[1]):
    sys.argv[1:] = arguments
    try:
        main()
    except SystemExit as end:
        found.append([arguments, end.code or 0, [name for name in unwanted if name in sys.modules]])
sys.__stdout__.write("\\n" + json.dumps(found))
"""


def test_commands_that_look_import_nothing_that_grows(tmp_path: Path) -> None:
    clients = Clients(Settings(store=str(tmp_path / "store")))
    clients.join(create=True, write=True)
    clients.ledger.record([entry("a/b")])
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DYNOSAUR_")}
    environment |= {"DYNOSAUR_STORE": "store", "PYTHONPATH": str(Path(__file__).parents[3])}
    command = [sys.executable, "-c", ALL, json.dumps(LOOKS)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    statuses = {"backfill": 2, "a/c": 1}
    assert json.loads(done.stdout.splitlines()[-1]) == [
        [arguments, statuses.get(arguments[-1], 0), []] for arguments, _ in LOOKS
    ]
