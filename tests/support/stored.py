"""Makes a fixture of what this version stores: `python -m tests.support.stored NAME` writes tests/data/stored/NAME.

Two nights over a small catalogue with the loopback model and the rule-based designer: in the second one a dataset has
left, and the batch of another is still to come. What lies there is never made again: an earlier version stored it.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.support.datasets import REVIEW_FEATURES, questions, reviews, write_dataset
from tests.support.llm import LlmServer

STORED = Path(__file__).parents[1] / "data" / "stored"
FIXED = {
    "DYNOSAUR_DESIGNING__DESIGNERS": '["description_aware", "description_unaware", "rules"]',
    "DYNOSAUR_LLM__PRICE_INPUT": "1",
    "DYNOSAUR_LLM__PRICE_OUTPUT": "2",
    "OPENAI_API_KEY": "sk-none",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
}
"""The settings under which it is made."""


def make(folder: Path) -> None:
    """Fills `folder` with catalog/, store/ and release/."""
    catalog = folder / "catalog"
    write_dataset(catalog, "shop/reviews", {"train": reviews(24)}, features=REVIEW_FEATURES, pretty_name="Reviews")
    splits = {"train": questions(12), "validation": questions(8, 100)}
    write_dataset(catalog, "museum/questions", splits, summary=None, license="cc-by-4.0")
    write_dataset(catalog, "press/stories", {"train": reviews(24, 50)}, license="cc-by-nd-4.0")
    write_dataset(catalog, "attic/broken", {"train": reviews(8, 90)})
    (catalog / "attic/broken/train.jsonl").write_text("{")
    write_dataset(catalog, "shop/gone", {"train": reviews(24, 200)}, features=REVIEW_FEATURES)
    with LlmServer() as endpoint, tempfile.TemporaryDirectory() as home:
        endpoint.batches.immediate = False
        given = {**FIXED, "OPENAI_BASE_URL": endpoint.url, "PREFECT_HOME": home, "DYNOSAUR_LLM__BATCH_WAIT_S": "0.1"}
        _grow(folder, given)
        shutil.rmtree(catalog / "shop/gone")
        write_dataset(catalog, "shop/later", {"train": reviews(24, 300)}, features=REVIEW_FEATURES)
        _grow(folder, given, "--batch")
    _without_places(folder)


def _grow(folder: Path, given: dict[str, str], *options: str) -> None:
    command = [str(Path(sys.executable).with_name("dynosaur")), "grow"]
    where = [f"--{name}={name}" for name in ("catalog", "store", "release")]
    ended = subprocess.run([*command, *where, *options], env=os.environ | given, cwd=folder)
    assert ended.returncode in (0, 1)  # one of the few datasets is broken: more than the share that may fail


def _without_places(folder: Path) -> None:
    """Nothing of the machine that made it stays; the ledger is made as small as it gets."""
    with sqlite3.connect(folder / "store/ledger.db", isolation_level=None) as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if "catalogs" in tables:
            connection.execute("UPDATE catalogs SET place = NULL")
        connection.execute("UPDATE leases SET holder = 'host 1 x'")
        for pragma in ("wal_checkpoint(TRUNCATE)", "journal_mode=DELETE", "page_size=512"):
            connection.execute(f"PRAGMA {pragma}").fetchall()
        connection.execute("VACUUM")
    connection.close()
    for result in (folder / "store/results").rglob("*"):
        if result.is_file():
            result.write_text(result.read_text().replace(str(folder.resolve()), ""))
    (folder / "release/.dynosaur.lock").unlink()


if __name__ == "__main__":
    target = STORED / sys.argv[1]
    if target.exists():
        sys.exit(f"{target} is there: what an earlier version stored is never made again")
    target.mkdir(parents=True)
    make(target)
