"""Kills a growth of the loopback Hub at twenty seeded moments, each in a store of its own, and restarts it.

    python -m benchmarks.kills [KILLS] [DATASETS] [SEED]

A moment is a share of the requests (to the Hub and to the model) that an undisturbed growth makes. After the restart
the release must equal the undisturbed one, every commit must be whole, and no stored answer may be asked for again.
"""

from __future__ import annotations

import random
import sys
import tempfile
from pathlib import Path

from prefect.settings import PREFECT_API_URL
from prefect.testing.utilities import prefect_test_harness

from tests.flows.hub_case import GROWN, asked
from tests.support.hub import LoopbackHub
from tests.support.killing import Growths, shops
from tests.support.llm import LlmServer

_PHASES = (("tag ", "tagged"), ("commit ", "committed"), ("preupload ", "uploading"))


def phase(hub: LoopbackHub, endpoint: LlmServer) -> str:
    """How far a growth has come, by what the release repository and the model were asked last."""
    requests = asked(hub).get(GROWN, {})
    for prefix, name in _PHASES:
        if any(f"{request} ".startswith(prefix) for request in requests):
            return name
    return "datasets" if endpoint.seen.attempts else "survey"


def main() -> int:
    kills, datasets, seed = (int(text) for text in (sys.argv[1:] + ["20", "6", "0"][len(sys.argv) - 1 :]))
    draw, bad = random.Random(seed), 0
    with (
        prefect_test_harness(server_startup_timeout=120),
        tempfile.TemporaryDirectory() as folder,
        LoopbackHub() as hub,
        LlmServer() as endpoint,
    ):
        shops(hub, datasets)
        environment = {"PREFECT_API_URL": PREFECT_API_URL.value() or "", "HF_HOME": f"{folder}/home"}
        undisturbed = Growths(hub, endpoint, Path(folder, "undisturbed"), environment)
        undisturbed.finish()
        expected, requests = undisturbed.release().content, undisturbed.events()
        print(f"An undisturbed growth: {requests} requests, {len(expected)} records.\n")
        print("| killed after | in phase | same release | whole commits | asked again |")
        print("|---" * 5 + "|")
        for number in range(kills):
            hub.delete(GROWN)
            hub.reset_counts()
            endpoint.seen.attempts.clear()
            growths = Growths(hub, endpoint, Path(folder, str(number)), environment)
            moment = draw.randrange(1, requests)
            killed = growths.kill_after(moment)
            where = phase(hub, endpoint) if killed else "had ended"
            growths.finish()
            same, commits, again = growths.release().content == expected, growths.whole_commits(), growths.asked_again()
            bad += not (same and commits == 1 and not again)
            print(f"| {moment} requests | {where} | {same} | {commits} | {len(again)} |", flush=True)
    print(f"\n{kills - bad} of {kills} as undisturbed.")
    return bad


if __name__ == "__main__":
    sys.exit(main())
