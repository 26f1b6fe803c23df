"""Vectors of words and pairs of words by their hashes: no model, no download. For tests and first tries.

The hashing trick with signs: Weinberger et al., Feature Hashing for Large Scale Multitask Learning, ICML 2009.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

import numpy as np

from dynosaur_core.continual.encoders import CHUNK, Vectors, normalised
from dynosaur_core.models import Usage

_DIMENSIONS = 256


class HashingEncoder:
    name = "hashing"
    digest = "hashing-1"
    chunk = CHUNK
    usage = Usage()

    def encode(self, texts: Sequence[str]) -> Vectors:
        vectors = np.zeros((len(texts), _DIMENSIONS), dtype=np.float32)
        for row, text in zip(vectors, texts, strict=True):
            words = re.findall(r"\w+", text.lower()) or [""]
            for feature in (*words, *(f"{a} {b}" for a, b in pairwise(words))):
                at, sign = _place(feature)
                row[at] += sign
        return normalised(vectors)


@lru_cache(maxsize=100_000)
def _place(feature: str) -> tuple[int, float]:
    number = int.from_bytes(hashlib.blake2b(feature.encode(errors="replace"), digest_size=8).digest(), "big")
    return number % _DIMENSIONS, 1.0 if number >> 63 else -1.0
