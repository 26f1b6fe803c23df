"""How far long work has come, on stderr: a bar where somebody watches, else a line for each tenth."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn


def counted(count: int, noun: str) -> str:
    """`1 record`, `1,200 records`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


@contextmanager
def counting(what: str) -> Iterator[Callable[[int, int], None]]:
    """A function that is called with how many are done, and of how many."""
    console = Console(stderr=True, highlight=False, markup=False, emoji=False)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal) as bar:
        task, told = bar.add_task(what, total=None), -1

        def tell(done: int, total: int) -> None:
            nonlocal told
            bar.update(task, completed=done, total=total)
            if not console.is_terminal and (tenth := 10 * done // max(total, 1)) > told:
                told = tenth
                console.print(f"{what}: {done:,} of {total:,}", soft_wrap=True)

        yield tell
