"""Embeddings of many texts, each computed once: they are kept in the store by the text's digest and the encoder's.

    embeddings/<encoder>/<digest>.parquet    the vectors of one chunk (`Encoder.chunk`) with the digests of their texts

A file is named by its content and written whole, and the folder's listing is the index: a process that is ended loses
what it had not written yet, and two writers may at worst keep a vector twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

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
    place = {name: at for at, name in enumerate(wanted)}
    result, known = np.empty((0, 0), dtype=np.float32), np.zeros(len(wanted), dtype=np.bool_)

    def put(part: Sequence[str], vectors: Vectors) -> Vectors:
        """The result, which the first vectors give its width, with those of `part` that are wanted."""
        rows = [(place[name], at) for at, name in enumerate(part) if name in place]
        into = result if len(result) else np.empty((len(wanted), vectors.shape[1]), dtype=np.float32)
        for to, at in rows:
            into[to], known[to] = vectors[at], True
        return into

    folder = f"embeddings/{encoder.digest}"
    for kept, vectors in _kept(store, folder) if names else ():
        result = put(kept, vectors)
    missing = [name for name, at in place.items() if not known[at]]
    progress(len(wanted) - len(missing), len(wanted))
    for at in range(0, len(missing), encoder.chunk):
        part = missing[at : at + encoder.chunk]
        vectors = encoder.encode([wanted[name] for name in part])
        _keep(store, folder, part, vectors)
        result = put(part, vectors)
        done = int(known.sum())
        progress(done, len(wanted))
        _LOG.info("%s: %d of %d texts are embedded", encoder.name, done, len(wanted))
    return result if len(wanted) == len(names) else result[[place[name] for name in names]]


def _keep(store: Store, folder: str, names: Sequence[str], vectors: Vectors) -> None:
    flat = pa.array(np.ascontiguousarray(vectors).ravel())
    table = pa.table({"text": list(names), "vector": pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1])})
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="none", use_dictionary=False)  # such numbers do not compress
    data = sink.getvalue().to_pybytes()
    store.write_bytes(f"{folder}/{digest_bytes(data)}.parquet", data)


def _kept(store: Store, folder: str) -> Iterator[tuple[list[str], Vectors]]:
    """(digests of texts, their vectors) of each file of the store. One that is damaged is left out: its texts are
    encoded again."""
    for name in store.names(folder):
        data = store.read_bytes(name)
        try:
            table = pq.read_table(pa.BufferReader(data or b""))
            texts, vectors = table["text"].to_pylist(), table["vector"].combine_chunks()
            values = vectors.flatten().to_numpy().reshape(len(texts), -1)
        except (pa.ArrowException, KeyError, ValueError, OSError) as error:
            _LOG.warning("%s of the store is damaged, and its texts are embedded again: %s", name, error)
            continue
        yield texts, values
