"""The nouns. Every stage takes and returns these, and nothing else; their JSON is the file format.

Models are frozen: a stage makes new ones. Tuples stand where JSON has lists. Fields of text from outside bear the types
of `text.py`, so that a noun holds nothing that a database, file or screen refuses.
"""

from dynosaur_core.models.base import (
    STAGES,
    Frozen,
    Level,
    ListOutput,
    Mode,
    Rejection,
    Stage,
    StageOrSurvey,
    Stored,
    added,
)
from dynosaur_core.models.catalog import (
    ROW_COLUMN,
    SPLIT_COLUMN,
    DatasetRef,
    FieldKind,
    FieldSpec,
    RowsHandle,
    Split,
    SplitRole,
    Subset,
    with_members,
)
from dynosaur_core.models.facts import FieldFacts, Shape, Span
from dynosaur_core.models.filter import FilterResult, InstructionTask
from dynosaur_core.models.growth import GrowthPlan, Withdrawal
from dynosaur_core.models.instruction import Proposal, TaskDesign, Usage
from dynosaur_core.models.judge import JudgeResult, Verdict
from dynosaur_core.models.metadata import DatasetMetadata, LicenseEvidence
from dynosaur_core.models.publish import Contribution, InstructionRecord, ShardHandle, TaskCount
from dynosaur_core.models.release import Release, ReleaseFile, Removal

__all__ = [
    "ROW_COLUMN",
    "SPLIT_COLUMN",
    "STAGES",
    "Contribution",
    "DatasetMetadata",
    "DatasetRef",
    "FieldFacts",
    "FieldKind",
    "FieldSpec",
    "FilterResult",
    "Frozen",
    "GrowthPlan",
    "InstructionRecord",
    "InstructionTask",
    "JudgeResult",
    "Level",
    "LicenseEvidence",
    "ListOutput",
    "Mode",
    "Proposal",
    "Rejection",
    "Release",
    "ReleaseFile",
    "Removal",
    "RowsHandle",
    "Shape",
    "ShardHandle",
    "Span",
    "Split",
    "SplitRole",
    "Stage",
    "StageOrSurvey",
    "Stored",
    "Subset",
    "TaskCount",
    "TaskDesign",
    "Usage",
    "Verdict",
    "Withdrawal",
    "added",
    "with_members",
]
