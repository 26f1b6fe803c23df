"""Error codes: every way in which something breaks, a closed list. `reasons.py` has the ways in which it is refused.

An error is raised as `DynosaurError(code, message)`, stored in the ledger and shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import Flag, StrEnum, auto
from functools import partial

from dynosaur_core.reasons import Reason
from dynosaur_core.text import line


class Code(StrEnum):
    """Error codes. `ERRORS` says what is done about each."""

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
    NO_VERDICT = "NoVerdict"
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
    PLANNED = "Planned"
    INTERRUPTED = "Interrupted"
    UNEXPECTED = "Unexpected"


class Retrier(Flag):
    """Who tries again within seconds or minutes, without the night being over."""

    NOBODY = 0
    REQUEST = auto()
    """The client sends the same request again."""
    RELEASE = auto()
    """The release is planned and written again."""
    TASK = auto()
    """Prefect runs the stage again."""


class Endpoint(StrEnum):
    """What an error says of the model's endpoint; decides whether the circuit breaker opens."""

    RESPONDS = "responds"
    SILENT = "silent"
    """After some seconds of nothing else no further request is sent for a while."""
    CLOSED = "closed"
    """No further request is sent at all."""


@dataclass(frozen=True, kw_only=True)
class ErrorPolicy:
    """What is done about an error code, decided before an error of it happens."""

    advice: str
    """What a person can do about it."""
    nights: int = 1
    """Attempts, one a night, before the dataset is quarantined. With 1 it is not tried again before its revision or
    the version of a stage changes."""
    wait: timedelta = timedelta(hours=20)
    """Between the first night and the second; doubled each time."""
    deferred: bool = False
    """The dataset was not reached through no fault of its own: it is due next time and never counts as failed."""
    retried_by: Retrier = Retrier.NOBODY
    stops_growth: bool = False
    """No further branch is begun: it would meet the same. What is left is deferred without a task run."""
    withdraws: Reason | None = None
    """The dataset may no longer be used: what was released of it leaves the release for this reason."""
    said_of_files: bool = False
    """One file's storage may raise it too: it withdraws a dataset only where a survey asks for the dataset itself."""
    one_config: bool = False
    """It is about the files of one config: the others of its dataset may be read."""
    one_strategy: bool = False
    """It is about one way of reading a split of the Hub: another may do."""
    endpoint: Endpoint | None = None
    wrong_command: bool = False
    """The command or a setting is wrong: exit status 2."""
    confirmed_by: str | None = None
    """The flag by which a person says that it is meant."""

    @property
    def transient(self) -> bool:
        """Whether another attempt may succeed although nothing has changed, neither here nor at the source."""
        return self.nights > 1


_passing = partial(ErrorPolicy, nights=5, retried_by=Retrier.REQUEST | Retrier.RELEASE | Retrier.TASK)
_deferring = partial(ErrorPolicy, nights=5, deferred=True)
_stopping = partial(_deferring, stops_growth=True)
_model = partial(ErrorPolicy, nights=5, retried_by=Retrier.REQUEST | Retrier.TASK, endpoint=Endpoint.RESPONDS)
_config = partial(ErrorPolicy, one_config=True)
_wrong = partial(ErrorPolicy, wrong_command=True)

ERRORS: dict[Code, ErrorPolicy] = {
    # the Hub, and whatever else is read over a network
    Code.RATE_LIMITED: _passing(advice="Nothing: it is tried again. Set HF_TOKEN for a larger quota."),
    Code.SERVER_ERROR: _passing(advice="Nothing: it is tried again."),
    Code.CONNECTION_FAILED: _passing(advice="Check the network and HF_ENDPOINT; it is tried again."),
    Code.TIMED_OUT: ErrorPolicy(
        advice="It is tried again; a dataset that always hangs is quarantined.",
        nights=3,
        retried_by=Retrier.REQUEST | Retrier.RELEASE,
    ),
    # a dataset as a whole
    Code.NOT_FOUND: ErrorPolicy(
        advice="Check its id; of a dataset that is gone or private the rows are withdrawn.", withdraws=Reason.IS_GONE
    ),
    Code.GATED: ErrorPolicy(
        advice="Accept the terms on its page and set HF_TOKEN, if its licence allows the use.",
        withdraws=Reason.IS_GATED,
    ),
    Code.NOT_ALLOWED: ErrorPolicy(
        advice="Check that HF_TOKEN may read it.", withdraws=Reason.IS_DISABLED, said_of_files=True
    ),
    Code.REVISION_GONE: ErrorPolicy(
        advice="The history was rewritten; the next survey finds the new revision.", nights=2
    ),
    Code.UNREADABLE_CARD: ErrorPolicy(advice="The YAML header of its README does not parse; tell its owner."),
    Code.READER_DIED: ErrorPolicy(advice="Its files crash the parser or take more than reading.max_memory_bytes."),
    Code.TOO_MANY_SUBSETS: ErrorPolicy(advice="It has more configs than sampling.max_subsets."),
    # the files of one config
    Code.SCRIPT_DATASET: _config(
        advice="It needs a loading script, which is never run; ask its owner for parquet files.", one_strategy=True
    ),
    Code.NO_DATA_FILES: _config(
        advice="It holds no file in a known format (parquet, jsonl, json, csv, tsv, text).", one_strategy=True
    ),
    Code.UNREADABLE_FILES: _config(
        advice="Its files do not parse; tell its owner, or override its config.", one_strategy=True
    ),
    Code.TRUNCATED_CELLS: _config(
        advice="The viewer cut its cells and the files could not be read.", one_strategy=True
    ),
    Code.LFS_POINTER: _config(advice="Run `git lfs pull` in its folder: Git LFS has not brought its files yet."),
    Code.TOO_LARGE: _config(advice="Its rows or files are larger than sampling.max_row_bytes and max_bytes allow."),
    Code.TOO_MANY_COLUMNS: _config(advice="It has more columns than sampling.max_columns."),
    # the model
    Code.MODEL_UNREACHABLE: _stopping(
        advice="Check OPENAI_BASE_URL and that the server runs.", retried_by=Retrier.REQUEST, endpoint=Endpoint.SILENT
    ),
    Code.MODEL_KEY_REFUSED: _stopping(advice="Check OPENAI_API_KEY.", endpoint=Endpoint.CLOSED, wrong_command=True),
    Code.MODEL_QUOTA_SPENT: _stopping(advice="The account's quota is spent: top it up.", endpoint=Endpoint.CLOSED),
    Code.MODEL_RATE_LIMITED: _model(advice="Lower llm.requests_per_minute, or wait."),
    Code.MODEL_SERVER_ERROR: _model(advice="Nothing: it is tried again."),
    Code.MODEL_TIMED_OUT: _model(advice="Raise llm.timeout_s, or check the server's load.", endpoint=Endpoint.SILENT),
    Code.MODEL_BAD_RESPONSE: _model(
        advice="The endpoint's response is not of its API's form; check OPENAI_BASE_URL.", nights=3
    ),
    Code.MODEL_REQUEST_REFUSED: ErrorPolicy(
        advice="The endpoint refuses the request; `dynosaur explain` shows it.", endpoint=Endpoint.RESPONDS
    ),
    Code.NO_VERDICT: ErrorPolicy(
        advice="The judge is asked anew; set judging.model to a stronger one, or judging.judge to off.", nights=3
    ),
    Code.BATCH_PENDING: _deferring(advice="The batch is still running: the next growth collects it."),
    Code.BATCH_FAILED: ErrorPolicy(
        advice="The batch failed or expired; its requests are sent again.", nights=5, retried_by=Retrier.TASK
    ),
    # money
    Code.BUDGET_SPENT: _stopping(advice="Raise --max-cost, or wait for the next growth."),
    Code.PRICE_UNKNOWN: _wrong(
        advice="Set llm.price_input and llm.price_output, or drop the cap.", deferred=True, stops_growth=True
    ),
    # what is ours: catalogue, store, releases, settings
    Code.BAD_CATALOG: _wrong(advice="Check --catalog; `dynosaur grow --help` says what it may be."),
    Code.BAD_SETTING: _wrong(
        advice="Correct what the message names; `--help` and `dynosaur settings` say what may be given."
    ),
    Code.FOREIGN_STORE: _wrong(
        advice="Check --store, DYNOSAUR_LEDGER and --release; --adopt says that they belong together.",
        confirmed_by="--adopt",
    ),
    Code.STORE_FAILED: ErrorPolicy(
        advice="Do what the message says, or check that the store can be read and written and has room.",
        nights=5,
        retried_by=Retrier.TASK,
    ),
    Code.GROWTH_RUNNING: _deferring(advice="Wait until it has ended, then start this one again if something is left."),
    Code.WITHDRAWS_MANY: ErrorPolicy(
        advice="Check that store and catalogue are the right ones; --withdraw-many confirms it.",
        confirmed_by="--withdraw-many",
    ),
    Code.RELEASE_CONFLICT: ErrorPolicy(
        advice="Another release was made meanwhile; run `dynosaur release`.", nights=5, retried_by=Retrier.RELEASE
    ),
    Code.RELEASE_FAILED: ErrorPolicy(advice="Check the sink's address and rights; run `dynosaur release`.", nights=5),
    # the growth itself
    Code.PLANNED: _deferring(advice="Nothing: the next growth takes it."),
    Code.INTERRUPTED: ErrorPolicy(
        advice="Nothing: it is tried again, alone. One that ends the process each time is quarantined: please "
        "report it.",
        nights=5,
        wait=timedelta(0),
    ),
    Code.UNEXPECTED: ErrorPolicy(advice="A bug of Dynosaur's: please report it with `dynosaur explain ID`.", nights=2),
}


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
    def policy(self) -> ErrorPolicy:
        return ERRORS[self.code]

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"
