"""An experiment with a real, small model: its steps, what is done once, and what it ends with."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from dynosaur_core.continual.choice import SplitChoice
from dynosaur_core.continual.split_folder import make_split
from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.experiment.choice import ExperimentChoice
from dynosaur_core.experiment.experiment import ExperimentSummary, begin, conclude
from dynosaur_core.experiment.steps import Step, StepScores, is_held, read_step, replayed_by, run_step, steps_of
from dynosaur_core.settings import Settings
from dynosaur_core.store import Store

for _library in ("torch", "transformers", "peft"):
    pytest.importorskip(_library)

pytestmark = pytest.mark.xdist_group("training")  # whose libraries take long to import
FIRST, NONE, RANDOM = Step(1), Step(2, "none"), Step(2, "random")


def run(choice: ExperimentChoice, tmp_path: Path) -> tuple[dict[Step, StepScores], ExperimentSummary]:
    steps = begin(choice, Settings())
    scores = {step: run_step(choice, step, Settings(), Store(str(tmp_path / "store"))) for step in steps}
    return scores, conclude(choice, 2, scores)


def files(folder: Path) -> dict[str, tuple[int, bytes]]:
    found = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != ".lock"]
    return {str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes()) for path in found}


def test_experiment_compares_strategies_and_shares_the_first_stage(choice: ExperimentChoice, tmp_path: Path) -> None:
    scores, summary = run(choice, tmp_path)
    assert list(scores) == [Step(0), FIRST, NONE, RANDOM]
    assert [len(each.held_out) for each in scores.values()] == [0, 1, 2, 2]
    assert (scores[NONE].rows, scores[NONE].seen_rows, scores[NONE].replayed_rows) == (16, 8, 0)
    assert (scores[RANDOM].rows, scores[RANDOM].replayed_rows) == (20, 4), "one task of four rows"
    assert (summary.runs, summary.incomplete, set(summary.unseen)) == (2, [], {"none", "random"})
    assert summary.sentence().endswith("; 3 trainings ended before they had seen all their rows")
    trained = json.loads((tmp_path / "experiment/seed-0/random/stage-2/training/training.json").read_bytes())
    assert trained["recipe"]["model"] == str(tmp_path / "experiment/seed-0/first/stage-1/training")
    out = tmp_path / "experiment/comparison"
    card = (out / "README.md").read_text()
    assert "\n| none | 1 |" in card and "\n| random | 1 |" in card and "Beside no replay" in card
    assert "3 of 3 trainings ended before they had seen all their rows**, one after 8 of 20" in card
    assert "With one seed (none, random) there is no interval" in card and "| average |" in card
    assert pq.read_table(out / "scores.parquet")["strategy"].to_pylist() == ["", "", "none", "random"]
    assert (out / "strategies.png").read_bytes().startswith(b"\x89PNG")

    before = files(tmp_path / "experiment")
    again, told = run(choice, tmp_path)
    assert (again, told) == (scores, summary) and files(tmp_path / "experiment") == before

    _, narrower = run(choice.model_copy(update={"strategies": ("random",)}), tmp_path)
    assert narrower == summary and files(tmp_path / "experiment") == before, "the others stay in the comparison"

    more, wider = run(choice.model_copy(update={"strategies": ("none", "random", "coverage")}), tmp_path)
    assert set(more) - set(scores) == {Step(2, "coverage")} and wider.runs == 3
    with pytest.raises(DynosaurError, match=r"holds an experiment with rows 4 \(now 5\): give another place") as caught:
        begin(choice.model_copy(update={"rows": 5}), Settings())
    assert caught.value.code is Code.BAD_SETTING


def test_steps_go_on_from_the_step_before_and_replay_all_stages_before(choice: ExperimentChoice) -> None:
    steps = steps_of(choice.model_copy(update={"seeds": (7,)}), 3)
    assert steps == [
        Step(0),
        Step(1, "", 7),
        *(Step(stage, name, 7) for name in ("none", "random") for stage in (2, 3)),
    ]
    assert [step.before for step in steps] == [None, None, steps[1], steps[2], steps[1], steps[4]]
    found = replayed_by(choice, steps[-1], "mixture")
    assert (found.stage, found.earlier) == (f"{choice.split}@3", f"{choice.split}@1-2")
    assert (found.strategy, found.tasks, found.rows, found.seed, found.out) == ("random", 1, 4, 7, "mixture")


def test_what_is_named_twice_is_run_once() -> None:
    choice = ExperimentChoice(strategies=("none", "random", "none"), seeds=(1, 0, 1))
    assert (choice.strategies, choice.seeds) == (("none", "random"), (1, 0))


def test_step_that_was_cut_off_goes_on_to_the_same_scores(choice: ExperimentChoice, tmp_path: Path) -> None:
    store = Store(str(tmp_path / "store"))
    begin(choice, Settings())

    def stop(_part: str, done: int, _total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_step(choice, FIRST, Settings(), store, stop)
    assert read_step(choice, FIRST) is None and not is_held(choice, FIRST)
    resumed = run_step(choice, FIRST, Settings(), store)
    whole = choice.model_copy(update={"out": str(tmp_path / "whole")})
    begin(whole, Settings())
    undisturbed = run_step(whole, FIRST, Settings(), store)
    assert resumed.model_copy(update={"seconds": 0.0}) == undisturbed.model_copy(update={"seconds": 0.0})


def test_step_of_another_process_is_left_to_it(choice: ExperimentChoice) -> None:
    begin(choice, Settings())
    folder = Path(choice.out) / FIRST.place
    folder.mkdir(parents=True)
    code = (
        f"from filelock import FileLock; at = FileLock({str(folder / '.lock')!r}); at.acquire(); print('held'); input()"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdin=-1, stdout=-1, text=True) as other:
        assert other.stdout and other.stdout.readline() == "held\n"
        assert is_held(choice, FIRST)
        other.communicate("\n")
    assert not is_held(choice, FIRST)


def test_conclude_names_the_runs_that_are_incomplete(choice: ExperimentChoice) -> None:
    begin(choice, Settings())
    learnt = StepScores(unseen=1.0, unseen_exact=0.0, held_out=(4.0,), rows=4, replayed_rows=0, seconds=1.0)
    second = learnt.model_copy(update={"held_out": (3.0, 5.0)})
    summary = conclude(choice, 2, {FIRST: learnt, NONE: second})
    assert (summary.runs, summary.incomplete, summary.unseen) == (1, ["random seed 0"], {"none": 1.0})
    longer = conclude(choice, 3, {FIRST: learnt, NONE: second})
    assert (longer.runs, longer.incomplete) == (0, ["none seed 0", "random seed 0"]), "a run of two stages of three"
    assert conclude(choice, 2, {FIRST: learnt}).runs == 0


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"strategies": ("nonne",)}, "there is no strategy 'nonne'"),
        ({"split": ""}, "name a folder of `dynosaur split` with --split"),
        ({"recipe": "smollm"}, "there is no recipe 'smollm'"),
        ({"split": "/nowhere"}, "/nowhere is no split: make one with"),
        ({"out": "s3://bucket/x"}, "lie in folders of this machine"),
        ({"values": {"epochs": -1}}, "epochs"),
    ],
)
def test_begin_refuses_what_is_none(choice: ExperimentChoice, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(DynosaurError, match=said) as caught:
        begin(choice.model_copy(update=changes), Settings())
    assert caught.value.code is Code.BAD_SETTING
    assert not Path(choice.out).exists()


def test_begin_refuses_another_split(choice: ExperimentChoice, tmp_path: Path) -> None:
    begin(choice, Settings())
    rows, other = str(tmp_path / "rows.jsonl"), str(tmp_path / "other")
    make_split(SplitChoice(records=rows, stages=2, held_out=3, out=other), Settings())
    with pytest.raises(DynosaurError, match="another split: give another place"):
        begin(choice.model_copy(update={"split": other}), Settings())


def test_begin_refuses_files_of_others(choice: ExperimentChoice, tmp_path: Path) -> None:
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment/thesis.txt").write_text("")
    with pytest.raises(DynosaurError, match=r"holds files and no experiment\.json"):
        begin(choice, Settings())
