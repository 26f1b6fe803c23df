"""The library's loggers, one for each area: `dynosaur.hub`, `dynosaur.llm`... Waits, retries and fallbacks are logged.

A message holds numbers and no secret, and stays one line whatever text of a dataset, a Hub or an endpoint it quotes.
Nothing is shown until somebody adds a handler: Prefect does for its run logs, the command for `--verbose`.
"""

from __future__ import annotations

import logging

from dynosaur_core.text import one_line

ROOT = logging.getLogger("dynosaur")
ROOT.addHandler(logging.NullHandler())  # without any handler Python writes warnings to stderr
ROOT.setLevel(logging.INFO)


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
