"""An experiment as a whole: what it begins with, and the comparison that it ends with.

experiment.json     what it is, written first: the same folder goes on with the same experiment alone
comparison/         README.md with the tables, strategies.png, scores.parquet, comparison.json (the manifest)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.parquet as pq

from dynosaur_core.continual.encoders import needed
from dynosaur_core.continual.folder import made_before, made_whole
from dynosaur_core.continual.stages import SPLIT_MANIFEST, open_versions
from dynosaur_core.continual.strategies import STRATEGIES, strategy
from dynosaur_core.digest import digest, digest_bytes
from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.evaluation.comparison import (
    PICTURE,
    StageScores,
    against,
    compare,
    comparison_table,
    draw_comparison,
)
from dynosaur_core.experiment.choice import ExperimentChoice
from dynosaur_core.experiment.steps import HELD_OUT, SCORES, Step, StepScores, read_step, steps_of
from dynosaur_core.models import Stored
from dynosaur_core.results import Result
from dynosaur_core.settings import Settings
from dynosaur_core.stored import from_stored
from dynosaur_core.suites.suite import open_suite
from dynosaur_core.training.places import check_model
from dynosaur_core.training.recipes import recipe

BEGUN = "experiment.json"
COMPARISON = "comparison"
_MANIFEST = "comparison.json"
_BASELINE = "none"
_MEASURES = (
    "*test*: on the unseen tasks. *held-out*: on rows of the stages' own tasks that no stage trains on. *since learnt*:"
    " the held-out score of an earlier stage at the end, less what it was right after that stage; below zero, something"
    " was forgotten. *BWT* is its mean. *forgetting*: the best held-out score that an earlier stage had before the end,"
    " less that at the end, as a mean; above zero, something was forgotten. *average*: of all stages' held-out scores"
    " at the end."
)
_ADDED_LATER = {"out", "split", "strategies", "seeds"}
"""Fields that may differ between two runs of one experiment; the split goes by its content."""


class Begun(Stored):
    """What the steps in a folder have in common."""

    FORMAT: ClassVar[int] = 1
    format: int = 1
    split: str
    """Digest of the split's manifest."""
    choice: dict[str, Any]


class ExperimentSummary(Result):
    """What `dynosaur continual` compared."""

    out: str
    stages: int
    runs: int
    """Strategies times seeds that are complete."""
    incomplete: list[str]
    """Runs that are not, because a step of them failed."""
    untrained: float | None
    """ROUGE-L on the unseen tasks."""
    unseen: dict[str, float]
    """strategy -> the mean over seeds after the last stage."""
    short: int
    """Trainings that ended before they had seen all their rows, replayed ones perhaps among those left."""

    def sentence(self) -> str:
        scores = ", ".join(f"{name} {score:.2f}" for name, score in self.unseen.items())
        before = "" if self.untrained is None else f"; untrained {self.untrained:.2f}"
        failed = f"; {len(self.incomplete)} runs are incomplete" if self.incomplete else ""
        short = f"; {self.short} trainings ended before they had seen all their rows" if self.short else ""
        what = f"{self.runs} runs of {self.stages} stages, ROUGE-L on unseen tasks: {scores or 'none'}"
        return f"{what}{before}{failed}{short}"


def begin(choice: ExperimentChoice, settings: Settings) -> list[Step]:
    """The steps of an experiment, all of whose choices are known to be good.

    Raises BadSetting for a split, strategy, recipe or suite that is none, and for a folder of another experiment.
    """
    for option, what in (("split", "a folder of `dynosaur split`"), ("out", "the folder of the experiment")):
        if not getattr(choice, option):
            raise DynosaurError(Code.BAD_SETTING, f"name {what} with --{option}")
    for name in choice.strategies:
        strategy(name)
    chosen = recipe(choice.recipe, choice.values)
    if "://" in choice.out or "://" in choice.split:
        raise DynosaurError(Code.BAD_SETTING, "an experiment and its split lie in folders of this machine")
    check_model(chosen.model)
    for module in ("torch", "transformers", "peft", "accelerate"):
        needed(module, "train")
    needed("scipy.stats", "eval")
    manifest = Path(choice.split) / SPLIT_MANIFEST
    if not manifest.exists():
        raise DynosaurError(Code.BAD_SETTING, f"{choice.split} is no split: make one with `dynosaur split`")
    stages = open_versions(choice.split, settings).last
    if not Path(choice.split, "stage-1", HELD_OUT).exists():
        raise DynosaurError(Code.BAD_SETTING, f"{choice.split} holds no rows out: split with --held-out")
    open_suite(choice.suite, settings)
    how = {**choice.model_dump(mode="json", exclude=_ADDED_LATER), "values": chosen.model_dump(mode="json")}
    _same(Path(choice.out), Begun(split=digest_bytes(manifest.read_bytes()), choice=how))
    return steps_of(choice, stages)


def _same(out: Path, wanted: Begun) -> None:
    path = out / BEGUN
    if path.exists():
        begun = from_stored(path.read_bytes(), Begun, str(path), "give another place with --out")
        was, now = (
            {**each.choice, **each.choice.get("values", {}), "values": None, "note": None} for each in (begun, wanted)
        )
        differs = [f"{name} {was.get(name)} (now {now[name]})" for name in now if was.get(name) != now[name]]
        differs += ["another split"] if begun.split != wanted.split else []
        if differs:
            message = f"{out} holds an experiment with {', '.join(differs)}: give another place with --out"
            raise DynosaurError(Code.BAD_SETTING, message)
        return
    try:
        if out.exists() and any(out.iterdir()):
            message = f"{out} holds files and no {BEGUN}: give an empty place with --out, or remove them"
            raise DynosaurError(Code.BAD_SETTING, message)
        out.mkdir(parents=True, exist_ok=True)
        part = out / f"{BEGUN}.part"
        part.write_text(wanted.model_dump_json(indent=1), encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise DynosaurError(Code.BAD_SETTING, f"{out} cannot be written: {error}") from error


def conclude(choice: ExperimentChoice, stages: int, scores: Mapping[Step, StepScores]) -> ExperimentSummary:
    """Compares the runs that are complete, also those in the folder that were not asked for this time, and writes
    `comparison/`, unless it stands there already."""
    asked = [(name, seed) for name in choice.strategies for seed in choice.seeds]
    scores = {**scores, **_others(choice, asked, stages)}
    runs, incomplete = _runs(asked, scores, stages)
    found = compare(runs) if runs else {}
    untrained = scores.get(Step(0))
    summary = ExperimentSummary(
        out=choice.out,
        stages=stages,
        runs=len(runs),
        incomplete=incomplete,
        untrained=untrained.unseen if untrained else None,
        unseen={name: values[f"test after stage {stages}"].mean for name, values in found.items()},
        short=len(_short(scores)),
    )
    out = f"{choice.out}/{COMPARISON}"
    key = digest("comparison", 2, summary.as_json(), [run.model_dump(mode="json") for run in runs])
    if runs and not made_before(out, _MANIFEST, key):
        with made_whole(out, _MANIFEST, key, summary.as_json()) as folder:
            draw_comparison(runs, folder)
            pq.write_table(_table(scores), folder / "scores.parquet", compression="zstd")
            (folder / "README.md").write_text(_card(choice, summary, runs, scores), encoding="utf-8")
    return summary


def _run_steps(name: str, seed: int, stages: int) -> list[Step]:
    return [Step(1, seed=seed), *(Step(stage, name, seed) for stage in range(2, stages + 1))]


def _others(choice: ExperimentChoice, asked: Sequence[tuple[str, int]], stages: int) -> dict[Step, StepScores]:
    """The steps of the complete runs that lie in the folder beside those asked for."""
    found: dict[Step, StepScores] = {}
    for path in sorted(Path(choice.out).glob(f"seed-*/*/stage-{stages}/{SCORES}")):
        name, seed = path.parts[-3], path.parts[-4].removeprefix("seed-")
        if name in STRATEGIES and seed.isdecimal() and (name, int(seed)) not in asked:
            steps = _run_steps(name, int(seed), stages)
            made = {step: done for step in steps if (done := read_step(choice, step))}
            found |= made if len(made) == stages else {}
    return found


def _runs(
    asked: Sequence[tuple[str, int]], scores: Mapping[Step, StepScores], stages: int
) -> tuple[list[StageScores], list[str]]:
    """The complete runs, in one order whatever was asked for, and the names of those that were asked for in vain."""
    runs, incomplete = [], []
    for name, seed in sorted({*asked, *((step.strategy, step.seed) for step in scores if step.strategy)}, key=_order):
        mine = [scores[step] for step in _run_steps(name, seed, stages) if step in scores]
        if len(mine) < stages:
            incomplete.append(f"{name} seed {seed}")
            continue
        held_out = tuple((*each.held_out, *[None] * (stages - len(each.held_out))) for each in mine)
        unseen = tuple(each.unseen for each in mine)
        runs.append(StageScores(strategy=name, seed=seed, unseen=unseen, held_out=held_out))
    return runs, incomplete


def _order(run: tuple[str, int]) -> tuple[int, int]:
    name, seed = run
    return [*STRATEGIES].index(name) if name else -1, seed


def _place(step: Step) -> tuple[int, int, int]:
    return (*_order((step.strategy, step.seed)), step.stage)


def _table(scores: Mapping[Step, StepScores]) -> pa.Table:
    """A row a step."""
    return pa.Table.from_pylist(
        [
            {"stage": step.stage, "strategy": step.strategy, "seed": step.seed, **each.model_dump(exclude={"format"})}
            for step, each in sorted(scores.items(), key=lambda item: _place(item[0]))
        ]
    )


def _card(
    choice: ExperimentChoice,
    summary: ExperimentSummary,
    runs: Sequence[StageScores],
    scores: Mapping[Step, StepScores],
) -> str:
    chosen = recipe(choice.recipe, choice.values)
    found = compare(runs)
    alone = [name for name, values in found.items() if next(iter(values.values())).seeds == 1]
    seeds = ", ".join(map(str, sorted({run.seed for run in runs})))
    parts = [
        f"# Replay strategies over {summary.stages} stages",
        f"{chosen.model} by the recipe {choice.recipe}, seeds {seeds}; of earlier stages at most "
        f"{choice.tasks} tasks of {choice.rows} rows are replayed. {summary.sentence()}.",
        *_unseen_rows(scores),
        "Scores are ROUGE-L over all instances, 0 to 100, each with the 95 % interval of its mean over seeds.",
        *([f"With one seed ({', '.join(alone)}) there is no interval: scores may differ by chance."] if alone else []),
        comparison_table(found),
        *([_MEASURES] if summary.stages > 1 else []),
    ]
    if _BASELINE in found and (differences := against(runs, _BASELINE)):
        parts += ["## Beside no replay", "The difference to `none`, paired by seed.", comparison_table(differences)]
    seconds = sum(each.seconds for each in scores.values())
    parts += [f"![scores by stage and strategy]({PICTURE})", f"All steps together took {seconds:,.0f} s."]
    return "\n\n".join(parts) + "\n"


def _short(scores: Mapping[Step, StepScores]) -> list[StepScores]:
    """The steps whose trainings ended before they had seen all their rows."""
    return [each for each in scores.values() if each.seen_rows is not None and each.seen_rows < each.rows]


def _unseen_rows(scores: Mapping[Step, StepScores]) -> list[str]:
    """Warns where trainings had not come to all rows, replayed ones perhaps among those left."""
    short = _short(scores)
    if not short:
        return []
    least = min(short, key=lambda each: (each.seen_rows or 0) / each.rows)
    return [
        f"**{len(short)} of {sum(step.stage > 0 for step in scores)} trainings ended before they had seen all their "
        f"rows**, one after {least.seen_rows:,} of {least.rows:,}: what strategies replay had less to do with these "
        "scores, or nothing. An experiment of more steps (`--max-steps`), in another folder, would show it."
    ]
