"""The Xet storage's upload side, as `hf_xet` speaks it: xorbs of compressed chunks, shards that make files of them.

Downloads are plain HTTP: no answer announces Xet, so clients do not ask for it. The layout of both formats is that of
the Xet protocol specification (huggingface.co/docs/xet).
"""

from __future__ import annotations

import struct
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pyarrow as pa

from tests.support.hub.repos import Blob
from tests.support.hub.web import HubError, Request, Response

if TYPE_CHECKING:
    from tests.support.hub.hub import LoopbackHub

_RECORD = 48
"""Bytes of every header and entry in a shard."""
_END = b"\xff" * 32
_HAS_VERIFICATION, _HAS_METADATA = 1 << 31, 1 << 30


def write_token(hub: LoopbackHub, request: Request, repo_id: str, revision: str) -> Response:
    """Where uploads go, and with which token: here, the user's own."""
    if request.user is None:
        raise HubError(401, None, "Invalid username or password.")
    hub.repo(request, repo_id)
    url, token = f"{hub.url}/_cas", request.headers["authorization"].removeprefix("Bearer ")
    expires = int(time.time()) + 3600
    headers = {"X-Xet-Cas-Url": url, "X-Xet-Access-Token": token, "X-Xet-Token-Expiration": str(expires)}
    response = Response.json({"casUrl": url, "accessToken": token, "exp": expires})
    response.headers |= headers
    return response


def put_xorb(hub: LoopbackHub, request: Request, name: str) -> Response:
    new = name not in hub.xorbs
    hub.xorbs[name] = list(_chunks(request.body))
    return Response.json({"was_inserted": new})


def put_shard(hub: LoopbackHub, request: Request) -> Response:
    """Registers the files of a shard; they are then in the large file storage, by their SHA-256."""
    for segments in _files(request.body):
        parts = []
        for xorb, first, last in segments:
            if xorb not in hub.xorbs:
                raise HubError(400, None, f"xorb {xorb} was not uploaded")
            parts += hub.xorbs[xorb][first:last]
        blob = Blob(b"".join(parts))
        hub.stored[blob.sha256] = blob
    return Response.json({"result": 1})


def telemetry(hub: LoopbackHub, request: Request) -> Response:
    return Response.json({})


def _chunks(xorb: bytes) -> Iterator[bytes]:
    """A chunk: version, length (3 bytes), compression, length uncompressed (3 bytes), data."""
    at = 0
    while at + 8 <= len(xorb) and xorb[at] == 0:
        length, kind = int.from_bytes(xorb[at + 1 : at + 4], "little"), xorb[at + 4]
        size = int.from_bytes(xorb[at + 5 : at + 8], "little")
        data = xorb[at + 8 : at + 8 + length]
        at += 8 + length
        plain = data if kind == 0 else pa.Codec("lz4").decompress(data, size, asbytes=True)
        yield _ungrouped(plain) if kind == 2 else plain


def _ungrouped(data: bytes) -> bytes:
    """Undoes the grouping of bytes by their position modulo 4."""
    plain, at = bytearray(len(data)), 0
    for n in range(4):
        size = len(plain[n::4])
        plain[n::4] = data[at : at + size]
        at += size
    return bytes(plain)


def _files(shard: bytes) -> Iterator[list[tuple[str, int, int]]]:
    """Of every file its segments: xorb, first chunk, chunk after the last."""
    at = _RECORD
    while shard[at : at + 32] != _END:
        flags, count = struct.unpack_from("<II", shard, at + 32)
        segments = []
        for n in range(1, count + 1):
            entry = at + n * _RECORD
            _, _, first, last = struct.unpack_from("<IIII", shard, entry + 32)
            segments.append((_hex(shard[entry : entry + 32]), first, last))
        yield segments
        at += _RECORD * (1 + count + count * bool(flags & _HAS_VERIFICATION) + bool(flags & _HAS_METADATA))


def _hex(digest: bytes) -> str:
    """Xet writes a hash as four little-endian numbers of 64 bits."""
    return "".join(f"{number:016x}" for number in struct.unpack("<4Q", digest))
