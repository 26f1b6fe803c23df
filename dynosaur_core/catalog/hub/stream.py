"""The last way to read a split: `datasets` streams it, in a process of its own that can be killed.

A stream cannot be interrupted, may hang at the end of its process, and may take any amount of memory. So a child
process reads, writes what it has as an Arrow file, and ends at once; its parent waits no longer than the deadline.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
import httpx2
import pyarrow as pa
from huggingface_hub.errors import HfHubHTTPError

from dynosaur_core.catalog.formats import (
    FORMATS,
    READ_ERRORS,
    causes,
    first_line,
    is_memory,
    module_of,
    parsing,
    uncaught,
)
from dynosaur_core.catalog.hub.http import Response, response_error
from dynosaur_core.catalog.inside import check_addresses
from dynosaur_core.catalog.reader import rows_of
from dynosaur_core.catalog.sampling import spread
from dynosaur_core.digest import digest
from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.models import ROW_COLUMN
from dynosaur_core.reader.limits import die_with_parent, environment
from dynosaur_core.reader.session import error_of, said_of
from dynosaur_core.reading.features import check_columns
from dynosaur_core.reading.plain import taken
from dynosaur_core.scratch import scratch_folder
from dynosaur_core.settings import Sampling

READ_AHEAD = 10
"""Rows read for each row of the sample: the first ones of a split alone may be of one class."""
_MEMORY = 8 << 30
"""Bytes of address space that the child may take."""
_TRANSPORT = (httpx.TransportError, httpx2.TransportError)
"""What the client of huggingface_hub raises, which is the one or the other."""


def sample_streamed(
    endpoint: str, token: str | None, request: dict[str, str], sampling: Sampling, deadline: float
) -> pa.Table:
    """A sample of `request` (repo_id, revision, config, split), spread over the split's first rows. Raises TimedOut at
    the deadline (`time.monotonic()` seconds), and what the reading of the files says."""
    known = environment(HF_ENDPOINT=endpoint, HF_UPDATE_DOWNLOAD_COUNTS="0", **({"HF_TOKEN": token} if token else {}))
    with tempfile.TemporaryDirectory(dir=scratch_folder()) as folder:
        job = {**request, "folder": folder, "sampling": sampling.model_dump(mode="json"), "parent": os.getpid()}
        child = subprocess.Popen(
            [sys.executable, "-m", __spec__.name if __spec__ else __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=known,
            start_new_session=True,
        )
        try:
            _, said = child.communicate(json.dumps(job).encode(), timeout=max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired as error:
            raise DynosaurError(Code.TIMED_OUT, "streaming its files took longer than allowed") from error
        finally:
            _end(child)
        return _result(Path(folder), child.returncode, said)


def _end(child: subprocess.Popen[bytes]) -> None:
    """Ends the child with everything that it started, and waits for it."""
    with contextlib.suppress(ProcessLookupError):  # it is over
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def _result(folder: Path, status: int, said: bytes) -> pa.Table:
    problem, rows = folder / "problem.json", folder / "rows.arrow"
    if problem.exists():
        raise error_of(json.loads(problem.read_text(encoding="utf-8")))
    if not rows.exists():
        last = said.decode("utf-8", "replace").strip().splitlines()[-1:]
        raise DynosaurError(Code.UNREADABLE_FILES, f"the reading process ended with {status}: {last}"[:300])
    with pa.OSFile(str(rows)) as source:
        return pa.ipc.open_file(source).read_all()


def main() -> None:
    """The child: one job on stdin, one file in its folder."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    job = json.loads(sys.stdin.buffer.read())
    die_with_parent(job["parent"])
    folder = Path(job["folder"])
    try:
        table = _stream(job, Sampling.model_validate(job["sampling"]))
        with pa.OSFile(str(folder / "part"), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)
        (folder / "part").rename(folder / "rows.arrow")
    except Exception as error:  # noqa: BLE001, every cause goes to the parent by its code
        (folder / "problem.json").write_text(json.dumps(said_of(problem_of(error))), encoding="utf-8")
    os._exit(0)  # a process that leaves a stream unread can hang at its regular end


def _stream(job: dict[str, Any], sampling: Sampling) -> pa.Table:
    from datasets import load_dataset_builder

    with parsing():
        builder = load_dataset_builder(job["repo_id"], job["config"], revision=job["revision"])
    if module_of(builder) not in FORMATS:
        raise DynosaurError(Code.NO_DATA_FILES, f"its format {module_of(builder)!r} is not read")
    check_addresses(builder, f"hf://datasets/{job['repo_id']}@{job['revision']}/")
    tables, typed = rows_of(builder, job["split"], sampling)
    ahead = sampling.rows_per_split * (1 if sampling.first_rows else READ_AHEAD)
    parts: list[pa.Table] = []
    rows = size = 0
    for part in tables:
        check_columns(len(part.schema), sampling.max_columns)
        parts.append(part)
        rows, size = rows + len(part), size + part.nbytes
        if rows >= ahead or size >= sampling.max_bytes:
            break
    if not parts:
        return pa.table({ROW_COLUMN: pa.array([], type=pa.int64())})
    table = pa.concat_tables(parts, promote_options="permissive").slice(0, ahead)
    seed = digest(digest(job["repo_id"], job["config"], job["split"]), sampling.seed)
    chosen = pa.array(spread(len(table), sampling.rows_per_split, seed, sampling.first_rows), type=pa.int64())
    return typed(taken(table, chosen).append_column(ROW_COLUMN, chosen))


def problem_of(error: Exception) -> DynosaurError:
    """What an error of the reading libraries means, by our codes. The network's faults pass, whatever they ended in."""
    if isinstance(error, DynosaurError):
        return error
    for cause in causes(error):
        if isinstance(cause, RuntimeError) and "scripts are no longer supported" in str(cause):  # as `datasets` says it
            return DynosaurError(Code.SCRIPT_DATASET, first_line(cause))
        if isinstance(cause, _TRANSPORT):
            return DynosaurError(Code.CONNECTION_FAILED, first_line(cause))
        response = cause.response if isinstance(cause, HfHubHTTPError) else None
        if response is not None:
            headers = httpx.Headers(dict(response.headers))
            answer = response_error(Response(response.status_code, headers, b"", str(response.url)))
            if answer.policy.transient:
                return answer
    if is_memory(error):
        return DynosaurError(Code.TOO_LARGE, first_line(error))
    if isinstance(error, READ_ERRORS):
        return DynosaurError(Code.UNREADABLE_FILES, first_line(error))
    return uncaught(error)


if __name__ == "__main__":
    main()
