"""What a child process may take, and what it gets to know."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
from pathlib import Path

_KEPT = ("PATH", "HOME", "USER", "LANG", "TZ", "TMPDIR", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "SSL_CERT_FILE")
_KEPT_PREFIXES = ("LC_", "PYTHON", "XDG_", "HF_HOME", "HF_DATASETS_CACHE", "HF_HUB_CACHE", "COVERAGE", "COV_")
_PR_SET_PDEATHSIG = 1


def environment(**added: str) -> dict[str, str]:
    """The variables that a child needs: no key, token or password is among them unless it is added."""
    kept = {name: text for name, text in os.environ.items() if name in _KEPT or name.startswith(_KEPT_PREFIXES)}
    threads = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    path = {"PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}
    return {**kept, **path, **threads, "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1", **added}


def die_with_parent(parent: int) -> None:
    """The kernel ends this process when `parent`, which started it, has ended in whatever way."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)


def data_bytes() -> int:
    """Bytes of memory that this process has of its own (writable, private); 0 where the system does not say."""
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("VmData:"):
                return int(line.split()[1]) * 1024
    return 0


def limit_memory(max_bytes: int, beyond: int) -> None:
    """Allocations fail when this process takes more than `max_bytes` beyond what it had."""
    kind = resource.RLIMIT_DATA if sys.platform == "linux" else resource.RLIMIT_AS
    hard = resource.getrlimit(kind)[1]
    wanted = max_bytes + beyond
    resource.setrlimit(kind, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))
