"""`dynosaur demo`: the main job on embedded defaults, with a real model on this machine."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow.parquet as pq

from dynosaur_core.bundled import bundled_catalog
from dynosaur_core.clients import open_clients
from dynosaur_core.ledger import LedgerEntry, Outcome
from dynosaur_core.llm.local_model import LocalModel, find_weights
from dynosaur_core.models import Release
from dynosaur_core.reasons import REASONS, Reason
from dynosaur_core.settings import Settings
from flows.command.arguments import print_json
from flows.command.screen import Screen, plain_table
from flows.options import Options
from flows.progress import listening

# What suits a small model on a few cores: it copies examples, and answers one question at a time.
_SETTINGS = {
    "DYNOSAUR_DESIGNING__DESIGNERS": '["description_unaware", "rules"]',
    "DYNOSAUR_DESIGNING__ZERO_SHOT": "true",
    "DYNOSAUR_DESIGNING__MAX_VALUE_CHARS": "160",
    "DYNOSAUR_DESIGNING__MAX_ROW_CHARS": "600",
    "DYNOSAUR_DESIGNING__MAX_TASKS": "2",
    "DYNOSAUR_LLM__MAX_OUTPUT_TOKENS": "250",
    "DYNOSAUR_LLM__MAX_IN_FLIGHT": "4",
    "DYNOSAUR_LLM__TIMEOUT_S": "180",
    "DYNOSAUR_LLM__PRICE_INPUT": "0",
    "DYNOSAUR_LLM__PRICE_OUTPUT": "0",
    "DYNOSAUR_CONCURRENCY": "4",
}


def run_demo(folder: Path, as_json: bool) -> int:
    """Grows the bundled catalogue into `folder`; returns the exit status."""
    from flows.grow import grow

    screen = Screen()
    catalog = bundled_catalog()
    options = Options(
        catalog=str(catalog),
        catalog_name=f"folder {catalog.name}",  # one and the same, wherever this package is installed next time
        store=str(folder / "store"),
        release=[str(folder / "release")],
    )
    weights = find_weights(options.settings().local_model)
    screen.line(weights.sentence)
    with _environment(_SETTINGS), LocalModel(weights) as model:
        local = {"OPENAI_BASE_URL": model.base_url, "OPENAI_API_KEY": "local", "DYNOSAUR_MODEL": model.model}
        with _environment(local), screen, listening(screen.listen):
            state = grow(options, return_state=True)
        settings = options.settings()
        if screen.report is None:
            screen.line(f"the growth did not finish: {state.message}")
            return 1
        if as_json:
            print_json(screen.report.summary())
        else:
            show(screen, settings, folder)
    return 1 if state.is_failed() else 0


def show(screen: Screen, settings: Settings, folder: Path) -> None:
    """Every dataset and what became of it, three records, and where to look next."""
    ledger = open_clients(settings).ledger
    datasets = plain_table("dataset", "outcome", "records", "why")
    for entry in sorted(ledger.entries(), key=lambda entry: (entry.outcome, entry.repo_id)):
        datasets.row(entry.repo_id, entry.outcome, f"{entry.records:,}" if entry.records else "", _why(entry))
    screen.console.print(datasets)
    screen.show_report(settings)
    release = folder / "release"
    for record in _samples(release, 3):
        title = f"{record['taskname']} · {record['license']} · {record['mode']}"
        screen.record(title, record["instruction"], record["input"], record["output"])
    screen.line("where to look next")
    programs = _programs()
    for command, meaning in (
        (f"less {release}/README.md", "the dataset card"),
        (f"{programs}python -c \"from datasets import load_dataset; print(load_dataset('{release}'))\"", "the data"),
        (f"{programs}dynosaur failed --store {folder}/store", "what broke, and what to do"),
        (f"{programs}dynosaur demo {folder}", "again: nothing has changed, so nothing is asked"),
        (f"{programs}prefect server start", "the UI: flow runs, the growth report and the failed datasets"),
    ):
        screen.line(f"  {command}\n      {meaning}")


def _programs() -> str:
    """What to type before a program's name: nothing where it is on the path."""
    if shutil.which("dynosaur"):
        return ""
    folder = Path(sys.executable).parent
    return f"{folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder}/"


def _why(entry: LedgerEntry) -> str:
    if entry.outcome is Outcome.GROWN:
        return entry.license or ""
    if entry.code and entry.code in set(Reason):
        detail = f": {entry.detail}" if entry.detail and entry.detail != REASONS[Reason(entry.code)] else ""
        return f"{entry.code}{detail}"[:110]
    return f"{entry.code}: {entry.detail}"[:110]


def _samples(release: Path, count: int) -> Iterator[dict[str, str]]:
    """The first record of as many different datasets."""
    manifest = Release.model_validate_json((release / "manifest.json").read_text())
    seen: set[str] = set()
    for file in manifest.files:
        for record in pq.read_table(release / file.path).to_pylist():
            if len(seen) < count and record["repo_id"] not in seen:
                seen.add(record["repo_id"])
                yield record


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    """Sets variables for the time inside; what the caller has set already stays."""
    added = {name: value for name, value in values.items() if name not in os.environ or name.startswith("OPENAI_")}
    before = {name: os.environ.get(name) for name in added}
    os.environ.update(added)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
