"""Embeddings of many texts, each computed once: they are kept in the store by the text's digest and the encoder's.

    embeddings/<encoder>/<digest>.parquet    the vectors of one chunk (`Encoder.chunk`) with the digests of their texts

A file is named by its content and written whole, and the folder's listing is the index: a process that is ended loses
what it had not written yet, and two writers may at worst keep a vector twice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from dynosaur_core.continual.encoders import Encoder, Vectors
from dynosaur_core.digest import digest_bytes
from dynosaur_core.logs import logger
from dynosaur_core.store import Store

_LOG = logger("continual")
Progress = Callable[[int, int], None]
"""Called with how many texts are done, and of how many."""


def embed(
    texts: Sequence[str], encoder: Encoder, store: Store, progress: Progress = lambda _done, _total: None
) -> Vectors:
    """[n, d] float32, normalised, in the order of `texts`; equal texts are encoded once.

    Memory holds the result and one file of the store. Raises what the encoder or the store raises; what was encoded
    until then is kept.
    """
    names = [digest_bytes(text.encode(errors="replace")) for text in texts]
    wanted = dict(zip(names, texts, strict=True))
    folder = f"embeddings/{encoder.digest}"
    found = _kept(store, folder, wanted.keys())
    missing = [name for name in wanted if name not in found]
    done = len(found)
    progress(done, len(wanted))
    for at in range(0, len(missing), encoder.chunk):
        part = missing[at : at + encoder.chunk]
        vectors = encoder.encode([wanted[name] for name in part])
        _keep(store, folder, part, vectors)
        found |= zip(part, vectors, strict=True)
        done += len(part)
        progress(done, len(wanted))
        _LOG.info("%s: %d of %d texts are embedded", encoder.name, done, len(wanted))
    if not names:
        return np.empty((0, 0), dtype=np.float32)
    return np.stack([found[name] for name in names])


def _keep(store: Store, folder: str, names: Sequence[str], vectors: Vectors) -> None:
    flat = pa.array(np.ascontiguousarray(vectors).ravel())
    table = pa.table({"text": list(names), "vector": pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1])})
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="none", use_dictionary=False)  # such numbers do not compress
    data = sink.getvalue().to_pybytes()
    store.write_bytes(f"{folder}/{digest_bytes(data)}.parquet", data)


def _kept(store: Store, folder: str, wanted: Set[str]) -> dict[str, Vectors]:
    """text digest -> vector, of those that the store has. A file that is damaged is left out: its texts are encoded
    again."""
    found: dict[str, Vectors] = {}
    for name in store.names(folder):
        data = store.read_bytes(name)
        try:
            table = pq.read_table(pa.BufferReader(data or b""))
            texts, vectors = table["text"].to_pylist(), table["vector"].combine_chunks()
            values = vectors.flatten().to_numpy().reshape(len(texts), -1)
        except (pa.ArrowException, KeyError, ValueError, OSError) as error:
            _LOG.warning("%s of the store is damaged, and its texts are embedded again: %s", name, error)
            continue
        found |= {text: row for text, row in zip(texts, values, strict=True) if text in wanted}
    return found
