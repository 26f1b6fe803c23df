"""What the screen shows is text, whatever it looks like, and its last lines say what to type next."""

from __future__ import annotations

import io
import json
from collections.abc import Callable

import pytest

from dynosaur_core.models import DatasetRef, GrowthPlan
from dynosaur_core.report import Failure, GrowthReport
from dynosaur_core.results import Estimate, Forecast, Released, Seconds
from dynosaur_core.settings import Settings
from flows.command.arguments import json_text
from flows.command.screen import Screen, plain_table
from flows.progress import BranchEnded, GrowthEnded, Planned, ReleasesEnded, Releasing

MARKUP = "[/b] [red]x[/red] :smile: [link=http://x]y[/link]"


def _shown(show: Callable[[Screen], object]) -> str:
    screen = Screen()
    screen.console.file = written = io.StringIO()
    show(screen)
    return written.getvalue()


def _table(text: str) -> Callable[[Screen], object]:
    def show(screen: Screen) -> None:
        table = plain_table("dataset", "why")
        table.row("a/b", text)
        screen.console.print(table)

    return show


@pytest.mark.parametrize(
    "show",
    [
        lambda screen: screen.line(MARKUP),
        lambda screen: screen.indented(MARKUP),
        _table(MARKUP),
        lambda screen: (screen.listen(Planned(_plan(1))), screen.listen(BranchEnded("a/b", MARKUP))),
    ],
)
def test_screen_shows_markup_as_it_is(show: Callable[[Screen], object]) -> None:
    assert MARKUP in _shown(show)


@pytest.mark.parametrize("odd", ["\x1b[2J", "\x9b31m", "\u202e", "\x07", "\x00"])
def test_screen_and_json_hold_nothing_that_a_terminal_obeys(odd: str) -> None:
    shown = _shown(lambda screen: (screen.line(f"a{odd}b"), screen.indented(odd), _table(odd)(screen)))
    assert odd[0] not in shown
    assert odd[0] not in json_text({"detail": f"a{odd}b"})
    assert json.loads(json_text({"detail": f"a{odd}b"})) == {"detail": f"a{odd}b"}


def _plan(branches: int) -> GrowthPlan:
    new = tuple(DatasetRef(repo_id=f"a/{n}", revision="r") for n in range(branches))
    return GrowthPlan(surveyed=branches, new=new)


def _last_lines(report: GrowthReport, **given: object) -> list[str]:
    def show(screen: Screen) -> None:
        screen.listen(GrowthEnded(report))
        screen.show_report(Settings(store="kept", **given))  # type: ignore[arg-type]

    return _shown(show).splitlines()[-3:]


def test_last_line_of_a_growth_without_a_release_says_how_to_make_one() -> None:
    report = GrowthReport("g", _plan(1), grown=1)
    assert _last_lines(report)[-1] == "next: dynosaur release --store kept --release FOLDER    since no release was set"


def test_last_line_of_a_release_that_was_not_made_says_how_to_make_it() -> None:
    report = GrowthReport("g", _plan(1), grown=1, release_errors={"out": "out: ReleaseFailed: no room"})
    *_, told, last = _last_lines(report, release=["out"])
    assert told == "release not made: out: ReleaseFailed: no room"
    assert last == "next: dynosaur release --release out --store kept    when that is mended"


def test_last_lines_of_a_passed_threshold_name_it_and_where_to_look() -> None:
    failure = Failure("a/0", "UnreadableFiles", "metadata", MARKUP, 1, "tell its owner")
    failed, explain, last = _last_lines(
        GrowthReport("g", _plan(2), grown=1, failures=[failure]), release=["out"], failure_floor=0
    )
    assert failed == "next: dynosaur failed --store kept"
    assert explain.strip() == "dynosaur explain a/0 --store kept"
    assert last.strip().startswith("50% of the branches failed, at most 20% may")
    assert "DYNOSAUR_MAX_FAILURE_RATIO" in last


def test_last_line_of_a_stopped_growth_says_why() -> None:
    last = _last_lines(GrowthReport("g", _plan(2), stopped="ModelKeyRefused: wrong key"), release=["out"])[-1]
    assert last == "next: the same command, when this is mended: ModelKeyRefused: wrong key"


def test_screen_shows_the_five_slowest_datasets_and_where_their_time_went() -> None:
    report = GrowthReport("g", _plan(8))
    for number in range(8):
        report.seconds[f"a/{number}"] = Seconds.of({"metadata": number, "instruction": 0.5, "filter": 0.01}, model=0.4)

    def show(screen: Screen) -> None:
        screen.listen(GrowthEnded(report))
        screen.show_report(Settings())

    shown = [line for line in _shown(show).splitlines() if line.strip().startswith("a/")]
    assert [line.split()[0] for line in shown] == ["a/7", "a/6", "a/5", "a/4", "a/3"]
    assert " ".join(shown[0].split()) == "a/7 7.5 metadata 7.0, instruction 0.5 (model 0.4)"


@pytest.mark.parametrize(("count", "more"), [(3, ""), (25, "and 5 more; --json names them"), (3_000, "and 2,980 more")])
def test_screen_of_a_dry_run_names_datasets(count: int, more: str) -> None:
    names = [f"a/{number}" for number in range(min(count, 1_000))]
    estimate = Estimate(requests=1, prompt_tokens=1, completion_tokens=1, cost_usd=0.1, read=1)
    found = Forecast(
        planned={"new": count, "unchanged": 7}, datasets=names, refused={}, held_back="", estimate=estimate
    )
    lines = _shown(lambda screen: screen.show_forecast(found)).splitlines()
    assert [line.strip() for line in lines if line.startswith("  a/")] == names[:20]
    assert [line.strip() for line in lines if "more" in line] == ([more] if more else [])
    assert lines[-1].startswith("estimated: 1 request, ")


def test_screen_moves_a_bar_while_a_release_is_made() -> None:
    screen = Screen()
    screen.listen(Releasing("hf://datasets/a/b"))
    [bar] = screen._progress.tasks
    assert (bar.description, bar.total, bar.fields["last"]) == ("releasing", None, "hf://datasets/a/b")
    screen.listen(ReleasesEnded(Released()))
    assert screen._progress.tasks == []
