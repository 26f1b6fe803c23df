"""How long embedding many instructions takes once, how much memory, and what a kill in the middle costs.

    python benchmarks/embeddings.py [--texts 100000] [--encoder hashing]

A process embeds the texts into an empty store and is killed (SIGKILL) when half of them are kept; a second one goes on,
and a third one finds all of them there. Instructions are made of parts, 18 words on average.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import resource
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dynosaur_core.continual.embeddings import embed
from dynosaur_core.continual.encoders import Encoder, Vectors, open_encoder
from dynosaur_core.settings import Embedding, Settings
from dynosaur_core.store import Store

_VERBS = ("Classify", "Rewrite", "Summarise", "Translate", "Answer", "Complete", "Label", "Compare", "Explain", "Rank")
_THINGS = ("review", "question", "passage", "dialogue", "headline", "contract", "recipe", "abstract", "poem", "table")
_ENDS = (
    "and give the answer in one word",
    "so that a child understands it",
    "from the point of view of the writer",
    "using only what the text says, without adding anything of your own",
    "by choosing one of the options that follow",
)


def instructions(count: int) -> list[str]:
    draw = random.Random(0)
    return [
        f"{draw.choice(_VERBS)} the {draw.choice(_THINGS)} number {at} about the {draw.choice(_THINGS)} of the "
        f"{draw.choice(_THINGS)} {draw.choice(_ENDS)}."
        for at in range(count)
    ]


class Counted:
    """An encoder that counts its texts."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder, self.texts = encoder, 0
        self.name, self.digest, self.chunk, self.usage = encoder.name, encoder.digest, encoder.chunk, encoder.usage

    def encode(self, texts: Sequence[str]) -> Vectors:
        self.texts += len(texts)
        return self._encoder.encode(texts)


def _job(count: int, name: str, folder: str, answers: Any) -> None:
    texts = instructions(count)
    encoder = Counted(open_encoder(Settings(embedding=Embedding(encoder=name))))  # type: ignore[arg-type]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    begun = time.perf_counter()
    vectors = embed(texts, encoder, Store(folder))
    seconds = time.perf_counter() - begun
    answers.put(
        (seconds, encoder.texts, before, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, vectors.shape)
    )


def _started(given: argparse.Namespace, folder: str) -> tuple[Any, Any]:
    spawning = multiprocessing.get_context("spawn")
    answers: Any = spawning.Queue()
    job = spawning.Process(target=_job, args=(given.texts, given.encoder, folder, answers))
    job.start()
    return job, answers


def _files(folder: str) -> int:
    return len(list(Path(folder).glob("embeddings/*/*.parquet")))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=int, default=100_000)
    parser.add_argument("--encoder", default="hashing")
    given = parser.parse_args()
    print("| | texts encoded | seconds | texts a second | MB before | peak MB |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        job, _ = _started(given, folder)
        while _files(folder) * 1_024 * 2 < given.texts and job.is_alive():
            time.sleep(0.01)
        job.kill()
        job.join()
        kept = _files(folder) * 1_024
        print(f"| killed when {kept:,} were kept | | | | | |", flush=True)
        for name in ("goes on", "again"):
            job, answers = _started(given, folder)
            seconds, encoded, before, peak, shape = answers.get()
            job.join()
            rate = f"{encoded / seconds:,.0f}" if encoded else ""
            print(f"| {name} | {encoded:,} | {seconds:.1f} | {rate} | {before:,.0f} | {peak:,.0f} |", flush=True)
            assert encoded == (max(given.texts - kept, 0) if name == "goes on" else 0) and shape[0] == given.texts
        size = sum(path.stat().st_size for path in Path(folder).rglob("*.parquet"))
        print(f"{given.texts:,} vectors in {_files(folder)} files, {size / 1e6:,.1f} MB")


if __name__ == "__main__":
    main()
