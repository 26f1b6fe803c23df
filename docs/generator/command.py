"""The command: the help of each of its commands, as a terminal shows it."""

from __future__ import annotations

import re

import typer.main
from typer.testing import CliRunner

from flows.command.main import app

_WIDTH = 96


def names() -> list[str]:
    """The commands, in the order of `dynosaur --help`."""
    return [*typer.main.get_group(app).commands]


def help_text(*names: str) -> str:
    """What `dynosaur NAMES --help` prints."""
    found = CliRunner().invoke(app, [*names, "--help"], prog_name="dynosaur", terminal_width=_WIDTH)
    assert found.exit_code == 0, found.output
    return re.sub(r"\s+$", "", found.output).strip("\n")


def made() -> str:
    """The help of `dynosaur`, then of each command under a heading."""
    parts = [f"```text\n{help_text()}\n```\n"]
    parts += [f"## dynosaur {name}\n\n```text\n{help_text(name)}\n```\n" for name in names()]
    return "\n".join(parts)
