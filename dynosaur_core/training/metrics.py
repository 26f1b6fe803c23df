"""`metrics.jsonl`: a line for each step, and the loss curve that is drawn from it."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from dynosaur_core.continual.encoders import needed
from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.logs import logger
from dynosaur_core.training.manifest import CURVE, METRICS

_LOG_S = 60.0
"""At most so many seconds lie between two lines of the log."""
_log = logger("training")


@dataclass(frozen=True)
class Line:
    """A line of the file."""

    step: int
    epoch: float
    loss: float
    """Mean over the output tokens of the step's rows, in nats."""
    learning_rate: float
    tokens: int
    """That the model has read so far, without padding; of the output too where it has no encoder."""
    seconds: float
    """Of training so far; what a kill lost does not count."""


class Metrics:
    """Appends to the file of one training."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / METRICS
        self._seconds = 0.0
        self._started, self._first_tokens, self._steps = time.monotonic(), 0, 0
        self._logged = 0.0

    def begin(self, step: int) -> None:
        """Leaves the lines up to `step`, the one at which the training goes on."""
        kept = [line for line in read_metrics(self._path.parent) if line.step <= step]
        self._path.write_text("".join(map(_written, kept)), encoding="utf-8")
        self._seconds = kept[-1].seconds if kept else 0.0

    def start(self, tokens: int) -> None:
        """Seconds and tokens count from now."""
        self._started, self._first_tokens = time.monotonic(), tokens

    def add(self, step: int, steps: int, epoch: float, logs: dict[str, float], tokens: int) -> None:
        """Appends the line of a step, and logs it from time to time: of a long training less often."""
        took = time.monotonic() - self._started
        self._steps += 1
        line = Line(step, round(epoch, 6), logs["loss"], logs["learning_rate"], tokens, round(self._seconds + took, 3))
        with self._path.open("a", encoding="utf-8") as file:
            file.write(_written(line))
        if self._steps == 1 or step == steps or took - self._logged >= min(_LOG_S, max(_LOG_S / 30, took / 20)):
            self._logged = took
            rate = (tokens - self._first_tokens) / max(took, 1e-9)
            left = timedelta(seconds=round(took / self._steps * (steps - step)))
            shown = f"step {step:,} of {steps:,}, loss {line.loss:.4f}"
            _log.info("%s, %s tokens/s, %s left", shown, f"{rate:,.0f}", left)


def read_metrics(folder: Path) -> list[Line]:
    """The lines of a training; a last one that was cut by a kill is left out. Raises StoreFailed for others."""
    path = folder / METRICS
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.exists() else []
    found = []
    for number, text in enumerate(lines, start=1):
        if not text.endswith("\n"):
            break
        try:
            values = json.loads(text)
            found.append(Line(**{name: values[name] for name in Line.__dataclass_fields__}))
        except (ValueError, KeyError, TypeError) as error:
            message = f"{path}, line {number} is damaged: remove the folder and train again"
            raise DynosaurError(Code.STORE_FAILED, message) from error
    return found


def ends_of(lines: Sequence[Line]) -> tuple[float, float]:
    """Mean loss of the first tenth of the steps and of the last."""
    tenth = max(1, len(lines) // 10)
    first, last = lines[:tenth], lines[-tenth:]
    return sum(line.loss for line in first) / tenth, sum(line.loss for line in last) / tenth


def draw_curve(lines: Sequence[Line], title: str, folder: Path) -> None:
    """Writes CURVE into `folder`: the loss of each step, and its mean over a fiftieth of them."""
    import numpy as np

    steps, losses = np.array([line.step for line in lines]), np.array([line.loss for line in lines])
    window = max(1, len(losses) // 50)
    smooth = np.convolve(losses, np.ones(window) / window, mode="valid")
    figure = needed("matplotlib.figure", "train").Figure(figsize=(8, 5), dpi=120, layout="constrained")
    axes: Any = figure.subplots()
    axes.plot(steps, losses, color="#b8b8b8", linewidth=0.8, label="each step")
    if window > 1:
        axes.plot(steps[window - 1 :], smooth, color="#2a6fbb", label=f"mean over {window:,} steps")
    axes.set(title=title, xlabel="step", ylabel="loss (nats per output token)")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.legend()
    figure.savefig(folder / CURVE, metadata={"Software": None})


def _written(line: Line) -> str:
    return json.dumps(asdict(line)) + "\n"
