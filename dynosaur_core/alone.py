"""A folder in which one process works at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from dynosaur_core.errors import Code, DynosaurError

LOCK = ".lock"


@contextmanager
def alone(folder: Path, busy: str) -> Iterator[None]:
    """The folder, for this process alone. What fails before it has written anything leaves no new folder.

    Raises BadSetting where another process holds it, with the sentence `busy`, and where it cannot be written.
    """
    new = not folder.exists()
    lock = FileLock(folder / LOCK, timeout=0)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as error:
        raise DynosaurError(Code.BAD_SETTING, busy) from error
    except OSError as error:
        raise DynosaurError(Code.BAD_SETTING, f"{folder} cannot be written: {error}") from error
    try:
        yield
    except BaseException:
        if new:
            _remove_empty(folder)
        raise
    finally:
        lock.release()


def _remove_empty(folder: Path) -> None:
    """Removes a folder that holds the lock and other empty files alone."""
    with suppress(OSError):
        files = list(folder.iterdir())
        if all(path.is_file() and not path.stat().st_size for path in files):
            for path in files:
                path.unlink()
            folder.rmdir()
