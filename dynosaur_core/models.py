"""The nouns. Every stage takes and gives these, and nothing else; their JSON is the file format.

Models are frozen: a stage makes new ones. Tuples stand where JSON has lists. Fields of text from outside bear the types
of `text.py`, so that a noun holds nothing that a database, file or screen refuses.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from dynosaur_core.digest import digest
from dynosaur_core.text import Id, Key, Line, Name, Said, Text, Values


class Frozen(BaseModel):
    """Base of all nouns: immutable, and unknown keys are an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


# --- catalogue -----------------------------------------------------------------------------------


class DatasetRef(Frozen):
    """A dataset at one revision, with what the catalogue's listing already tells."""

    repo_id: Id
    """`owner/name`; unique in a catalogue."""
    revision: Key
    """Full commit sha on the Hub; a content digest elsewhere."""
    last_modified: datetime | None = None
    licenses: tuple[Key, ...] = ()
    """All licence ids of the listing, lower case, in order; empty when there is none."""
    languages: tuple[Text, ...] = ()
    task_categories: tuple[Text, ...] = ()
    task_ids: tuple[Text, ...] = ()
    tags: tuple[Text, ...] = ()
    description: Text | None = None
    gated: bool = False
    private: bool = False
    disabled: bool = False
    size_bytes: int | None = None
    """Size of the repository's files in bytes, where the listing tells."""
    unreadable_card: bool = False
    """The catalogue could not read what the card says of licence and languages; opening the dataset raises why."""


class FieldKind(StrEnum):
    """What a column holds, by its feature type (never by its name)."""

    TEXT = "text"
    LABEL = "label"
    """A ClassLabel; its values are label names, null where the row has no label."""
    INTEGER = "integer"
    FLOAT = "float"
    BOOLEAN = "boolean"
    TIME = "time"
    LIST = "list"
    STRUCT = "struct"
    MEDIA = "media"
    """Image, audio, video, pdf, mesh: a config with one is refused."""
    BINARY = "binary"
    OTHER = "other"


class FieldSpec(Frozen):
    """One column of a subset, or one part of a nested column."""

    name: Name
    kind: FieldKind
    type: Name
    """The feature type as people write it: `string`, `int32`, `list<string>`, `class_label`."""
    label_names: tuple[Name, ...] = ()
    """ClassLabel names in their order; empty for all other kinds."""
    children: tuple[FieldSpec, ...] = ()
    """LIST: its one item (named `item`); STRUCT: its members."""


SplitRole = Literal["train", "validation", "test", "unknown"]


class Split(Frozen):
    """A split by its own name, and the role that the name implies."""

    name: Name
    role: SplitRole
    rows: int | None = None


class RowsHandle(Frozen):
    """Where a subset's sampled rows are: parquet in the store, named by content.

    Columns: the subset's fields in their order (labels as names), then `SPLIT_COLUMN` (string) and
    `ROW_COLUMN` (int64, the row's position in its split).
    """

    digest: Name
    rows: int
    size_bytes: int


SPLIT_COLUMN = "__dynosaur_split"
ROW_COLUMN = "__dynosaur_row"


class Subset(Frozen):
    """One config of a dataset with what a prompt and the filter need to know of it."""

    config: Name
    splits: tuple[Split, ...]
    fields: tuple[FieldSpec, ...]
    shown: tuple[Values, ...] = ()
    """The (at most two) sampled rows that a prompt may show, as JSON values."""
    rows: RowsHandle | None = None
    content: Name | None = None
    """Digest of the fields and of the files of the sampled splits, whatever was sampled of them; None where the source
    does not tell, and in results of earlier versions."""

    @property
    def field_names(self) -> tuple[str, ...]:
        return tuple(field.name for field in self.fields)


# --- metadata ------------------------------------------------------------------------------------


class LicenseEvidence(Frozen):
    """One statement about a dataset's licence, and where it stands."""

    license: Key
    """SPDX-like Hub id, lower case (`cc-by-4.0`), or `unknown`."""
    source: Literal["listing", "card_yaml", "card_text", "license_file", "override"]
    text: Text = ""
    """The words that were read, shortened."""


class DatasetMetadata(Frozen):
    """All that the prompt and the filter read of one dataset revision."""

    ref: DatasetRef
    title: Text
    """Name for people: the card's pretty_name, else the repo id."""
    website: Text
    """Where a person reads about it; the `website` of its records."""
    licenses: tuple[LicenseEvidence, ...]
    license: Key
    """The licence that its records carry: the most restrictive accepted one."""
    languages: tuple[Text, ...]
    summary: Text | None = None
    supported_tasks: Text | None = None
    task_categories: tuple[Text, ...] = ()
    task_ids: tuple[Text, ...] = ()
    source_datasets: tuple[Text, ...] = ()
    multilinguality: tuple[Text, ...] = ()
    citation: Text | None = None
    """BibTeX as the card gives it."""
    subsets: tuple[Subset, ...] = ()
    rejections: tuple[Rejection, ...] = ()
    """Subsets that were refused, and splits, fields and rows that were left out."""


# --- instruction ---------------------------------------------------------------------------------


class Mode(StrEnum):
    """Who designed a task."""

    DESCRIPTION_AWARE = "description_aware"
    DESCRIPTION_UNAWARE = "description_unaware"
    RULES = "rules"


class Usage(Frozen):
    """What one or more LLM answers cost."""

    requests: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    """The part of prompt_tokens that the endpoint read from its cache."""
    completion_tokens: int = 0
    cost_usd: float | None = 0.0
    """US dollars; None when the model has no known price."""

    def __add__(self, other: Usage) -> Usage:
        unknown = self.cost_usd is None or other.cost_usd is None
        return Usage(
            requests=self.requests + other.requests,
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            cached_tokens=self.cached_tokens + other.cached_tokens,
            completion_tokens=self.completion_tokens + other.completion_tokens,
            cost_usd=None if unknown else (self.cost_usd or 0.0) + (other.cost_usd or 0.0),
        )


class TaskDesign(Frozen):
    """A task as its designer gave it, not judged yet. `malformed` says what could not be read of it."""

    instruction: Text = ""
    input_fields: tuple[Name, ...] = ()
    output_fields: tuple[Name, ...] = ()
    malformed: Line | None = None


class Proposal(Frozen):
    """One designer's answer for one subset and mode."""

    config: Name
    mode: Mode
    request_digest: Name
    """Digest of the exact request; for Mode.RULES of what the rules read."""
    model: Text
    designs: tuple[TaskDesign, ...]
    shown_fields: tuple[Name, ...]
    """The fields that the designer was shown."""
    raw: Said = ""
    finish_reason: Text | None = None
    problem: Rejection | None = None
    """Why the answer as a whole gave no designs (unparsable, refusal, ...)."""
    usage: Usage = Usage()
    """What was spent for it, in the run that spent it."""


# --- filter --------------------------------------------------------------------------------------


class InstructionTask(Frozen):
    """An accepted design: what its rows will be turned into."""

    repo_id: Id
    config: Name
    instruction: Text
    input_fields: tuple[Name, ...]
    output_field: Name
    labels: tuple[Name, ...] = ()
    """Allowed answers when the output is a closed set, in the data's own order; else empty."""
    mode: Mode
    model: Text

    @property
    def task_id(self) -> str:
        """Content digest: the same design of the same subset has the same id in every growth."""
        return digest(self.repo_id, self.config, self.instruction, self.input_fields, self.output_field)[:16]


Level = Literal["dataset", "subset", "split", "field", "task", "row"]


class Rejection(Frozen):
    """What was turned away, where, and why. Rows of one task and reason share one rejection."""

    repo_id: Id
    level: Level
    stage: Name
    reason: Name
    """A value of `reasons.Reason`."""
    detail: Line = ""
    config: Name | None = None
    instruction: Text | None = None
    """For tasks and rows: the instruction of the design."""
    mode: Mode | None = None
    count: int = 1
    """How many datasets, subsets, tasks or rows this stands for."""


class FilterResult(Frozen):
    """`proposed` equals the accepted tasks and the rejected ones (level task) added up."""

    proposed: int
    tasks: tuple[InstructionTask, ...]
    rejections: tuple[Rejection, ...]
    accepted: tuple[bool, ...] = ()
    """For each problem and design of the proposals, in their order: whether it is the next of `tasks`, or else of
    `rejections`. Results of earlier versions lack it."""


# --- publish -------------------------------------------------------------------------------------


class InstructionRecord(Frozen):
    """One line of the released data. The first six are the format of 2023, in its order."""

    instruction: Text
    input: Name
    output: Name
    license: Key
    website: Text
    taskname: Name
    """The repo id, or `repo_id-config` for a dataset of several configs."""
    repo_id: Id
    config: Name
    split: Name
    row: int
    revision: Key
    task_id: Name
    mode: Name
    model: Text


class ShardHandle(Frozen):
    """Records of one contribution: parquet in the store, named by content."""

    digest: Name
    records: int
    size_bytes: int


class TaskCount(Frozen):
    """Rows in and records out of one task. sampled = recorded + rejected."""

    task: InstructionTask
    sampled: int
    recorded: int


class Contribution(Frozen):
    """All that one dataset revision adds to the release."""

    repo_id: Id
    revision: Key
    license: Key
    licenses: tuple[LicenseEvidence, ...]
    website: Text
    title: Text
    languages: tuple[Text, ...]
    citation: Text | None
    tasks: tuple[TaskCount, ...]
    shard: ShardHandle
    rejections: tuple[Rejection, ...] = ()
    """Rows turned away while rendering."""

    @property
    def digest(self) -> str:
        """Names the contribution's content: what a release needs to know to see that nothing changed."""
        return digest(self)


# --- growth --------------------------------------------------------------------------------------


class Withdrawal(Frozen):
    """A dataset whose rows leave the release, and why."""

    repo_id: Id
    revision: Key
    reason: Key
    detail: Line = ""


class GrowthPlan(Frozen):
    """What one growth will do. Every dataset that the survey saw is counted once."""

    surveyed: int = 0
    """Datasets seen; equals the lengths of new, changed, relicensed and retried, the refused, unchanged and waiting."""
    new: tuple[DatasetRef, ...] = ()
    changed: tuple[DatasetRef, ...] = ()
    relicensed: tuple[DatasetRef, ...] = ()
    retried: tuple[DatasetRef, ...] = ()
    withdrawn: tuple[Withdrawal, ...] = ()
    """Gone from the catalogue, or refused now; those seen are among the refused too."""
    held_back: tuple[Withdrawal, ...] = ()
    """Withdrawals that wait for a person's word, since there are too many at once."""
    held_back_because: Text | None = None
    refused: dict[Name, int] = {}
    """Refused from the listing alone, this time: reason -> count."""
    unchanged: int = 0
    waiting: int = 0
    """Failed earlier and not yet due for another try, or quarantined."""
    cut_off: Line | None = None
    """Why the listing broke off; the next growth goes on where it did."""

    @property
    def branches(self) -> tuple[DatasetRef, ...]:
        """The datasets that get a branch of task runs."""
        return self.new + self.changed + self.relicensed + self.retried

    def counts(self) -> dict[str, int]:
        return {
            "new": len(self.new),
            "changed": len(self.changed),
            "relicensed": len(self.relicensed),
            "withdrawn": len(self.withdrawn),
            "retried": len(self.retried),
            "unchanged": self.unchanged + self.waiting,
        }


class ReleaseFile(Frozen):
    """One immutable parquet file of a release and what is in it."""

    path: Name
    digest: Name
    records: int
    size_bytes: int
    contributions: dict[Name, Name]
    """repo id -> contribution digest of the records in the file."""


class Removal(Frozen):
    """One line of the removal log."""

    repo_id: Id
    revision: Key
    reason: Key
    detail: Line = ""
    when: datetime


class Release(Frozen):
    """The manifest: the one file that says which files are the release."""

    format: Literal["dynosaur/1"] = "dynosaur/1"
    version: int = Field(ge=0, le=10**9)
    """Counts up from 1; 0 where nothing is known of what stands at a place."""
    store: Name | None = None
    """Id of the store that the release was made from; None in releases of earlier versions."""
    growth: int | None = None
    """Number of the growth that made it, or of the last before it; one with a smaller number makes no release after."""
    digest: Name
    """Digest of the contributions alone: equal for equal content."""
    created: datetime
    records: int
    tasks: int
    sources: int
    files: tuple[ReleaseFile, ...]
    beside: dict[Name, int] = {}
    """Bytes of the files beside the data, but for the card, in which people may write."""
    changelog: tuple[Text, ...] = Field(default=())
    """One line per version, newest first."""


DatasetMetadata.model_rebuild()
Proposal.model_rebuild()
FieldSpec.model_rebuild()
