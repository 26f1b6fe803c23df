"""Requests, bytes and seconds of reading one new dataset of the Hub, beside `load_dataset(streaming=True)`.

    python -m benchmarks.hub_reading [FOLDER]

Every kind of dataset is served by the loopback Hub, which counts. Both readers take 100 rows of each training and
validation split and the card. With FOLDER (datasets in the Hub's layout) its datasets are read instead of made ones.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from dynosaur_core.catalog.hub.catalog import HubCatalog
from dynosaur_core.catalog.hub.http import HubHttp
from dynosaur_core.settings import Sampling, Settings
from tests.support.hub import LoopbackHub
from tests.support.hub.content import card, jsonl, parquet, reviews

STREAMING = """
import sys
from datasets import get_dataset_config_names, load_dataset
for config in get_dataset_config_names(sys.argv[1]):
    for split, rows in load_dataset(sys.argv[1], config, streaming=True).items():
        if split != "test":
            list(rows.take(100))
import os
os._exit(0)
"""


def made(hub: LoopbackHub) -> None:
    """One dataset of each kind. The names say which."""

    def rows(count: int, words: int) -> list[dict[str, object]]:
        columns = reviews(count, words)
        return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]

    def splits(train: int, words: int) -> dict[str, bytes]:
        sizes = {"train": train, "validation": train // 8, "test": train // 8}
        return {f"data/{name}-00000-of-00001.parquet": parquet(reviews(size, words)) for name, size in sizes.items()}

    names = [f"c{n}" for n in range(10)]
    configs = [{"config_name": name, "data_files": f"{name}/*.parquet"} for name in names]
    readme = {"README.md": card("## Dataset Summary\n\n" + "A sentence about the data. " * 150)}
    hub.add("parquet/small", {**readme, **splits(2_000, 12)})
    hub.add("parquet/large", {**readme, **splits(100_000, 40)})
    hub.add("parquet/long-texts", {**readme, **splits(2_000, 800)})
    hub.add("parquet/one-split", {**readme, "train.parquet": parquet(reviews(60_000, 40))})
    many = {f"{name}/train.parquet": parquet(reviews(1_000, 12)) for name in names}
    hub.add("parquet/ten-configs", {"README.md": card(configs=configs), **many})
    hub.add("jsonl/small", {**readme, "train.jsonl": jsonl(rows(2_000, 12))})
    hub.add("jsonl/large", {**readme, "train.jsonl": jsonl(rows(60_000, 40))})
    text = "text,label\n" + "".join(f"{row['text']},{row['label']}\n" for row in rows(60_000, 40))
    hub.add("csv/large", {**readme, "train.csv": text})


def ours(hub: LoopbackHub, repo_id: str) -> None:
    catalog = HubCatalog(Settings(), http=HubHttp(hub.url, hub.token))
    [ref] = [ref for ref in catalog.list() if ref.repo_id == repo_id]
    hub.reset_counts()  # the listing is paid once for a thousand datasets
    source = catalog.open(ref)
    source.card()
    for subset in source.subsets():
        for split in subset.splits:
            if split.role != "test":
                source.sample(subset, split, Sampling())


def streaming(hub: LoopbackHub, repo_id: str) -> None:
    hub.reset_counts()
    with tempfile.TemporaryDirectory() as home:
        names = {"HF_ENDPOINT": hub.url, "HF_TOKEN": hub.token, "HF_HOME": home, "HF_UPDATE_DOWNLOAD_COUNTS": "0"}
        command = [sys.executable, "-c", STREAMING, repo_id]
        subprocess.run(command, env={**os.environ, **names}, check=True, capture_output=True)


def measured(hub: LoopbackHub, repo_id: str) -> Iterator[str]:
    """Cells of one line: requests, kB and seconds of each way."""
    for viewer, read in (("ready", ours), ("absent", ours), ("ready", streaming)):
        hub[repo_id].viewer = viewer
        start = time.perf_counter()
        read(hub, repo_id)
        seconds = time.perf_counter() - start
        yield f"{sum(hub.requests.values())} | {sum(hub.bytes.values()) / 1000:.0f} | {seconds:.2f}"


def main() -> None:
    folder = sys.argv[1] if len(sys.argv) > 1 else None
    with LoopbackHub(Path(folder) if folder else None) as hub:
        if folder is None:
            made(hub)
        print("| dataset | requests | kB | s | without viewer: requests | kB | s | load_dataset: requests | kB | s |")
        print("|---" * 10 + "|")
        for repo in hub.all_repos():
            ours(hub, repo.id)  # the viewer's own preparation is not the reader's
            print(f"| {repo.id} | {' | '.join(measured(hub, repo.id))} |", flush=True)


if __name__ == "__main__":
    main()
