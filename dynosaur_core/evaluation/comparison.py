"""Strategies side by side: a table and a picture of scores and forgetting, over seeds, as the paper shows them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import model_validator

from dynosaur_core.continual.encoders import needed
from dynosaur_core.continual.strategies import STRATEGIES
from dynosaur_core.evaluation.forgetting import (
    LEVEL,
    Interval,
    average,
    backward_transfer,
    difference,
    forgetting,
    interval,
    since_learnt,
)
from dynosaur_core.models import Stored
from dynosaur_core.publish.card import cell

PICTURE = "strategies.png"
_COLOURS = {name: f"C{number}" for number, name in enumerate(STRATEGIES)}


class StageScores(Stored):
    """What one run of K stages scored, with one strategy and seed."""

    strategy: str
    seed: int
    unseen: tuple[float, ...]
    """[K]: after each stage, on tasks that no stage trains on."""
    held_out: tuple[tuple[float | None, ...], ...]
    """[K][K]: after stage i on the held-out data of stage j; None where it was not measured."""

    @model_validator(mode="after")
    def _square(self) -> StageScores:
        if any(len(row) != len(self.unseen) for row in (self.held_out, *self.held_out)):
            raise ValueError(f"{self.strategy}, seed {self.seed}: scores of {len(self.unseen)} stages are no square")
        if any(self.held_out[stage][stage] is None for stage in range(len(self.unseen))):
            raise ValueError(f"{self.strategy}, seed {self.seed}: a stage has no score when it was learnt")
        return self


@dataclass(frozen=True)
class Measure:
    """A column of the table."""

    name: str
    of: Callable[[StageScores], float]


def measures(stages: int) -> list[Measure]:
    """The columns for so many stages; those of forgetting from two on."""

    def unseen(stage: int) -> Measure:
        return Measure(f"test after stage {stage + 1}", lambda run: run.unseen[stage])

    def own(stage: int) -> Measure:
        return Measure(f"held-out of stage {stage + 1} when learnt", lambda run: float(run.held_out[stage][stage] or 0))

    def since(stage: int) -> Measure:
        name = f"stage {stage + 1} after {stages}, since learnt"
        return Measure(name, lambda run: since_learnt(run.held_out)[stage])

    found = [of(stage) for of in (unseen, own) for stage in range(stages)]
    if stages > 1:
        found += [since(stage) for stage in range(stages - 1)]
        found += [
            Measure("BWT", lambda run: backward_transfer(run.held_out)),
            Measure("forgetting", lambda run: forgetting(run.held_out)),
            Measure("average", lambda run: average(run.held_out)),
        ]
    return found


def compare(runs: Sequence[StageScores]) -> dict[str, dict[str, Interval]]:
    """strategy -> measure -> its interval over seeds, in the order in which strategies come.

    Raises ValueError where runs differ in their number of stages, or where one strategy has a seed twice.
    """
    stages = {len(run.unseen) for run in runs}
    if len(stages) != 1:
        raise ValueError(f"runs of {sorted(stages)} stages cannot be compared")
    found: dict[str, dict[str, Interval]] = {}
    for strategy, mine in _by_strategy(runs).items():
        found[strategy] = {each.name: interval([each.of(run) for run in mine.values()]) for each in measures(*stages)}
    return found


def against(runs: Sequence[StageScores], baseline: str) -> dict[str, dict[str, Interval]]:
    """strategy -> measure -> the interval of its difference to the baseline, paired by seed; for all others that share
    a seed with it."""
    of = _by_strategy(runs)
    base = of[baseline]
    columns = measures(len(runs[0].unseen))
    return {
        strategy: {
            each.name: difference(
                {seed: each.of(run) for seed, run in mine.items()}, {seed: each.of(run) for seed, run in base.items()}
            )
            for each in columns
        }
        for strategy, mine in of.items()
        if strategy != baseline and mine.keys() & base.keys()
    }


def _by_strategy(runs: Sequence[StageScores]) -> dict[str, dict[int, StageScores]]:
    found: dict[str, dict[int, StageScores]] = {}
    for run in runs:
        if run.seed in found.setdefault(run.strategy, {}):
            raise ValueError(f"{run.strategy} has the seed {run.seed} twice")
        found[run.strategy][run.seed] = run
    return found


def comparison_table(found: Mapping[str, Mapping[str, Interval]]) -> str:
    """Markdown: a row a strategy, a column a measure, each with its interval over seeds."""
    columns = list(next(iter(found.values())))
    rows = [
        (cell(strategy), str(next(iter(values.values())).seeds), *(str(values[name]) for name in columns))
        for strategy, values in found.items()
    ]
    lines = [("strategy", "seeds", *columns), ("---", *["---:"] * (len(columns) + 1)), *rows]
    return "\n".join(" | ".join(("", *line, "")).strip() for line in lines) + "\n"


def draw_comparison(runs: Sequence[StageScores], folder: Path, unit: str = "ROUGE-L") -> None:
    """Writes PICTURE into `folder`: by strategy and stage the scores on unseen tasks, and how each earlier stage's
    held-out score changed since it was learnt. Bars of error are the intervals of the table."""
    found, stages = compare(runs), len(runs[0].unseen)
    names = [each.name for each in measures(stages)]
    panels = [("unseen tasks", "after stage", names[:stages])]
    if stages > 1:
        panels.append(("change since learnt", "stage", names[2 * stages : 3 * stages - 1]))
    size = {"figsize": (6.5 * len(panels), 5), "dpi": 120, "layout": "constrained"}
    figure = needed("matplotlib.figure", "eval").Figure(**size)
    drawn = figure.subplots(1, len(panels), squeeze=False)[0]
    for axes, (title, label, columns) in zip(drawn, panels, strict=True):
        for number, (strategy, values) in enumerate(found.items()):
            shift = 0.5 * (number - (len(found) - 1) / 2) / len(found)  # so that error bars stand side by side
            means = [values[name].mean for name in columns]
            errors = [0.0 if (high := values[name].high) is None else high - values[name].mean for name in columns]
            places = [place + 1 + shift for place in range(len(columns))]
            line = {"marker": "o", "capsize": 2, "linewidth": 1, "color": _COLOURS.get(strategy)}
            axes.errorbar(places, means, errors, label=strategy.replace("$", r"\$"), **line)
        axes.set(title=title, xlabel=label, ylabel=unit, xticks=range(1, len(columns) + 1))
    drawn[0].legend(fontsize=8, title=f"{LEVEL:.0%} intervals over seeds", title_fontsize=8)
    for axes in drawn[1:]:
        axes.axhline(0, color="#b8b8b8", linewidth=0.8)
    figure.savefig(folder / PICTURE, metadata={"Software": None})
