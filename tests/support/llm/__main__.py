"""`python -m tests.support.llm [--replay FILE] [--port N] [--latency S] [--fault-share P] [--seed N] [--rpm N]`"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from pathlib import Path

from tests.support.llm import Behaviour, Faults, LlmServer, Replay, design
from tests.support.llm.faults import ALL

parser = argparse.ArgumentParser(description="A loopback endpoint of the OpenAI API.")
parser.add_argument("--replay", type=Path, help="JSONL of designs to answer with, by dataset and config")
parser.add_argument("--port", type=int, default=8901)
parser.add_argument("--latency", type=float, default=0.0, help="seconds before every answer")
parser.add_argument("--fault-share", type=float, default=0.0)
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--rpm", type=int, help="requests in any 60 seconds; more are answered with 429")
parser.add_argument("--no-rate-headers", action="store_true")
options = parser.parse_args()

behaviour = Behaviour(
    answerer=Replay(options.replay) if options.replay else design,
    faults=Faults(ALL, options.fault_share, options.seed),
    latency_s=options.latency,
    requests_per_window=options.rpm,
    rate_headers=not options.no_rate_headers,
)
with LlmServer(behaviour, options.port) as server:
    sys.stdout.write(f"export OPENAI_BASE_URL={server.url} OPENAI_API_KEY=none\n")
    sys.stdout.flush()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        while True:
            time.sleep(10)
    except KeyboardInterrupt:
        sys.stdout.write(json.dumps({str(status): count for status, count in server.seen.statuses.items()}) + "\n")
