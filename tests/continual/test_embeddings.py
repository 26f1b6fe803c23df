"""The store's embeddings: each text is encoded once, whatever happens meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from dynosaur_core.continual.embeddings import embed
from dynosaur_core.continual.encoders import Vectors
from dynosaur_core.continual.encoders.hashing import HashingEncoder
from dynosaur_core.store import Store


class Counting(HashingEncoder):
    """The hashing encoder, which counts the texts; it ends like a killed process after so many calls."""

    def __init__(self, calls: int = 1_000, digest: str = "counting") -> None:
        self.digest, self.calls = digest, calls
        self.encoded: list[str] = []

    def encode(self, texts: Sequence[str]) -> Vectors:
        if not self.calls:
            raise KeyboardInterrupt
        self.calls -= 1
        self.encoded += texts
        return super().encode(texts)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "store"))


def files(store: Store) -> list[str]:
    return store.names("embeddings/counting")


def test_embed_encodes_a_text_once(store: Store) -> None:
    encoder, texts = Counting(), ["b", "a", "b", "", "\ud800"]
    seen: list[tuple[int, int]] = []
    first = embed(texts, encoder, store, lambda done, total: seen.append((done, total)))
    assert np.array_equal(first, HashingEncoder().encode(texts)) and first.dtype == np.float32
    assert encoder.encoded == ["b", "a", "", "\ud800"] and seen == [(0, 4), (4, 4)]
    again = embed(["a", "c", *texts], encoder, store)
    assert np.array_equal(again[2:], first) and encoder.encoded[4:] == ["c"]
    assert embed([], encoder, store).shape[0] == 0


def test_embed_keeps_few_files_and_goes_on_after_a_kill(store: Store) -> None:
    texts = [f"instruction {number}" for number in range(5_000)]
    with pytest.raises(KeyboardInterrupt):
        embed(texts, Counting(calls=2), store)
    encoder = Counting()
    assert np.array_equal(embed(texts, encoder, store), HashingEncoder().encode(texts))
    assert len(encoder.encoded) == 5_000 - 2 * 1_024 and len(files(store)) == 5


def test_embed_knows_the_encoder(store: Store) -> None:
    other = Counting(digest="other")
    embed(["a"], Counting(), store)
    embed(["a"], other, store)
    assert other.encoded == ["a"]


def test_embed_encodes_again_what_is_damaged(store: Store, logged: list[str]) -> None:
    embed(["a", "b"], Counting(), store)
    [name] = files(store)
    store.write_bytes(name, b"PAR1 cut")
    encoder = Counting()
    assert np.array_equal(embed(["a", "b"], encoder, store), HashingEncoder().encode(["a", "b"]))
    assert encoder.encoded == ["a", "b"] and any("is damaged" in message for message in logged)


def test_embed_takes_two_writers(store: Store) -> None:
    texts = [f"instruction {number}" for number in range(3_000)]
    found: list[Vectors] = []
    parts = [texts[:2_000], texts[1_000:]]
    threads = [
        threading.Thread(target=lambda part=part: found.append(embed(part, Counting(), store))) for part in parts
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    encoder = Counting()
    assert np.array_equal(embed(texts, encoder, store), HashingEncoder().encode(texts)) and not encoder.encoded
