"""How far long work has come, on stderr: a bar where somebody watches, else a line now and then."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from dynosaur_core.logs import Seldom


def counted(count: int, noun: str) -> str:
    """`1 record`, `1,200 records`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


@contextmanager
def counting(what: str, clock: Callable[[], float] = time.monotonic) -> Iterator[Callable[[int, int], None]]:
    """A function that is called with how many are done, and of how many. The first and the last line always come."""
    console = Console(stderr=True, highlight=False, markup=False, emoji=False)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal) as bar:
        task, seldom, begun = bar.add_task(what, total=None), Seldom(clock), False

        def tell(done: int, total: int) -> None:
            nonlocal begun
            bar.update(task, completed=done, total=total)
            if not console.is_terminal and (not begun or done == total or seldom.due()):
                begun = True
                console.print(f"{what}: {done:,} of {total:,}", soft_wrap=True)

        yield tell
