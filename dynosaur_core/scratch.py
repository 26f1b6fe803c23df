"""Temporary files and folders of this process, all in one folder, so that a forced exit can remove them too."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
import threading

_parent: tuple[int, str] | None = None
"""The process that made the folder, which a forked one inherits the name of, and its path."""
_making = threading.Lock()


def scratch_folder() -> str:
    """What temporary files and folders are made in (`dir=`); goes with the process, at the latest."""
    global _parent
    with _making:
        if _parent is None or _parent[0] != os.getpid():
            _parent = os.getpid(), tempfile.mkdtemp(prefix=f"dynosaur-{os.getpid()}-")
            atexit.register(remove_scratch)
        return _parent[1]


def remove_scratch() -> None:
    """Removes all of it. A file that a thread writes at this moment may stay: nothing waits for it any more."""
    if _parent is not None and _parent[0] == os.getpid():
        shutil.rmtree(_parent[1], ignore_errors=True)
