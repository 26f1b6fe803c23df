"""Every way in which something does not make it: error codes (something broke) and reasons (something was refused).

Both are closed lists. An error is raised as `DynosaurError(code, message)`, stored in the ledger and shown; a reason
is a value of a `Rejection`.
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
    Code.BAD_CATALOG: Kind(False, "Check --catalog; `dynosaur grow --help` says what it may be."),
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


class Reason(StrEnum):
    """Why a dataset, subset, task or row was refused. Grouped by the stage that says it."""

    # survey: datasets, from the listing
    NO_LICENSE = "no_license"
    REFUSED_LICENSE = "refused_license"
    NOT_ENGLISH = "not_english"
    IS_GATED = "gated"
    IS_PRIVATE = "private"
    IS_DISABLED = "disabled"
    IS_GONE = "gone"
    MEDIA = "media"
    SIZE = "size"
    BLOCKLISTED = "blocklisted"
    BAD_ENTRY = "bad_entry"
    OWNER_CAP = "owner_cap"
    SOURCE_CAP = "source_cap"
    RESTRICTED_SOURCE = "restricted_source"
    OTHER_CATALOG = "other_catalog"
    # metadata: subsets
    ONE_FIELD = "one_field"
    NO_TRAINING_SPLIT = "no_training_split"
    EMPTY = "empty"
    UNREADABLE = "unreadable"
    COPY = "copy"
    # metadata: splits and fields
    UNKNOWN_SPLIT = "unknown_split"
    UNREADABLE_FIELD = "unreadable_field"
    # metadata: rows
    ROW_TOO_LARGE = "row_too_large"
    SAMPLE_BUDGET = "sample_budget"
    # filter: answers and tasks
    UNPARSABLE = "unparsable"
    MODEL_REFUSAL = "model_refusal"
    NO_DESIGN = "no_design"
    MALFORMED = "malformed"
    EMPTY_INSTRUCTION = "empty_instruction"
    NOT_AN_INSTRUCTION = "not_an_instruction"
    INSTRUCTION_TOO_LONG = "instruction_too_long"
    ODD_CHARACTERS = "odd_characters"
    LINK = "link"
    ACTIVE_MARKUP = "active_markup"
    PROMPT_INJECTION = "prompt_injection"
    NO_INPUT = "no_input"
    NO_OUTPUT = "no_output"
    MULTIPLE_OUTPUTS = "multiple_outputs"
    UNKNOWN_FIELD = "unknown_field"
    FIELD_NOT_SHOWN = "field_not_shown"
    OVERLAP = "overlap"
    DUPLICATE_MAPPING = "duplicate_mapping"
    DUPLICATE_INSTRUCTION = "duplicate_instruction"
    TOO_MANY_TASKS = "too_many_tasks"
    COPIED_EXAMPLE = "copied_example"
    ROW_SPECIFIC = "row_specific"
    SWAPPED = "swapped"
    BOOKKEEPING_OUTPUT = "bookkeeping_output"
    NOT_DERIVABLE = "not_derivable"
    OUTPUT_NOT_TEXT = "output_not_text"
    CONSTANT_OUTPUT = "constant_output"
    TRIVIAL_COPY = "trivial_copy"
    WRONG_LABELS = "wrong_labels"
    IMBALANCED = "imbalanced"
    MISSING_INPUT = "missing_input"
    MISMATCH = "mismatch"
    CONTRADICTION = "contradiction"
    TOO_FEW_ROWS = "too_few_rows"
    UNKNOWN_SUBSET = "unknown_subset"
    NO_TASK_ACCEPTED = "no_task_accepted"
    NO_RECORDS = "no_records"
    # publish: rows
    OUTPUT_NULL = "output_null"
    OUTPUT_EMPTY = "output_empty"
    OUTPUT_TOO_LONG = "output_too_long"
    OUTPUT_OUTSIDE_LABELS = "output_outside_labels"
    INPUT_NULL = "input_null"
    INPUT_EMPTY = "input_empty"
    INPUT_TOO_LONG = "input_too_long"
    UNRENDERABLE = "unrenderable"
    DUPLICATE_RECORD = "duplicate_record"
    # release: sources
    NOT_IN_STORE = "not_in_store"


REASONS: dict[Reason, str] = {
    Reason.NO_LICENSE: "it states no licence",
    Reason.REFUSED_LICENSE: "its licence is on the refuse list",
    Reason.NOT_ENGLISH: "its language is not English",
    Reason.IS_GATED: "access to it is gated",
    Reason.IS_PRIVATE: "it is private",
    Reason.IS_DISABLED: "the Hub has disabled it",
    Reason.IS_GONE: "it is no longer in the catalogue",
    Reason.MEDIA: "it holds images, audio or video",
    Reason.SIZE: "it is beyond the size limit",
    Reason.BLOCKLISTED: "a pattern of the blocklist names it",
    Reason.BAD_ENTRY: "the catalogue's entry lacks an id or revision that can be kept",
    Reason.OWNER_CAP: "its owner already has the allowed number of datasets",
    Reason.SOURCE_CAP: "its source already has the allowed number of copies",
    Reason.RESTRICTED_SOURCE: "it is drawn from sources under a refused licence",
    Reason.OTHER_CATALOG: "another catalogue of this store already has a dataset of this id",
    Reason.ONE_FIELD: "it has one usable field only",
    Reason.NO_TRAINING_SPLIT: "it has no training or validation split",
    Reason.EMPTY: "it has no rows",
    Reason.UNREADABLE: "its files cannot be read",
    Reason.COPY: "another dataset that came first has the same rows",
    Reason.UNKNOWN_SPLIT: "the split's name does not say whether it is for training",
    Reason.UNREADABLE_FIELD: "the field has no plain form",
    Reason.ROW_TOO_LARGE: "the row is beyond the byte limit",
    Reason.SAMPLE_BUDGET: "the sample had reached its byte limit",
    Reason.UNPARSABLE: "no task could be read from the answer",
    Reason.MODEL_REFUSAL: "the model declined to answer",
    Reason.NO_DESIGN: "the answer holds no task",
    Reason.MALFORMED: "the task is not of the asked form",
    Reason.EMPTY_INSTRUCTION: "the instruction is empty or no text",
    Reason.NOT_AN_INSTRUCTION: "the instruction does not say what to do",
    Reason.INSTRUCTION_TOO_LONG: "the instruction is longer than any task needs",
    Reason.ODD_CHARACTERS: "the instruction holds characters that nobody sees, or that stand for lost ones",
    Reason.LINK: "the instruction holds a link or an address",
    Reason.ACTIVE_MARKUP: "the instruction holds markup that a browser would act on",
    Reason.PROMPT_INJECTION: "the instruction speaks to its reader about the instructions that it has",
    Reason.NO_INPUT: "it names no input field",
    Reason.NO_OUTPUT: "it names no output field",
    Reason.MULTIPLE_OUTPUTS: "it asks for more than one output",
    Reason.UNKNOWN_FIELD: "it names a field that the data does not have",
    Reason.FIELD_NOT_SHOWN: "it names a field that the designer was not shown",
    Reason.OVERLAP: "a field is both input and output",
    Reason.DUPLICATE_MAPPING: "an accepted task maps the same inputs to the same output",
    Reason.DUPLICATE_INSTRUCTION: "an accepted task has the same instruction",
    Reason.TOO_MANY_TASKS: "the answer holds more tasks than allowed",
    Reason.COPIED_EXAMPLE: "the instruction copies an in-context example",
    Reason.ROW_SPECIFIC: "the instruction speaks of particular rows",
    Reason.SWAPPED: "the wiring runs against the instruction",
    Reason.BOOKKEEPING_OUTPUT: "the output is bookkeeping (an id, url, size, path, time...)",
    Reason.NOT_DERIVABLE: "the inputs do not determine the output",
    Reason.OUTPUT_NOT_TEXT: "the output is nested or cannot be written as text",
    Reason.CONSTANT_OUTPUT: "the output is (nearly) the same in every row",
    Reason.TRIVIAL_COPY: "the output repeats or re-encodes an input",
    Reason.WRONG_LABELS: "the rows hold answers outside the stated labels",
    Reason.IMBALANCED: "one answer dominates the rows",
    Reason.MISSING_INPUT: "the instruction needs a field that is not among the inputs",
    Reason.MISMATCH: "the instruction does not describe what the rows hold",
    Reason.CONTRADICTION: "it asks for the opposite of what the rows hold",
    Reason.TOO_FEW_ROWS: "too few rows",
    Reason.UNKNOWN_SUBSET: "the dataset or config does not exist, or could not be read",
    Reason.NO_TASK_ACCEPTED: "none of its tasks was accepted",
    Reason.NO_RECORDS: "none of its rows could be rendered",
    Reason.OUTPUT_NULL: "the output is missing in this row",
    Reason.OUTPUT_EMPTY: "the output is empty in this row",
    Reason.OUTPUT_TOO_LONG: "the output would be cut",
    Reason.OUTPUT_OUTSIDE_LABELS: "the output is none of the allowed answers",
    Reason.INPUT_NULL: "an input is missing in this row",
    Reason.INPUT_EMPTY: "all inputs are empty in this row",
    Reason.INPUT_TOO_LONG: "the inputs cannot be shortened enough",
    Reason.UNRENDERABLE: "a value cannot be written as text",
    Reason.DUPLICATE_RECORD: "the same record was already made",
    Reason.NOT_IN_STORE: "the store of the release does not hold it, and no catalogue said why",
}
