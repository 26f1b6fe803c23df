"""The datasets that fail: what `dynosaur failed` prints, and the artifact `failed-datasets` shows."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import quote

from dynosaur_core.errors import ERRORS, Code
from dynosaur_core.identity import HUB
from dynosaur_core.ledger import Ledger, LedgerEntry, Outcome
from dynosaur_core.results import Result


class FailedDataset(Result):
    """A dataset whose last branch broke or was deferred."""

    dataset: str
    outcome: Outcome
    code: str | None
    stage: str | None
    message: str
    attempts: int
    next_try: datetime | None
    quarantined: bool
    what_to_do: str
    since: datetime | None
    """The first of the attempts since which it fails."""
    link: str | None
    """Its page; of the Hub's datasets alone."""

    @property
    def due(self) -> str:
        if self.quarantined:
            return "quarantined"
        return f"again after {self.next_try:%Y-%m-%d %H:%M}" if self.next_try else "again when it changes"

    @property
    def nights(self) -> str:
        return f"{self.attempts} nights" if self.attempts > 1 else "1 night"


@dataclass
class SameCode:
    """Datasets that ended with one code: they usually need one remedy."""

    code: str
    what_to_do: str
    outcomes: set[Outcome] = field(default_factory=set)
    count: int = 0
    new: int = 0
    """Of these so many began to fail at or after the moment that was asked for."""
    shown: list[FailedDataset] = field(default_factory=list)
    """The first of them."""

    @property
    def outcome(self) -> str:
        return " or ".join(sorted(self.outcomes))


def failing(ledger: Ledger) -> Iterator[FailedDataset]:
    """The datasets whose last branch broke or was deferred, by id."""
    for entry in ledger.entries(outcomes=[Outcome.FAILED, Outcome.DEFERRED]):
        yield FailedDataset(
            dataset=entry.repo_id,
            outcome=entry.outcome,
            code=entry.code,
            stage=entry.stage,
            message=entry.detail,
            attempts=entry.attempts,
            next_try=entry.next_try,
            quarantined=entry.quarantined,
            what_to_do=advice(entry),
            since=entry.failing_since,
            link=page_of(entry.repo_id) if entry.catalog == HUB else None,
        )


def by_code(found: Iterable[FailedDataset], most: int, since: datetime | None = None) -> list[SameCode]:
    """Those with most datasets first; of each the first `most` datasets are kept, and the newest failures before the
    others where `since` says what is new."""
    codes: dict[str, SameCode] = {}
    for each in found:
        code = codes.setdefault(each.code or "", SameCode(each.code or "", each.what_to_do))
        code.count += 1
        code.outcomes.add(each.outcome)
        if new := is_new(each, since):
            code.new += 1
        if len(code.shown) < most:
            code.shown.append(each)
        elif new and (old := [place for place, kept in enumerate(code.shown) if not is_new(kept, since)]):
            code.shown[old[-1]] = each
    for code in codes.values():
        code.shown.sort(key=lambda each: (not is_new(each, since), each.dataset))
    return sorted(codes.values(), key=lambda code: -code.count)


def is_new(each: FailedDataset, since: datetime | None) -> bool:
    """Whether it began to fail at that moment or later."""
    return since is not None and each.since is not None and each.since >= since


def page_of(repo_id: str) -> str:
    """The page of a dataset of the Hub."""
    endpoint = os.environ.get("HF_ENDPOINT") or "https://huggingface.co"
    return f"{endpoint.rstrip('/')}/datasets/{quote(repo_id)}"


def advice(entry: LedgerEntry) -> str:
    """What a person can do about how it ended."""
    return ERRORS[Code(entry.code)].advice if entry.code in set(Code) else ""
