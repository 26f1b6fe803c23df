"""`-v` of every command: what the library logs, on stderr."""

from __future__ import annotations

import inspect
import logging
import sys
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any

import typer

from dynosaur_core.logs import ROOT

Verbose = Annotated[
    bool, typer.Option("-v", "--verbose", help="Say on stderr what is waited for, tried again and left out.")
]


class _OnStderr(logging.Handler):
    """Writes lines to the stderr of the moment: where a progress bar is drawn, they come to stand above it."""

    def emit(self, record: logging.LogRecord) -> None:
        sys.stderr.write(f"{self.format(record)}\n")


def show_logs(level: int) -> None:
    """From now on the library's log lines of this level and above are shown."""
    handler = next((found for found in ROOT.handlers if isinstance(found, _OnStderr)), None)
    if handler is None:
        handler = _OnStderr()
        handler.setFormatter(logging.Formatter("%(asctime)s %(name)s: %(message)s", "%H:%M:%S"))
        ROOT.addHandler(handler)
    handler.setLevel(level)


def add_verbose(app: typer.Typer) -> None:
    """Adds the option to all commands of `app`."""
    for command in app.registered_commands:
        if command.callback is not None:
            command.callback = _taking_verbose(command.callback)


def _taking_verbose(command: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(command)
    def run(*given: Any, verbose: bool = False, **named: Any) -> Any:
        if verbose:
            show_logs(logging.INFO)
        return command(*given, **named)

    known = inspect.signature(command, eval_str=True)
    more = inspect.Parameter("verbose", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=Verbose)
    run.__signature__ = known.replace(parameters=[*known.parameters.values(), more])  # type: ignore[attr-defined]
    run.__annotations__ = {**command.__annotations__, "verbose": Verbose}
    return run
