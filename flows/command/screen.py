"""What the command shows: progress and tables on stderr, so that stdout stays for data."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Self

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.panel import Panel
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from dynosaur_core.errors import ERRORS, Code
from dynosaur_core.reasons import REASONS, Reason
from dynosaur_core.report import GrowthReport
from dynosaur_core.results import Forecast, Released, ReleaseOutcome
from dynosaur_core.settings import Settings
from dynosaur_core.text import printable
from flows.command.counting import counted
from flows.command.next_steps import after_growth, after_release
from flows.progress import BranchEnded, Embedded, Event, GrowthEnded, Planned, ReleasesEnded, Releasing


class PlainTable(Table):
    """A table whose cells are shown as they are: what stands in one is neither markup nor obeyed by a terminal."""

    def row(self, *cells: str) -> None:
        self.add_row(*(Text(printable(cell)) for cell in cells))


def plain_table(*columns: str) -> PlainTable:
    """A table without frames, so that 80 columns hold more; only prose is wrapped."""
    table = PlainTable(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for name in columns:
        table.add_column(name, no_wrap=name != "why", justify="right" if name in _NUMBERS else "left")
    return table


_NUMBERS = {"count", "records", "datasets", "grown", "failed", "cost", "rows", "seconds"}
_RECORD_CHARS = 400
"""Of each part of a record."""
SHOWN_PLANNED = 20
"""Datasets of a dry run that the screen names."""
SHOWN_SLOWEST = 5
"""Datasets whose seconds the screen shows."""
_SLOW_S = 1.0
"""Those that took less are not worth a line."""


def _short(text: str) -> str:
    return f"{text[:_RECORD_CHARS]}…" if len(text) > _RECORD_CHARS else text


class Screen:
    """Listens to a growth and shows it."""

    def __init__(self) -> None:
        self.console = Console(stderr=True, highlight=False, markup=False, emoji=False)
        self.report: GrowthReport | None = None
        self.released: Released | None = None
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[last]}", markup=False),
            console=self.console,
            disable=not self.console.is_terminal,
        )
        self._task: TaskID | None = None
        self._release: TaskID | None = None

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._progress.stop()

    def advance(self, what: str, done: int, total: int) -> None:
        """Shows how much of some long work is done; a step with another name begins another bar."""
        if self._task is None or self._progress.tasks[-1].description != what:
            self._task = self._progress.add_task(what, total=total, last="")
        self._progress.update(self._task, completed=done, total=total)

    def line(self, text: str) -> None:
        """One line; where nobody watches it stays one, however long it is."""
        self.console.print(printable(text), soft_wrap=not self.console.is_terminal)

    def indented(self, text: str, by: int = 4) -> None:
        text = printable(text)
        self.console.print(
            Padding(Text(text), (0, 0, 0, by)) if self.console.is_terminal else f"{' ' * by}{text}",
            soft_wrap=not self.console.is_terminal,
        )

    def record(self, title: str, instruction: str, given: str, output: str) -> None:
        """A record in a frame: what is asked, what is given, what is answered."""
        asked, given, answer = (printable(_short(text)) for text in (instruction, given, output))
        text = Text.assemble((asked, "bold"), "\n", given, "\n", (answer, "green"))
        self.console.print(Panel(text, title=Text(printable(title)), title_align="left"))

    def listen(self, event: Event) -> None:
        """A listener of `flows.progress`."""
        match event:
            case Planned(plan):
                counts = {**plan.counts(), "refused from the listing": sum(plan.refused.values())}
                told = ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)
                self.line(f"surveyed {counted(plan.surveyed, 'dataset')}: {told}" if told else "no dataset to look at")
                if plan.branches:
                    self._task = self._progress.add_task("growing", total=len(plan.branches), last="")
            case BranchEnded(repo_id, end) if self._task is not None:
                self._progress.update(self._task, advance=1, last=printable(f"{repo_id} {end}")[:60])
                if not self.console.is_terminal:
                    self.line(f"  {repo_id}: {end}")
            case Releasing(url):
                self._end_release()
                self.line(f"releasing to {url}")
                self._release = self._progress.add_task("releasing", total=None, last=printable(url)[:60])
            case GrowthEnded(report):
                self._end_release()
                self.report = report
            case ReleasesEnded(released):
                self._end_release()
                self.released = released
            case Embedded(done, total):
                self.advance("embedding", done, total)

    def _end_release(self) -> None:
        """A bar of unknown length moves as long as a release is written, or waits to be tried again."""
        if self._release is not None:
            self._progress.remove_task(self._release)
            self._release = None

    def show_report(self, settings: Settings) -> None:
        """Tables of what was grown, refused and failed, and where to look next."""
        report = self.report
        if report is None:
            return
        self.line("")
        self.line(report.sentence())
        ends = plain_table("outcome", "datasets", "why")
        if report.grown:
            ends.row(
                "grown",
                f"{report.grown:,}",
                f"{counted(report.accepted, 'task')}, {counted(report.recorded, 'record')}",
            )
        for name, count in report.refused.most_common():
            ends.row("refused", f"{count:,}", f"{name}: {REASONS[Reason(name)]}")
        for failure in report.failures[:20]:
            ends.row("failed", "1", f"{failure.repo_id}: {failure.code}: {failure.message}"[:140])
        if len(report.failures) > 20:
            ends.row("failed", f"{len(report.failures) - 20:,}", "more; see `dynosaur failed`")
        for code, count in report.deferred.most_common():
            ends.row("deferred", f"{count:,}", f"{code}: {ERRORS[Code(code)].advice}")
        if report.plan.withdrawn:
            ends.row("withdrawn", f"{len(report.plan.withdrawn):,}", "their rows leave the release")
        if ends.row_count:
            self.console.print(ends)
        if report.task_rejections:
            tasks = plain_table("tasks rejected", "count", "why")
            for name, count in report.task_rejections.most_common():
                tasks.row(name, f"{count:,}", REASONS[Reason(name)])
            self.console.print(tasks)
        usage = report.usage
        if usage.requests:
            tokens = f"{usage.prompt_tokens:,} + {usage.completion_tokens:,} tokens"
            self.line(f"model: {counted(usage.requests, 'request')}, {tokens}, {report.dollars()}")
        self._show_slowest(report)
        self._show_releases(report.releases, report.release_errors)
        if report.plan.held_back_because:
            self.line(f"not withdrawn: {report.plan.held_back_because}")
        self.next_steps(after_growth(report, settings))

    def _show_slowest(self, report: GrowthReport) -> None:
        slowest = plain_table("slowest datasets", "seconds", "why")
        for repo_id, seconds in islice(report.durations().slowest.items(), SHOWN_SLOWEST):
            if seconds.total >= _SLOW_S:
                slowest.row(repo_id, f"{seconds.total:.1f}", seconds.sentence())
        if slowest.row_count:
            self.console.print(slowest)

    def next_steps(self, steps: Iterable[str]) -> None:
        """The last lines: what to type next."""
        for number, step in enumerate(steps):
            self.line(f"{'      ' if number else 'next: '}{step}")

    def show_released(self, settings: Settings) -> None:
        """What the release flow did, and how to go on where it could not."""
        if self.released is None:
            return
        errors = self.released.release_errors
        self._show_releases(self.released.release, errors)
        self.next_steps(after_release(errors, settings))

    def _show_releases(self, made: dict[str, ReleaseOutcome], errors: dict[str, str]) -> None:
        for url, release in made.items():
            news = "" if release.changed else " (nothing new)"
            self.line(f"release {url}: version {release.version}, {counted(release.records, 'record')}{news}")
        for error in errors.values():
            self.line(f"release not made: {error}")

    def show_forecast(self, forecast: Forecast) -> None:
        """The plan of a dry run and its estimated cost."""
        plan = plain_table("planned", "datasets")
        for name, count in forecast.planned.items():
            plan.row(name, f"{count:,}")
        for name, count in forecast.refused.items():
            plan.row(f"refused: {name}", f"{count:,}")
        self.console.print(plan)
        for repo_id in forecast.datasets[:SHOWN_PLANNED]:
            self.indented(repo_id, 2)
        planned = sum(count for name, count in forecast.planned.items() if name not in ("unchanged", "withdrawn"))
        if (more := max(planned, len(forecast.datasets)) - SHOWN_PLANNED) > 0:
            self.indented(f"and {more:,} more" + ("; --json names them" if more < 1_000 else ""), 2)
        estimate = forecast.estimate
        dollars = "unknown (no price for this model)" if estimate.cost_usd is None else f"${estimate.cost_usd:.4f}"
        self.line(
            f"estimated: {counted(estimate.requests, 'request')}, {estimate.prompt_tokens:,} prompt and "
            f"{estimate.completion_tokens:,} completion tokens, {dollars}"
        )
