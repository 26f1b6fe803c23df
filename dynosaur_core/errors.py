"""Error codes: every way in which something breaks, a closed list. `reasons.py` has the ways in which it is refused.

An error is raised as `DynosaurError(code, message)`, stored in the ledger and shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from dynosaur_core.text import line


class Code(StrEnum):
    """Error codes. `ERRORS` says what each means."""

    RATE_LIMITED = "RateLimited"
    SERVER_ERROR = "ServerError"
    CONNECTION_FAILED = "ConnectionFailed"
    TIMED_OUT = "TimedOut"
    NOT_FOUND = "NotFound"
    GATED = "Gated"
    NOT_ALLOWED = "NotAllowed"
    REVISION_GONE = "RevisionGone"
    SCRIPT_DATASET = "ScriptDataset"
    NO_DATA_FILES = "NoDataFiles"
    UNREADABLE_FILES = "UnreadableFiles"
    UNREADABLE_CARD = "UnreadableCard"
    LFS_POINTER = "LfsPointer"
    READER_DIED = "ReaderDied"
    TOO_LARGE = "TooLarge"
    TOO_MANY_COLUMNS = "TooManyColumns"
    TOO_MANY_SUBSETS = "TooManySubsets"
    TRUNCATED_CELLS = "TruncatedCells"
    BAD_CATALOG = "BadCatalog"
    MODEL_UNREACHABLE = "ModelUnreachable"
    MODEL_KEY_REFUSED = "ModelKeyRefused"
    MODEL_RATE_LIMITED = "ModelRateLimited"
    MODEL_SERVER_ERROR = "ModelServerError"
    MODEL_TIMED_OUT = "ModelTimedOut"
    MODEL_REQUEST_REFUSED = "ModelRequestRefused"
    MODEL_BAD_RESPONSE = "ModelBadResponse"
    MODEL_QUOTA_SPENT = "ModelQuotaSpent"
    BUDGET_SPENT = "BudgetSpent"
    PRICE_UNKNOWN = "PriceUnknown"
    BATCH_PENDING = "BatchPending"
    BATCH_FAILED = "BatchFailed"
    STORE_FAILED = "StoreFailed"
    GROWTH_RUNNING = "GrowthRunning"
    RELEASE_CONFLICT = "ReleaseConflict"
    RELEASE_FAILED = "ReleaseFailed"
    FOREIGN_STORE = "ForeignStore"
    WITHDRAWS_MANY = "WithdrawsMany"
    BAD_SETTING = "BadSetting"
    INTERRUPTED = "Interrupted"
    UNEXPECTED = "Unexpected"


@dataclass(frozen=True)
class Kind:
    """What is known of an error code before it happens."""

    transient: bool
    """Worth another try without anything changing on our side or the source's."""
    advice: str
    """What a person can do about it."""
    tries: int = 1
    """Nights on which it is tried before quarantine; 1 = not before the revision or the stage version changes."""
    wait: timedelta = timedelta(hours=20)
    """Between two of them; doubled each time."""
    deferred: bool = False
    """Nobody's fault: the dataset was not reached. It is tried again next time and never counts as failed."""


_NIGHTS = 5
ERRORS: dict[Code, Kind] = {
    Code.RATE_LIMITED: Kind(True, "Nothing: it is tried again. Set HF_TOKEN for a larger quota.", _NIGHTS),
    Code.SERVER_ERROR: Kind(True, "Nothing: it is tried again.", _NIGHTS),
    Code.CONNECTION_FAILED: Kind(True, "Check the network and HF_ENDPOINT; it is tried again.", _NIGHTS),
    Code.TIMED_OUT: Kind(True, "It is tried again; a dataset that always hangs is quarantined.", 3),
    Code.NOT_FOUND: Kind(False, "Check its id; of a dataset that is gone or private the rows are withdrawn."),
    Code.GATED: Kind(False, "Accept the terms on its page and set HF_TOKEN, if its licence allows the use."),
    Code.NOT_ALLOWED: Kind(False, "Check that HF_TOKEN may read it."),
    Code.REVISION_GONE: Kind(True, "The history was rewritten; the next survey finds the new revision.", 2),
    Code.SCRIPT_DATASET: Kind(False, "It needs a loading script, which is never run; ask its owner for parquet files."),
    Code.NO_DATA_FILES: Kind(False, "It holds no file in a known format (parquet, jsonl, json, csv, tsv, text)."),
    Code.UNREADABLE_FILES: Kind(False, "Its files do not parse; tell its owner, or override its config."),
    Code.UNREADABLE_CARD: Kind(False, "The YAML header of its README does not parse; tell its owner."),
    Code.LFS_POINTER: Kind(False, "Run `git lfs pull` in its folder: Git LFS has not brought its files yet."),
    Code.READER_DIED: Kind(False, "Its files crash the parser or take more than reading.max_memory_bytes."),
    Code.TOO_LARGE: Kind(False, "Its rows or files are larger than sampling.max_row_bytes and max_bytes allow."),
    Code.TOO_MANY_COLUMNS: Kind(False, "It has more columns than sampling.max_columns."),
    Code.TOO_MANY_SUBSETS: Kind(False, "It has more configs than sampling.max_subsets."),
    Code.TRUNCATED_CELLS: Kind(False, "The viewer cut its cells and the files could not be read."),
    Code.BAD_CATALOG: Kind(False, "Check --catalog: `hub`, a folder in the Hub's layout, or a .jsonl file."),
    Code.MODEL_UNREACHABLE: Kind(True, "Check OPENAI_BASE_URL and that the server runs.", _NIGHTS, deferred=True),
    Code.MODEL_KEY_REFUSED: Kind(True, "Check OPENAI_API_KEY.", _NIGHTS, deferred=True),
    Code.MODEL_RATE_LIMITED: Kind(True, "Lower llm.requests_per_minute, or wait.", _NIGHTS),
    Code.MODEL_SERVER_ERROR: Kind(True, "Nothing: it is tried again.", _NIGHTS),
    Code.MODEL_TIMED_OUT: Kind(True, "Raise llm.timeout_s, or check the server's load.", _NIGHTS),
    Code.MODEL_REQUEST_REFUSED: Kind(False, "The endpoint refuses the request; `dynosaur explain` shows it."),
    Code.MODEL_BAD_RESPONSE: Kind(True, "The endpoint's response is not of its API's form; check OPENAI_BASE_URL.", 3),
    Code.MODEL_QUOTA_SPENT: Kind(True, "The account's quota is spent: top it up.", _NIGHTS, deferred=True),
    Code.BUDGET_SPENT: Kind(True, "Raise --max-cost, or wait for the next growth.", _NIGHTS, deferred=True),
    Code.PRICE_UNKNOWN: Kind(False, "Set llm.price_input and llm.price_output, or drop the cap.", deferred=True),
    Code.BATCH_PENDING: Kind(True, "The batch is still running: the next growth collects it.", _NIGHTS, deferred=True),
    Code.BATCH_FAILED: Kind(True, "The batch failed or expired; its requests are sent again.", _NIGHTS),
    Code.STORE_FAILED: Kind(
        True, "Do what the message says, or check that the store can be read and written and has room.", _NIGHTS
    ),
    Code.GROWTH_RUNNING: Kind(
        True, "Wait until it has ended; it takes what this one would have.", _NIGHTS, deferred=True
    ),
    Code.RELEASE_CONFLICT: Kind(True, "Another release was made meanwhile; run `dynosaur release`.", _NIGHTS),
    Code.RELEASE_FAILED: Kind(True, "Check the sink's address and rights; run `dynosaur release`.", _NIGHTS),
    Code.FOREIGN_STORE: Kind(
        False, "Check --store, DYNOSAUR_LEDGER and --release; --adopt says that they belong together."
    ),
    Code.WITHDRAWS_MANY: Kind(False, "Check that store and catalogue are the right ones; --withdraw-many confirms it."),
    Code.BAD_SETTING: Kind(False, "Correct the setting that the message names."),
    Code.INTERRUPTED: Kind(
        True,
        "Nothing: it is tried again, alone. One that ends the process each time is quarantined: please report it.",
        _NIGHTS,
        timedelta(0),
    ),
    Code.UNEXPECTED: Kind(True, "A bug of Dynosaur's: please report it with `dynosaur explain ID`.", 2),
}


ONE_CONFIG = frozenset(
    {
        Code.SCRIPT_DATASET,
        Code.NO_DATA_FILES,
        Code.UNREADABLE_FILES,
        Code.LFS_POINTER,
        Code.TOO_LARGE,
        Code.TOO_MANY_COLUMNS,
        Code.TRUNCATED_CELLS,
    }
)
"""What is wrong with the files of one config: the others of its dataset may be read."""


class DynosaurError(Exception):
    """An error with a code. `str(error)` is `Code: message`; the cause is kept by `raise ... from`.

    The message may quote what a file, an endpoint or an exception says: it is made storable and known secrets are
    struck out before anyone reads it.
    """

    def __init__(self, code: Code, message: str, *, retry_after: float | None = None) -> None:
        message = line(message)
        super().__init__(code, message)
        self.code = code
        self.message = message
        self.retry_after = retry_after
        """Seconds that the server asked to wait, where it did."""

    @property
    def kind(self) -> Kind:
        return ERRORS[self.code]

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"
