"""Reasons: why a dataset, subset, task or row was refused, a closed list. `errors.py` has the ways in which it breaks.

A reason is a value of a `Rejection` and of the ledger's entries.
"""

from __future__ import annotations

from enum import StrEnum


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
    LABEL_WORDS = "label_words"
    CODED_LABELS = "coded_labels"
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


Finding = tuple[Reason, str]
"""Why something is refused or rejected, and the detail that a person reads."""

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
    Reason.LABEL_WORDS: "its words for the labels are not one for each label",
    Reason.CODED_LABELS: "its answers are codes, and nothing says what they stand for",
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
