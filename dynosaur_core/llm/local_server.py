"""The embedded model's process: llama.cpp's OpenAI-compatible server on a free loopback port.

    python local_server.py '{"path": ..., "name": ..., "slots": 4, ...}'

One JSON line on stdout says {"address": "http://127.0.0.1:port"} or {"error": ...}; the end of stdin ends the process.
A process of its own, because the server's destructor waits for ever when a request is under way, and because a fault in
native code must not take the growth with it. Apart from the standard library it imports xllamacpp alone, to start fast.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

# Read once, when the library is loaded: without it idle threads spin and take the processor from everyone else.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

QUIET, INFO = -1, 3


def parameters(xllamacpp: Any, wanted: dict[str, Any]) -> Any:
    """`xllamacpp.CommonParams` for path, name, slots, context (tokens of one slot), threads, verbose."""
    params = xllamacpp.CommonParams()
    params.model.path = wanted["path"]
    params.model_alias = {wanted["name"]}
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.n_parallel = wanted["slots"]
    params.n_ctx = wanted["slots"] * wanted["context"]
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = wanted["threads"]
    params.verbosity = INFO if wanted["verbose"] else QUIET
    # What a short-lived server does without: a trial run, fitting to a GPU, web pages, a cache of old prompts.
    params.warmup = params.fit_params = params.ui = params.endpoint_slots = False
    params.cache_ram_mib = 0
    return params


def main() -> None:
    import xllamacpp

    def say(**message: str) -> None:
        sys.stdout.write(json.dumps(message) + "\n")
        sys.stdout.flush()

    try:
        server = xllamacpp.Server(parameters(xllamacpp, json.loads(sys.argv[1])))
    except RuntimeError as error:
        say(error=str(error))
        sys.exit(1)
    say(address=server.listening_address)
    sys.stdin.read()
    os._exit(0)  # not through the destructor: see above


if __name__ == "__main__":
    main()
