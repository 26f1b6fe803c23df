"""flows.continual: each step of an experiment is a task run, once; one that fails ends its own run alone."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from dynosaur_core.errors import DynosaurError
from dynosaur_core.experiment.choice import ExperimentChoice
from dynosaur_core.experiment.experiment import begin
from dynosaur_core.settings import Settings
from flows.continual import continual
from flows.progress import Compared, Event, listening
from tests.experiment.conftest import small_experiment
from tests.flows.conftest import task_runs
from tests.training.conftest import make_llama

pytest.importorskip("torch")
pytestmark = pytest.mark.xdist_group("training")


@pytest.fixture
def choice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ExperimentChoice:
    monkeypatch.setenv("DYNOSAUR_EMBEDDING__ENCODER", "hashing")
    return small_experiment(tmp_path, make_llama(tmp_path / "llama"))


def test_continual_fails_where_a_step_does_and_then_goes_on(
    prefect_server: None, choice: ExperimentChoice, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "dynosaur.continual")
    told: list[Compared] = []

    def hear(event: Event) -> None:
        if isinstance(event, Compared):
            told.append(event)

    def run() -> tuple[str, list[str]]:
        with listening(hear):
            state = continual(choice, str(tmp_path / "store"), return_state=True)
        assert told, state.message
        return state.type.value, sorted(run.name for run in task_runs(state.state_details.flow_run_id))

    begin(choice, Settings())
    blocked = tmp_path / "experiment/seed-0/random/stage-2/training"
    blocked.mkdir(parents=True)
    (blocked / "thesis.txt").write_text("")
    names = ["stage 1 first seed 0", "stage 2 none seed 0", "stage 2 random seed 0", "untrained"]
    assert run() == ("FAILED", names)
    assert told[0].summary.incomplete == ["random seed 0"] and set(told[0].summary.unseen) == {"none"}
    assert isinstance(told[0].failure, DynosaurError) and "thesis" not in str(told[0].failure)
    lines = caplog.text
    for words in (
        "0 of 4 steps were done before",
        "begins untrained: step 1 of 4",
        "untrained, unseen: 3 of 3 predictions",
        "begins stage 2 none seed 0: step 3 of 4",
        "stage 2 random seed 0 failed: ",
        "on unseen tasks; 3 of 4 steps are done",
    ):
        assert words in lines
    (blocked / "thesis.txt").unlink()
    caplog.clear()
    assert run() == ("COMPLETED", ["stage 2 random seed 0"])
    assert "3 of 4 steps were done before" in caplog.text and "begins untrained" not in caplog.text
    assert run() == ("COMPLETED", [])
    assert told[1].summary == told[2].summary and told[2].failure is None


def test_continual_cut_off_says_how_far_it_is(
    prefect_server: None, choice: ExperimentChoice, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "dynosaur.continual")

    class Cut(logging.Handler):
        """As Ctrl-C in the midst of the second step."""

        def emit(self, record: logging.LogRecord) -> None:
            if "stage 1 first seed 0, unseen: 3 of 3" in record.getMessage():
                raise KeyboardInterrupt

    cut = Cut()
    logging.getLogger("dynosaur.continual").addHandler(cut)
    try:
        with pytest.raises(KeyboardInterrupt):
            continual(choice, str(tmp_path / "store"), return_state=True)
    finally:
        logging.getLogger("dynosaur.continual").removeHandler(cut)
    assert "stage 1 first seed 0 was cut off; 1 of 4 steps are done" in caplog.text
