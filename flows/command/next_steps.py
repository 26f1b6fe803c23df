"""What to type next after a growth or a release that left something to do: whole commands, to be copied."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping

from dynosaur_core.errors import ERRORS, Code
from dynosaur_core.report import GrowthReport
from dynosaur_core.settings import Settings


def after_growth(report: GrowthReport, settings: Settings) -> Iterator[str]:
    """Lines of commands, each with its meaning, the most urgent last; none where there is nothing to do."""
    if report.failures:
        yield _command("failed", settings)
        yield _command("explain", settings, report.failures[0].repo_id)
    if report.plan.held_back:
        where = _command("grow", settings, "--catalog", settings.catalog)
        releases = [word for url in settings.release for word in ("--release", url)]
        yield f"{where} {shlex.join([*releases, '--withdraw-many'])}    if these withdrawals are meant"
    if report.release_errors:
        yield from after_release(report.release_errors, settings)
    elif not settings.release and report.grown:
        yield f"{_command('release', settings)} --release FOLDER    since no release was set"
    if too_many := report.too_many_failed(settings):
        yield (f"{too_many}; what was grown is kept. To allow more: DYNOSAUR_MAX_FAILURE_RATIO, DYNOSAUR_FAILURE_FLOOR")
    if report.stopped:
        yield f"the same command, when this is mended: {report.stopped}"


def after_release(errors: Mapping[str, str], settings: Settings) -> Iterator[str]:
    """The commands that make the releases that were not made; `errors` are keyed by URL."""
    for url, error in errors.items():
        code = error.removeprefix(f"{url}: ").partition(":")[0]
        flag = ERRORS[Code(code)].confirmed_by if code in set(Code) else None
        command = _command("release", settings, "--release", url, *([flag] if flag else []))
        yield f"{command}    {'if that is meant' if flag else 'when that is mended'}"


def _command(name: str, settings: Settings, *words: str) -> str:
    return shlex.join(["dynosaur", name, *words, "--store", settings.store])
