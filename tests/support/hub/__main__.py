"""`python -m tests.support.hub FOLDER --port 8900`: a Hub to play with."""

from __future__ import annotations

import argparse
import sys
import threading

from tests.support.hub import Faults, LoopbackHub


def main() -> None:
    parser = argparse.ArgumentParser(prog="tests.support.hub", description=__doc__)
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
        threading.Event().wait()


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
