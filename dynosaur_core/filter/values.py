"""Checks of the output's values: enough of them, varied, and something that the inputs can tell."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dynosaur_core.filter.case import NUMBERS, Case, Check
from dynosaur_core.filter.lists import no_sequence
from dynosaur_core.filter.wording import field_words, word_set
from dynosaur_core.models import FieldKind, Shape
from dynosaur_core.reasons import Finding, Reason

CONSTANT_SHARE = 0.98
"""From this share of one answer on there is nothing to learn."""
DOMINANT_SHARE = 0.95
SCALE_POINTS = 6
"""Numbers with at most this many distinct values are a scale, such as one to five stars, and no counter."""
TITLE_WORDS = 12
"""Longer inputs are no titles."""
COPIED = 0.9
"""Share of rows with equal input and output that makes a copy."""

# Shapes of values that nobody can produce from content.
_SHAPES = {Shape.URL: "a url", Shape.PATH: "a path", Shape.HASH: "a hash", Shape.TIME: "a time"}
# Last word of a field's name -> what it is, when its values do not stand in the inputs.
NAMES = {
    "an identifier": word_set("id uid guid uuid hash sha md5 checksum doi isbn idx index"),
    "an address": word_set("url uri link href filepath path filename permalink"),
    "record keeping": word_set("worker annotator timestamp license licence revision version split"),
}
# A text does not tell who wrote it.
WRITERS = word_set(
    "author writer byline username user reviewer editor journalist columnist contributor uploader poster owner creator"
)
NUMBER_NAMES = {
    "a position or size": word_set("from to start end begin offset position span line size byte length"),
    "a counter": word_set("upvote downvote vote like star fork download view retweet karma annotation"),
}


def too_few_rows(case: Case) -> Finding | None:
    usable = np.logical_and.reduce([case.rows.filled(field.name) for field in (*case.inputs, case.output)])
    count = int(usable.sum())
    return (Reason.TOO_FEW_ROWS, f"{count} rows have inputs and output") if count < case.settings.min_rows else None


def constant_output(case: Case) -> Finding | None:
    counts = case.rows.counts(case.output.name)
    if not len(counts):
        return Reason.CONSTANT_OUTPUT, "it has no values"
    share = float(counts.max() / counts.sum())
    if len(counts) == 1 or share >= CONSTANT_SHARE:
        return Reason.CONSTANT_OUTPUT, f"{share:.0%} of the rows have one answer"
    return (Reason.IMBALANCED, f"{share:.0%} of the rows have one answer") if share >= DOMINANT_SHARE else None


def bookkeeping_output(case: Case) -> Finding | None:
    """Ids, addresses, sizes, times: by the shape of the values, else by name; never when the inputs hold the value."""
    output = case.output
    shape = case.subset.fact(output.name).shape
    counter = "a row number" if output.kind is FieldKind.INTEGER and shape is Shape.ID else None
    what = "time" if output.kind is FieldKind.TIME else (shape and _SHAPES.get(shape)) or _name(case) or counter
    if what is None or _answer_index(case) or _stands_in_inputs(case):
        return None
    return Reason.BOOKKEEPING_OUTPUT, f"{output.name} is {what}"


def _name(case: Case) -> str | None:
    words = field_words(case.output.name)
    if case.output.kind is FieldKind.LABEL:
        return None
    # Social counters are named `like_count`, `num_votes`: the counted thing decides.
    if case.output.kind in NUMBERS and case.rows.distinct(case.output.name) > SCALE_POINTS:
        counted = words[-2] if len(words) > 1 and words[-1] in ("count", "number", "total") else words[-1]
        if what := _listed(NUMBER_NAMES, counted):
            return what
    # Whole phrases are content, whatever their column is called: `after_revision`, `link_text`.
    wordy = case.output.kind is FieldKind.TEXT and case.rows.median_words(case.output.name) >= 4
    if wordy:
        return None
    return "the writer's name" if _is_writer(case, words) else _listed(NAMES, words[-1])


def _is_writer(case: Case, words: tuple[str, ...]) -> bool:
    """The output is one of many names, and an input is a long text. A book's title may show its writer."""
    named = words[-2:-1] if words[-1] == "name" else words[-1:]
    if not WRITERS.intersection(named) or case.output.kind is not FieldKind.TEXT:
        return False
    many = case.rows.distinct(case.output.name) > case.settings.max_labels
    return many and any(case.rows.median_words(field.name) > TITLE_WORDS for field in case.text_inputs)


def _listed(table: dict[str, frozenset[str]], word: str) -> str | None:
    return next((what for what, words in table.items() if word in words), None)


def _answer_index(case: Case) -> bool:
    """`correct_answer_id` points into a list of answers that is among the inputs: a fair question."""
    lists = any(field.kind is FieldKind.LIST for field in case.inputs)
    return lists and case.rows.distinct(case.output.name) <= max(case.settings.max_labels, 10)


def _stands_in_inputs(case: Case) -> bool:
    """Half of the values are to be read in a text input of their row."""
    if case.output.kind is not FieldKind.TEXT:
        return False
    outputs = case.rows.text(case.output.name).slice(0, 100).to_pylist()
    columns = [case.rows.text(field.name).slice(0, 100).to_pylist() for field in case.inputs]
    held = [any(value in cell for cell in cells) for value, *cells in zip(outputs, *columns, strict=True) if value]
    return bool(held) and sum(held) >= 0.5 * len(held)


def trivial_copy(case: Case) -> Finding | None:
    """The output repeats an input, or writes the same few classes in another way."""
    output = case.output.name
    for field in case.inputs:
        if not case.rows.scalar(field.name):
            continue
        if _repeats(case, field.name, output):
            return Reason.TRIVIAL_COPY, f"it repeats {field.name}"
        if _recoded(case, field.name, output):
            return Reason.TRIVIAL_COPY, f"it is another encoding of {field.name}"
    return None


def _repeats(case: Case, source: str, output: str) -> bool:
    """Nine of ten rows have the same text in both, but for case and the space around it."""
    both = case.rows.filled(source) & case.rows.filled(output)
    # Lengths tell most columns apart, and cost a hundredth.
    alike = np.abs(case.rows.lengths(source) - case.rows.lengths(output))[both] <= 2
    if not len(alike) or float(np.mean(alike)) < COPIED:
        return False
    left, right = (case.rows.text(name).filter(pa.array(both)) for name in (source, output))
    left, right = (pc.utf8_lower(pc.utf8_trim_whitespace(text)) for text in (left, right))
    return float(pc.mean(pc.equal(left, right)).as_py()) >= COPIED


def _recoded(case: Case, source: str, output: str) -> bool:
    """The same classes in a column of another type: `label` and `label_text`."""
    one, two = case.subset.fact(source), case.subset.fact(output)
    return (one.same_as == output or two.same_as == source) and case.fields[source].kind is not case.fields[output].kind


VALUES: tuple[Check, ...] = (
    too_few_rows,
    no_sequence,
    constant_output,
    bookkeeping_output,
    trivial_copy,
)
