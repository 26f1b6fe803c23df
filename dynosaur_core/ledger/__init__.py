"""The ledger: what has been seen, grown, refused, failed, and when to try again."""

from dynosaur_core.ledger.entries import (
    LedgerEntry,
    Outcome,
    after_failure,
    after_growth,
    begun,
    listing_digest,
    new_entry,
)
from dynosaur_core.ledger.ledger import Ledger

__all__ = ["Ledger", "LedgerEntry", "Outcome", "after_failure", "after_growth", "begun", "listing_digest", "new_entry"]
