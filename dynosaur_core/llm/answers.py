"""Answers as they came, kept under their request's digest: what is there is never paid for again."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from dynosaur_core.llm.request import Capability, Request
from dynosaur_core.llm.responses import Completion, is_answer
from dynosaur_core.models import Stored, Usage
from dynosaur_core.settings import Settings
from dynosaur_core.store import Store
from dynosaur_core.text import Said

QUEUE = "batches/queue"


class StoredAnswer(Stored):
    """One raw answer, and what was asked."""

    text: Said
    finish_reason: Said
    refusal: Said | None = None
    model: Said
    """As the endpoint names it."""
    usage: Usage
    when: datetime
    batch: str | None = None
    """The batch that it came with."""
    messages: tuple[dict[str, str], ...] = ()
    set_aside: bool = False
    """Another one is wanted in its place: by a person, or since this one is of no use."""

    @classmethod
    def of(cls, request: Request, answer: Completion, usage: Usage, batch: str | None = None) -> StoredAnswer:
        return cls(
            text=answer.text,
            finish_reason=answer.finish_reason,
            refusal=answer.refusal,
            model=answer.model,
            usage=usage,
            when=datetime.now(UTC),
            batch=batch,
            messages=request.messages,
        )


@dataclass(frozen=True)
class Reply:
    """An answer, and what it cost in this run: nothing when the store had it."""

    answer: StoredAnswer
    spent: Usage


class Answering(Protocol):
    """Whoever has answers: the client, or what is kept of it."""

    settings: Settings

    def ask(self, request: Request) -> Reply: ...


class Queued(Stored):
    """A request that waits for a batch."""

    request: Request
    left_out: int = 0
    """Batches that ended without an answer to it."""


@dataclass
class _Held:
    lock: threading.Lock = field(default_factory=threading.Lock)
    users: int = 0


class Answers:
    """The answers of a store, with a lock per digest so that two threads do not ask the same."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._held: dict[str, _Held] = {}
        self._guard = threading.Lock()

    def get(self, digest: str, since: datetime | None = None, owner: str | None = None) -> StoredAnswer | None:
        """The answer; None where there is none, where what an earlier version kept is none, or where it is set aside.

        `since` sets aside an older answer, for good: it is asked for again until a new one has come. `owner` is the
        dataset that errors name. Raises StoreFailed where what is kept cannot be read: it was paid for.
        """
        kept = self.last(digest, owner)
        if kept is None or kept.set_aside or not is_answer(kept.text, kept.finish_reason, kept.refusal):
            return None
        if since is not None and kept.when < since:
            self.set_aside(digest)
            return None
        return kept

    def last(self, digest: str, owner: str | None = None) -> StoredAnswer | None:
        """What came back last, also where it is of no use or set aside: for people. Raises StoreFailed as `get`."""
        remedy = f"if it cannot be restored, remove it, and run `dynosaur backfill {owner or 'ID'}`, which asks again"
        return self.store.read_model(_name(digest), StoredAnswer, remedy, owner)

    def set_aside(self, digest: str) -> None:
        """The answer is asked for again, until a new one has come."""
        if kept := self.store.read_model(_name(digest), StoredAnswer):
            self.store.write_model(_name(digest), kept.model_copy(update={"set_aside": True}))

    def has(self, digest: str, owner: str | None = None) -> bool:
        return self.store.exists(_name(digest)) and self.get(digest, owner=owner) is not None

    def put(self, request: Request, answer: StoredAnswer) -> None:
        self.store.write_model(_name(request.digest), answer)

    def queue(self, request: Request) -> int:
        """Keeps a request for the next batch; returns how many batches have left it out already."""
        kept = self._queued(request.digest)
        if kept is None:
            self.store.write_model(_queue_name(request.digest), Queued(request=request))
        return kept.left_out if kept else 0

    def left_out(self, digest: str) -> None:
        """Counts that a batch ended without an answer to this request."""
        if kept := self._queued(digest):
            self.store.write_model(_queue_name(digest), kept.model_copy(update={"left_out": kept.left_out + 1}))

    def unqueue(self, digest: str) -> None:
        self.store.remove(_queue_name(digest))

    def queued(self, digest: str) -> Request | None:
        """The request that waits for a batch under this digest."""
        kept = self._queued(digest)
        return kept.request if kept else None

    def _queued(self, digest: str) -> Queued | None:
        return self.store.read_model(_queue_name(digest), Queued)

    def waiting(self) -> Iterator[Request]:
        """All requests that wait for a batch; those that have been answered leave the queue."""
        for name in self.store.names(QUEUE):
            digest = name.rsplit("/", 1)[-1].removesuffix(".json")
            if self.has(digest):
                self.store.remove(name)
            elif request := self.queued(digest):
                yield request

    @contextmanager
    def alone(self, digest: str) -> Iterator[None]:
        """Holds the digest: no other thread of this process asks it meanwhile."""
        with self._guard:
            held = self._held.setdefault(digest, _Held())
            held.users += 1
        try:
            with held.lock:
                yield
        finally:
            with self._guard:
                held.users -= 1
                if not held.users:
                    del self._held[digest]

    def capability(self, endpoint: str) -> Capability | None:
        """What is remembered of an endpoint and model; `endpoint` is a digest."""
        return self.store.read_model(f"capabilities/{endpoint}.json", Capability)

    def remember(self, endpoint: str, capability: Capability) -> None:
        self.store.write_json(f"capabilities/{endpoint}.json", vars(capability))


def _queue_name(digest: str) -> str:
    return f"{QUEUE}/{digest}.json"


def _name(digest: str) -> str:
    return f"answers/{digest[:2]}/{digest}.json"
