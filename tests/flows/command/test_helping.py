"""The help of the commands: names, defaults, and examples that can be typed."""

from __future__ import annotations

import re
import shlex

import pytest
import typer

from flows.command.counting import counted
from flows.command.helping import EXAMPLES
from flows.command.main import app

COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_help_shows_names_without_types_and_fits(name: str) -> None:
    command = COMMANDS[name]
    shown = command.get_help(command.make_context(f"dynosaur {name}", [], resilient_parsing=True))
    assert not re.search(r"<(str|int|float|path|list.*)>|[{}]|\[\[", shown)
    assert max(map(len, shown.splitlines())) <= 80
    assert f"\n  dynosaur {name} " in shown or name not in EXAMPLES
    if "--store" in shown:
        assert "[default: .dynosaur]" in shown


@pytest.mark.parametrize("example", [example for each in EXAMPLES.values() for example in each])
def test_examples_of_the_help_are_taken(example: str) -> None:
    name, *arguments = shlex.split(example)
    given = COMMANDS[name].make_context(name, arguments).params
    assert any(value for value in given.values())


def test_counted_writes_one_and_many() -> None:
    assert [counted(count, "record") for count in (0, 1, 2_000)] == ["0 records", "1 record", "2,000 records"]
