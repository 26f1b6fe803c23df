"""What is kept of a batch, and what a look at the batches brings."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel

from dynosaur_core.models import Stored, Usage

JOBS = "batches/jobs"


class Job(Stored, frozen=False):
    """One batch as the store keeps it."""

    name: str
    digests: tuple[str, ...]
    batch_id: str | None = None
    reserved_nano: int = 0
    scopes: tuple[str, ...] = ()
    created: datetime
    posted: datetime | None = None
    """When it was last sent, whatever became of the answer."""
    ended: str | None = None
    """How it ended: `completed`, `expired`, `failed`, `cancelled`, `gone`, `refused`; None while it runs."""
    detail: str = ""


class Collected(BaseModel):
    """What one look at the batches brought."""

    running: int = 0
    """Batches that have not ended."""
    waiting: int = 0
    """Requests that are queued or in a running batch."""
    answered: int = 0
    missing: int = 0
    """Requests that an ended batch left out; they are queued again."""
    unknown: int = 0
    """Results under a custom_id that nobody sent."""
    datasets: tuple[str, ...] = ()
    """Those for which answers have come."""
    usage: Usage = Usage()
