"""A split of four small tasks in two stages, and a model of a few thousand weights."""

from __future__ import annotations

from pathlib import Path

import pytest

from dynosaur_core.continual.choice import SplitChoice
from dynosaur_core.continual.split_folder import make_split
from dynosaur_core.experiment.choice import ExperimentChoice
from dynosaur_core.settings import Settings
from tests.training.conftest import make_llama, write

WORDS = ["apple", "bridge", "candle", "dragon", "engine", "forest", "garden", "hammer", "island", "jacket"]
TASKS = {
    "Write the word in capital letters.": str.upper,
    "Write the first letter of the word.": lambda word: word[0],
    "Write the last letter of the word.": lambda word: word[-1],
    "Write how many letters the word has.": lambda word: str(len(word)),
}


def small_experiment(folder: Path, model: Path) -> ExperimentChoice:
    """Two stages of two tasks, one of which a stage may replay."""
    records = [
        {"instruction": instruction, "input": f"{word} {at}", "output": answer(word)}
        for at, (instruction, answer) in enumerate(TASKS.items())
        for word in WORDS
    ]
    unseen = [{"instruction": "Write the word twice.", "input": word, "output": f"{word} {word}"} for word in WORDS[:3]]
    rows, suite = write(folder / "rows.jsonl", records), write(folder / "unseen.jsonl", unseen)
    make_split(SplitChoice(records=str(rows), stages=2, held_out=2, out=str(folder / "split")), Settings())
    return ExperimentChoice(
        split=str(folder / "split"),
        out=str(folder / "experiment"),
        strategies=("none", "random"),
        seeds=(0,),
        tasks=1,
        rows=4,
        recipe="smollm2-135m",
        values={"model": str(model), "max_steps": 2, "batch": 4, "length": 96, "learning_rate": 1e-3},
        suite=str(suite),
        new_tokens=4,
    )


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_llama(tmp_path_factory.mktemp("experiment") / "llama")


@pytest.fixture
def choice(tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> ExperimentChoice:
    monkeypatch.setenv("DYNOSAUR_EMBEDDING__ENCODER", "hashing")
    return small_experiment(tmp_path, model)
