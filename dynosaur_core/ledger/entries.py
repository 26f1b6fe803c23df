"""One line of the ledger, and the retry table's arithmetic."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import ValidationError

from dynosaur_core.digest import digest
from dynosaur_core.errors import ERRORS, Code
from dynosaur_core.logs import logger
from dynosaur_core.models import Contribution, DatasetRef, StageOrSurvey, Stored
from dynosaur_core.text import Key, Line, Name

_LOG = logger("ledger")


class Outcome(StrEnum):
    """What became of a dataset when it was last looked at."""

    GROWN = "grown"
    REFUSED = "refused"
    FAILED = "failed"
    DEFERRED = "deferred"
    WITHDRAWN = "withdrawn"


class LedgerEntry(Stored):
    """What the ledger knows of a dataset. `contribution` stays through a failure: the earlier rows stay released."""

    repo_id: Name
    catalog: Name
    revision: Key
    listing: str
    pipeline: str
    last_modified: datetime | None = None
    outcome: Outcome
    stage: StageOrSurvey | None = None
    code: str | None = None
    detail: Line = ""
    attempts: int = 0
    next_try: datetime | None = None
    quarantined: bool = False
    contribution: str | None = None
    contribution_revision: Key | None = None
    license: Key | None = None
    records: int = 0
    ref: dict[str, Any]
    growth_id: str | None = None
    seen: datetime
    updated: datetime
    failing_since: datetime | None = None
    """The first of the attempts since which it has been neither grown nor refused; None while it does not fail."""

    def dataset_ref(self) -> DatasetRef | None:
        """The dataset as its listing was; None, and a line in the log, if that is damaged: the catalogue knows it."""
        try:
            return DatasetRef.model_validate(self.ref)
        except ValidationError as error:
            where = ".".join(map(str, error.errors(include_url=False, include_input=False)[0]["loc"]))
            _LOG.warning("the listing of %s in the ledger is damaged (%s)", self.repo_id, where)
            return None


def listing_digest(ref: DatasetRef) -> str:
    """Digest of what decides whether a dataset may take part; it changes without the revision on the Hub."""
    modalities = [tag for tag in ref.tags if tag.startswith("modality:")]
    return digest(ref.licenses, ref.languages, ref.gated, ref.private, ref.disabled, modalities)


def new_entry(
    ref: DatasetRef, catalog: str, pipeline: str, growth_id: str | None, now: datetime, outcome: Outcome, **values: Any
) -> LedgerEntry:
    return LedgerEntry(
        repo_id=ref.repo_id,
        catalog=catalog,
        revision=ref.revision,
        listing=listing_digest(ref),
        pipeline=pipeline,
        last_modified=ref.last_modified,
        outcome=outcome,
        ref=ref.model_dump(mode="json"),
        growth_id=growth_id,
        seen=now,
        updated=now,
        **values,
    )


def after_growth(entry: LedgerEntry, contribution: Contribution, name: str) -> LedgerEntry:
    """The entry of a dataset whose branch went through; `name` is the contribution's digest."""
    return entry.model_copy(
        update={
            "contribution": name,
            "contribution_revision": contribution.revision,
            "license": contribution.license,
            "records": contribution.shard.records,
        }
    )


def begun(entry: LedgerEntry, previous: LedgerEntry | None, now: datetime) -> LedgerEntry:
    """The entry of a dataset whose branch begins. The attempt is counted before it is made: where the process dies in
    it, this entry stays, and a dataset that ends the process each time is quarantined by the retry table."""
    counted = after_failure(entry, previous, Code.INTERRUPTED, now)
    return counted.model_copy(update={"outcome": Outcome.FAILED if counted.quarantined else Outcome.DEFERRED})


def after_failure(entry: LedgerEntry, previous: LedgerEntry | None, code: Code, now: datetime) -> LedgerEntry:
    """Counts the attempt and says when the next one is due, by the retry table of `errors.ERRORS`.

    Attempts count for one revision; deferral is nobody's failure and costs none. What is released stays released.
    """
    policy = ERRORS[code]
    same = previous is not None and previous.revision == entry.revision and previous.pipeline == entry.pipeline
    before = previous.attempts if previous and same else 0
    kept: dict[str, Any] = (
        {}
        if previous is None
        else {name: getattr(previous, name) for name in ("contribution", "contribution_revision", "license", "records")}
    )
    kept["failing_since"] = (previous and previous.failing_since) or now
    if policy.deferred:
        return entry.model_copy(update={**kept, "attempts": before, "next_try": now})
    attempts = before + 1
    again = attempts < policy.nights
    return entry.model_copy(
        update={
            **kept,
            "attempts": attempts,
            "next_try": now + policy.wait * 2 ** (attempts - 1) if again else None,
            "quarantined": policy.transient and not again,
        }
    )
