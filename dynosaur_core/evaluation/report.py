"""What an evaluation leaves: scores by task and category, every prediction, a card and a picture."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from dynosaur_core.continual.encoders import needed
from dynosaur_core.evaluation.choice import EvaluationChoice
from dynosaur_core.evaluation.journal import Predicted, json_line
from dynosaur_core.evaluation.questions import Question
from dynosaur_core.evaluation.scores import Score, Scorer, grouped, mean
from dynosaur_core.models import Usage
from dynosaur_core.publish.card import CARD, cell
from dynosaur_core.results import Result
from dynosaur_core.text import one_line

MANIFEST, PREDICTIONS, TABLE, PICTURE = "scores.json", "predictions.jsonl", "scores.parquet", "scores.png"
_DIGEST = re.compile("[0-9a-f]{16}|[0-9a-f]{32}")
_BARS = 60
"""Bars of a picture; of more tasks their distribution is drawn."""


class EvaluationSummary(Result):
    """What `dynosaur evaluate` found, or found done."""

    out: str
    changed: bool
    """False where it had been done before."""
    model: str
    suite: str
    prompt: str
    examples: int
    track: str
    tasks: int
    instances: int
    exact_match: float
    rouge_l: float
    """Both over all instances, as Super-NI's script reports them."""
    task_exact_match: float
    task_rouge_l: float
    """Both as means over tasks, each of which counts the same."""
    categories: dict[str, dict[str, float]]
    cut: int
    """Instances whose input was cut to fit into the prompt."""
    unanswered: int
    """Instances that the model refused; their prediction is the empty text."""
    left_out: dict[str, int]
    usage: Usage | None = None
    """What an endpoint was paid in this run."""

    def sentence(self) -> str:
        done = "" if self.changed else " (done before)"
        return (
            f"{self.model} on {self.suite}: ROUGE-L {self.rouge_l:.2f}, exact match {self.exact_match:.2f} over "
            f"{self.instances:,} instances of {self.tasks:,} tasks, prompt {self.prompt}{done}"
        )


class Scored(NamedTuple):
    """A question with its prediction and scores."""

    question: Question
    predicted: Predicted
    score: Score

    @classmethod
    def of(cls, question: Question, predicted: Predicted, scorer: Scorer, choice: EvaluationChoice) -> Scored:
        text = predicted.prediction
        if choice.first_line:
            text = next((line for line in text.splitlines() if line.strip()), "")
        return cls(question, predicted, scorer.score(text, question.instance.references))

    def line(self) -> dict[str, Any]:
        instance = self.question.instance
        return {
            "id": instance.id,
            "task": instance.task,
            "prompt": self.question.digest,
            "prediction": self.predicted.prediction,
            "error": self.predicted.error,
            "references": list(instance.references),
            "exact_match": self.score.exact_match,
            "rouge_l": round(self.score.rouge_l, 6),
            "examples": self.question.examples,
            "cut": self.question.cut,
        }


def write_report(
    scored: Sequence[Scored], left_out: Counter[str], about: Mapping[str, Any], choice: EvaluationChoice, folder: Path
) -> dict[str, Any]:
    """Writes all files but the manifest; returns what `EvaluationSummary` says of the scores."""
    tasks = grouped((each.question.instance.task, each.score) for each in scored)
    named = [(category, each.score) for each in scored if (category := each.question.instance.category)]
    categories = grouped(sorted(named, key=lambda item: item[0]))
    overall, by_task = mean([each.score for each in scored]), _of_tasks(score for _, score in tasks.values())
    found: dict[str, Any] = {
        "tasks": len(tasks),
        "instances": len(scored),
        **overall._asdict(),
        "task_exact_match": by_task.exact_match,
        "task_rouge_l": by_task.rouge_l,
        "categories": {name: score._asdict() for name, (_, score) in categories.items()},
        "cut": sum(each.question.cut for each in scored),
        "unanswered": sum(bool(each.predicted.error) for each in scored),
        "left_out": dict(left_out),
    }
    with (folder / PREDICTIONS).open("wb") as file:
        file.writelines(json_line(each.line()) for each in scored)
    pq.write_table(_table(scored, tasks), folder / TABLE, compression="zstd")
    said = {each.question.instance.task: each.question.instance.instruction for each in scored}
    bars = categories if len(categories) > 1 else {_short(task, said[task]): each for task, each in tasks.items()}
    _draw({name: score.rouge_l for name, (_, score) in bars.items()}, f"{about['model']}, {about['suite']}", folder)
    explained = {f"{task}: {one_line(said[task], 100)}": each for task, each in tasks.items()}
    (folder / CARD).write_text(_card({**about, **found}, explained, categories, choice), encoding="utf-8")
    return found


def _short(task: str, instruction: str) -> str:
    """A task on a line of a picture: one whose name is a digest by what it asks for."""
    return f"{one_line(instruction, 50)} ({task[:8]})" if _DIGEST.fullmatch(task) else task


def _of_tasks(scores: Iterable[Score]) -> Score:
    return Score(*(round(value / 100, 4) for value in mean(list(scores))))


def _table(scored: Sequence[Scored], tasks: Mapping[str, tuple[int, Score]]) -> pa.Table:
    instances = {each.question.instance.task: each.question.instance for each in scored}
    cut = Counter(each.question.instance.task for each in scored if each.question.cut)
    return pa.table(
        {
            "task": list(tasks),
            "instruction": [instances[task].instruction for task in tasks],
            "category": pa.array([instances[task].category for task in tasks], pa.string()),
            "instances": [count for count, _ in tasks.values()],
            "exact_match": [score.exact_match for _, score in tasks.values()],
            "rouge_l": [score.rouge_l for _, score in tasks.values()],
            "cut": [cut[task] for task in tasks],
        }
    )


def _draw(bars: Mapping[str, float], title: str, folder: Path) -> None:
    """ROUGE-L of each category or task, or of how many tasks where there are too many for a bar each."""
    few = len(bars) <= _BARS
    height = max(2.5, 0.22 * len(bars) + 1.2) if few else 5
    figure = needed("matplotlib.figure", "eval").Figure(figsize=(9, height), dpi=120, layout="constrained")
    axes = figure.subplots()
    if few:
        names = sorted(bars, key=lambda name: (bars[name], name))
        drawn = axes.barh([_label(name) for name in names], [bars[name] for name in names], color="#2a6fbb")
        axes.bar_label(drawn, fmt="%.1f", padding=2, fontsize=8)
        axes.set(xlabel="ROUGE-L", xlim=(0, 100))
    else:
        axes.hist(list(bars.values()), bins=range(0, 101, 5), color="#2a6fbb")
        axes.set(xlabel="ROUGE-L", ylabel="tasks", xlim=(0, 100))
    figure.suptitle(_label(title), fontsize=10)  # as wide as the picture, whatever the names take
    figure.savefig(folder / PICTURE, metadata={"Software": None})  # equal scores are equal files


def _label(text: str) -> str:
    """A text as it is: matplotlib takes what stands between dollars for a formula."""
    return one_line(text, 70).replace("$", r"\$")


def _card(
    found: Mapping[str, Any],
    tasks: Mapping[str, tuple[int, Score]],
    categories: Mapping[str, tuple[int, Score]],
    choice: EvaluationChoice,
) -> str:
    how = choice.model_dump(exclude={"out", "model", "suite", "batch"})
    lines = [
        "# Scores\n",
        f"{cell(found['model'])} on {cell(found['suite'])}, by `dynosaur evaluate`: exact match and ROUGE-L as the "
        "scorer of Super-NaturalInstructions computes them, the best over the references, times 100.\n",
        *table(
            ("", "instances", "exact match", "ROUGE-L"),
            [
                ("all instances", found["instances"], Score(found["exact_match"], found["rouge_l"])),
                (f"mean of {found['tasks']:,} tasks", "", Score(found["task_exact_match"], found["task_rouge_l"])),
            ],
        ),
        f"Asked with {', '.join(f'{name} = {cell(str(value))}' for name, value in how.items())}.\n",
        f"The input of {found['cut']:,} instances was cut in its middle to fit; "
        f"{found['unanswered']:,} were not answered and count as an empty text.",
        *(f"- left out: {count:,} {cell(reason)}" for reason, count in found["left_out"].items()),
        "\n![ROUGE-L](scores.png)\n",
    ]
    for title, groups in (("category", categories), ("task", tasks)):
        if groups:
            rows = [(cell(name), count, score) for name, (count, score) in groups.items()]
            lines += [f"## By {title}\n", *table((title, "instances", "exact match", "ROUGE-L"), rows)]
    return "\n".join(lines)


def table(columns: Sequence[str], rows: Iterable[tuple[Any, Any, Score]]) -> list[str]:
    """Lines of Markdown: a name, a count and the two scores in each row."""
    shown = [
        (name, f"{count:,}" if count != "" else "", *(f"{value:.2f}" for value in score)) for name, count, score in rows
    ]
    numbers = ("---", *["---:"] * (len(columns) - 1))
    return [" | ".join(("", *row, "")).strip() for row in (columns, numbers, *shown)] + [""]
