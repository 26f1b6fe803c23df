"""The steps of an experiment: one stage, learnt with one strategy and seed, and measured.

untrained/                       the model before the first stage, on the unseen tasks alone
seed-0/first/stage-1/            the first stage, which all strategies of a seed share
seed-0/<strategy>/stage-2/       mixture/, training/, unseen/, held-out-1/, held-out-2/ and step.json, written last
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar

from filelock import FileLock, Timeout

from dynosaur_core.continual.choice import ReplayChoice
from dynosaur_core.continual.mixture import replay
from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.evaluation.choice import EvaluationChoice
from dynosaur_core.evaluation.evaluate import evaluate
from dynosaur_core.experiment.choice import ExperimentChoice
from dynosaur_core.models import Stored
from dynosaur_core.settings import Settings
from dynosaur_core.store import Store
from dynosaur_core.stored import from_stored
from dynosaur_core.training.choice import FinetuneChoice
from dynosaur_core.training.finetune import finetune

SCORES = "step.json"
HELD_OUT = "held-out/held-out-00000.parquet"
"""Where a stage of a split has them."""
_LOCK = ".lock"


Progress = Callable[[str, int, int], None]
"""Called with the folder of what is measured, how many predictions are there, and of how many."""


@dataclass(frozen=True)
class Step:
    """One stage of one run; stage 0 is the model before the first one."""

    stage: int
    strategy: str = ""
    """Empty for the first stage, which has nothing to replay, and before it."""
    seed: int = 0

    @property
    def name(self) -> str:
        """For a person."""
        return f"stage {self.stage} {self.strategy or 'first'} seed {self.seed}" if self.stage else "untrained"

    @property
    def place(self) -> str:
        return f"seed-{self.seed}/{self.strategy or 'first'}/stage-{self.stage}" if self.stage else "untrained"

    @property
    def before(self) -> Step | None:
        """The step whose model it goes on from."""
        if self.stage < 2:
            return None
        return Step(self.stage - 1, self.strategy if self.stage > 2 else "", self.seed)


class StepScores(Stored):
    """What a step's model scored: ROUGE-L, 0 to 100."""

    FORMAT: ClassVar[int] = 1
    format: int = 1
    unseen: float
    unseen_exact: float
    """Exact match in place of ROUGE-L."""
    held_out: tuple[float, ...]
    """[stage]: on the held-out rows of each stage until this one."""
    rows: int
    """Of its mixture."""
    seen_rows: int | None = None
    """Of these, in its training; None of a step that an earlier version made."""
    replayed_rows: int
    seconds: float


def steps_of(choice: ExperimentChoice, stages: int) -> list[Step]:
    """All steps, each behind the one that it goes on from."""
    found = [Step(0)]
    for seed in choice.seeds:
        found.append(Step(1, seed=seed))
        found += [Step(stage, strategy, seed) for strategy in choice.strategies for stage in range(2, stages + 1)]
    return found


def read_step(choice: ExperimentChoice, step: Step) -> StepScores | None:
    """The scores of a step that has ended. Raises StoreFailed for a damaged file."""
    path = Path(choice.out) / step.place / SCORES
    if not path.exists():
        return None
    return from_stored(path.read_bytes(), StepScores, str(path), "remove its folder and run the command again")


def is_held(choice: ExperimentChoice, step: Step) -> bool:
    """Whether another process is at it."""
    folder = Path(choice.out) / step.place
    if not folder.exists():
        return False
    try:
        with _held(folder, timeout_s=0):
            return False
    except Timeout:
        return True


def run_step(
    choice: ExperimentChoice,
    step: Step,
    settings: Settings,
    store: Store,
    progress: Progress = lambda _part, _done, _total: None,
) -> StepScores:
    """Replays, trains and measures, or goes on with what was cut off; where another process is at it, waits for it.

    Raises DynosaurError as `replay`, `finetune` and `evaluate` do.
    """
    folder = Path(choice.out) / step.place
    with _held(folder, timeout_s=-1):
        if done := read_step(choice, step):
            return done
        began = time.monotonic()
        model, rows, seen, replayed = _trained(choice, step, settings, store, folder)
        unseen, *held_out = (
            evaluate(
                _evaluation(choice, model, suite, str(folder / name), instances),
                settings,
                progress=partial(progress, name),
            )
            for name, suite, instances in _suites(choice, step)
        )
        scores = StepScores(
            unseen=unseen.rouge_l,
            unseen_exact=unseen.exact_match,
            held_out=tuple(each.rouge_l for each in held_out),
            rows=rows,
            seen_rows=seen,
            replayed_rows=replayed,
            seconds=round(time.monotonic() - began, 1),
        )
        part = folder / f"{SCORES}.part"
        part.write_text(scores.model_dump_json(indent=1), encoding="utf-8")
        part.replace(folder / SCORES)
        return scores


def _trained(
    choice: ExperimentChoice, step: Step, settings: Settings, store: Store, folder: Path
) -> tuple[str, int, int, int]:
    """The step's model, the rows of its mixture, and how many of them were seen in training and how many replayed."""
    if step.stage == 0:
        return _first_model(choice), 0, 0, 0
    replayed = 0
    data, values = f"{choice.split.rstrip('/')}/stage-{step.stage}", {**choice.values, "seed": step.seed}
    if step.before:
        made = replay(replayed_by(choice, step, str(folder / "mixture")), settings, store)
        data, replayed = made.out, made.replayed_rows
        values["model"] = str(Path(choice.out) / step.before.place / "training")
    out = str(folder / "training")
    done = finetune(FinetuneChoice(data=data, out=out, recipe=choice.recipe, values=values))
    return out, done.rows, done.seen, replayed


def replayed_by(choice: ExperimentChoice, step: Step, out: str) -> ReplayChoice:
    """What a step after the first stage replays: of all stages before its own."""
    split = choice.split.rstrip("/")
    return ReplayChoice(
        stage=f"{split}@{step.stage}",
        earlier=f"{split}@1-{step.stage - 1}",
        strategy=step.strategy,
        tasks=choice.tasks,
        rows=choice.rows,
        seed=step.seed,
        out=out,
    )


def _first_model(choice: ExperimentChoice) -> str:
    return FinetuneChoice(data=choice.split, out=choice.out, recipe=choice.recipe, values=choice.values).chosen().model


def _suites(choice: ExperimentChoice, step: Step) -> Iterator[tuple[str, str, int]]:
    """(folder, suite, instances of each task) of all that a step's model is measured on."""
    yield "unseen", choice.suite, choice.instances
    for stage in range(1, step.stage + 1):
        yield f"held-out-{stage}", f"{choice.split.rstrip('/')}/stage-{stage}/{HELD_OUT}", choice.held_out


def _evaluation(choice: ExperimentChoice, model: str, suite: str, out: str, instances: int) -> EvaluationChoice:
    chosen = FinetuneChoice(data=choice.split, out=out, recipe=choice.recipe, values=choice.values).chosen()
    return EvaluationChoice(
        model=model,
        suite=suite,
        out=out,
        prompt=chosen.prompt,
        dtype=chosen.dtype,
        instances=instances,
        input_tokens=choice.input_tokens,
        new_tokens=choice.new_tokens,
        batch=choice.eval_batch,
    )


@contextmanager
def _held(folder: Path, timeout_s: float) -> Iterator[None]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / _LOCK, timeout=timeout_s):
            yield
    except OSError as error:
        if isinstance(error, Timeout):
            raise
        raise DynosaurError(Code.BAD_SETTING, f"{folder} cannot be written: {error}") from error
