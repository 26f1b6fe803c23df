"""What README shows of the demo is what the demo prints."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from tests.flows.command.conftest import Run

README = Path(__file__).parents[3] / "README.md"
OF_THE_MODEL = (" tasks rejected", "model: ")
"""First and last line of what depends on the model's answers."""


def _masked(line: str) -> str:
    return re.sub(r"[\d,.]*\d", "#", " ".join(line.split()))


def _shown_lines() -> Iterator[str]:
    """The lines of README's block, without those of the model."""
    block = README.read_text().partition("```\nLocal model ")[2].partition("```\n")[0]
    first, last = (block.index(f"\n{mark}") for mark in OF_THE_MODEL)
    yield from (block[:first] + block[block.index("\n", last + 1) :]).splitlines()[1:]


def _left(printed: list[str], shown: str, anywhere: bool) -> list[str] | None:
    """What follows the line that README shows, of which `...` is the rest; None where it is not the next."""
    begin, elided, _ = shown.partition("...")
    begin = _masked(begin)
    for number, line in enumerate(printed):
        if line.startswith(begin) if elided else line == begin:
            return printed[number + 1 :]
        if not anywhere and line:
            return None
    return None


def test_readme_shows_what_the_demo_prints(prefect_server: None, process: Run, tmp_path: Path) -> None:
    """With the rules as the only designers: what the model says differs between machines, and takes minutes."""
    done = process("demo", DYNOSAUR_DESIGNING__DESIGNERS='["rules"]')
    assert done.status == 0, done.err
    printed, anywhere = [_masked(line) for line in done.err.splitlines()][1:], False
    for line in _shown_lines():
        if line.startswith("...") or not line.strip():
            anywhere = True
            continue
        left = _left(printed, line, anywhere)
        assert left is not None, f"README shows {line!r}; the demo goes on with {printed[:5]}"
        # a cell that is cut off goes on in further lines
        printed, anywhere = left, "..." in line
    for command in ("failed", "explain"):
        assert f"dynosaur {command} " in done.err
