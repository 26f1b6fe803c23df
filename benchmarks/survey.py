"""Seconds, requests and peak memory of listing a Hub of 500,000 datasets of which 200 are new.

    python -m benchmarks.survey [DATASETS] [NEW]

Also the whole listing, of this Hub and of one a tenth as large: memory must not grow with the Hub. Each listing runs
in a process of its own, whose peak memory is read from the operating system.
"""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import datetime

from tests.support.hub import LoopbackHub
from tests.support.hub.content import card

LISTING = """
import json, resource, sys, time
from datetime import datetime
from dynosaur_core.catalog.hub.catalog import HubCatalog
from dynosaur_core.catalog.hub.http import HubHttp
from dynosaur_core.protocols import Cursor
from dynosaur_core.settings import Settings
url, token, since = sys.argv[1:]
catalog = HubCatalog(Settings(), http=HubHttp(url, token))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
start, count = time.perf_counter(), 0
for ref in catalog.list(Cursor(since=datetime.fromisoformat(since) if since else None)):
    count += 1
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps([count, time.perf_counter() - start, before / 1024, after / 1024]))
"""


def listed(hub: LoopbackHub, since: datetime | None) -> str:
    hub.reset_counts()
    watermark = since.isoformat() if since else ""
    command = [sys.executable, "-c", LISTING, hub.url, hub.token, watermark]
    count, seconds, before, after = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    size = sum(hub.bytes.values()) / 1e6
    return f"{count} | {hub.requests['list']} | {size:.1f} | {seconds:.2f} | {before:.0f} | {after:.0f}"


def main() -> None:
    total, new = (int(text) for text in (sys.argv[1:] + ["500000", "200"][len(sys.argv) - 1 :]))
    print("| listing | datasets | requests | MB | s | MB of memory before | peak MB |")
    print("|---" * 7 + "|")
    with LoopbackHub() as hub:
        hub.add_synthetic(total)
        watermark = hub.tick(100_000)
        for n in range(new):
            hub.add(f"new/d{n}", {"README.md": card()})
        print(f"| {new} new of {total} | {listed(hub, watermark)} |", flush=True)
        print(f"| all of {total} | {listed(hub, None)} |", flush=True)
        hub.add_synthetic(total // 10)
        print(f"| all of {total // 10} | {listed(hub, None)} |", flush=True)


if __name__ == "__main__":
    main()
