"""The page of the command: the help of each of its commands, as a terminal shows it."""

from __future__ import annotations

import re

import typer.main
from typer.testing import CliRunner

from flows.command.main import app

_INTRO = """# The command

`dynosaur` is in `.venv/bin`; `. .venv/bin/activate` puts it on the path. What follows is what `dynosaur COMMAND --help` prints.
[Settings](settings.md) that have no option are set by a variable or in `dynosaur.toml`.

- `--json` prints JSON on stdout and nothing else there: an object, of `failed`, `settings` and `doctor` a list; `check` prints a
  line for each design.
- `-v` says on stderr what a command waits for, tries again and leaves out.
- The exit status is 0 when the command has done what it was asked, 1 when too much failed or a release was not made, 2 for a wrong
  command or setting, 130 or 143 when it was interrupted. After an interruption the same command goes on.
"""
_WIDTH = 96


def names() -> list[str]:
    """The commands, in the order of `dynosaur --help`."""
    return list(getattr(typer.main.get_command(app), "commands"))


def help_text(*names: str) -> str:
    """What `dynosaur NAMES --help` prints."""
    found = CliRunner().invoke(app, [*names, "--help"], prog_name="dynosaur", terminal_width=_WIDTH)
    assert found.exit_code == 0, found.output
    return re.sub(r"\s+$", "", found.output).strip("\n")


def page() -> str:
    parts = [_INTRO, f"```text\n{help_text()}\n```\n"]
    parts += [f"## dynosaur {name}\n\n```text\n{help_text(name)}\n```\n" for name in names()]
    return "\n".join(parts)
