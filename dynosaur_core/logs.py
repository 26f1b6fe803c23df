"""The library's loggers, one for each area: `dynosaur.hub`, `dynosaur.llm`... Waits, retries and fallbacks are logged.

A message holds numbers and no secret, and stays one line whatever text of a dataset, a Hub or an endpoint it quotes.
Nothing is shown until somebody adds a handler: Prefect does for its run logs, the command for `--verbose`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from dynosaur_core.text import one_line

ROOT = logging.getLogger("dynosaur")
ROOT.addHandler(logging.NullHandler())  # without any handler Python writes warnings to stderr
ROOT.setLevel(logging.INFO)


SELDOM_S = 10.0
"""Between two lines about the same long work."""


class Seldom:
    """Says when a line about long work is due: not more often than every `SELDOM_S`."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._last = clock, clock()

    def due(self) -> bool:
        """Whether the last line that was due is long enough ago."""
        now = self._clock()
        if now - self._last < SELDOM_S:
            return False
        self._last = now
        return True


class _OneLine(logging.Filter):
    """Makes a record's message one line, without secrets. Each logger needs it: a filter sees no child's records."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = one_line(record.getMessage()), ()
        return True


_ONE_LINE = _OneLine()


def logger(area: str) -> logging.Logger:
    """The logger of an area."""
    found = ROOT.getChild(area)
    found.addFilter(_ONE_LINE)
    return found
