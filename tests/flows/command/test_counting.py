"""How far long work has come, where nobody watches: few lines."""

from __future__ import annotations

import pytest

from flows.command.counting import counting


def test_counting_writes_the_first_and_the_last_line_and_one_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    now = 0.0
    with counting("predicting", clock=lambda: now) as tell:
        for done in range(31):
            tell(done, 30)
            now += 1.0
    shown = capsys.readouterr().err.splitlines()
    assert shown == [f"predicting: {done} of 30" for done in (0, 10, 20, 30)]
