"""`python -m tests.support.hub FOLDER --port 8900`: a Hub to play with.

Lines on stdin change it: `edit_prose ID`, `edit_rows ID`, `relicense ID LICENSE`, `rename ID NEW_ID`, `gate ID`,
`privatise ID`, `disable ID`, `delete ID`; `requests` shows what was asked since the last time.
"""

from __future__ import annotations

import argparse
import sys
import threading

from tests.support.hub import Faults, LoopbackHub

SWITCHES = ("edit_prose", "edit_rows", "relicense", "rename", "gate", "privatise", "disable", "delete")


def obey(hub: LoopbackHub, words: list[str]) -> str:
    """Does what a line says; gives the answer to show."""
    if words == ["requests"]:
        counts = dict(hub.requests)
        hub.reset_counts()
        return f"{sum(counts.values())} requests: {counts}"
    if not words or words[0] not in SWITCHES:
        return f"? {' '.join(SWITCHES)} requests"
    try:
        getattr(hub, words[0])(*words[1:])
    except (KeyError, TypeError) as error:
        return f"! {error}"
    return "done"


def main() -> None:
    parser = argparse.ArgumentParser("tests.support.hub", description=__doc__)
    parser.add_argument("folder", nargs="?", help="datasets in the Hub's layout: <folder>/<owner>/<name>/README.md")
    parser.add_argument("--port", type=int, default=8900)
    parser.add_argument("--synthetic", type=int, default=0, help="that many further datasets that are listed only")
    parser.add_argument("--faults", type=float, default=0.0, help="share of requests that fail")
    options = parser.parse_args()
    with LoopbackHub(options.folder, port=options.port) as hub:
        hub.add_synthetic(options.synthetic)
        hub.faults = Faults(options.faults)
        sys.stdout.write(f"export HF_ENDPOINT={hub.url} HF_TOKEN={hub.token} HF_HUB_DISABLE_XET=1\n")
        sys.stdout.flush()
        for line in sys.stdin:
            sys.stdout.write(f"{obey(hub, line.split())}\n")
            sys.stdout.flush()
        threading.Event().wait()


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
