"""The rule-based designer: tasks for datasets of a standard shape, without a model. rules.toml is its table.

A rule fires when each of its roles is played by exactly one field, by its exact name and by what the rows show; when
its labels, tags and check hold; and when no other field has something to say that the task would leave out.
"""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from statistics import fmean
from typing import Literal

import pyarrow as pa
from pydantic import BaseModel, ConfigDict

from dynosaur_core.digest import digest
from dynosaur_core.instruction.evidence import Column, columns, plain, share
from dynosaur_core.models import DatasetMetadata, FieldKind, Mode, Proposal, Rejection, Subset, TaskDesign
from dynosaur_core.reasons import Reason

RULES_VERSION = 2

RoleKind = Literal["prose", "text", "texts", "label", "score", "answer", "dialogue", "any"]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Role(_Table):
    kind: RoleKind
    names: frozenset[str]

    def played_by(self, column: Column) -> bool:
        return column.plain_name in self.names and KINDS[self.kind](column)


class Family(_Table):
    """A known set of labels."""

    values: frozenset[str]
    needs: tuple[frozenset[str], ...]

    def holds(self, labels: tuple[str, ...]) -> bool:
        found = {plain(label) for label in labels}
        return bool(found) and found <= self.values and all(found & need for need in self.needs)


class Rule(_Table):
    name: str
    inputs: tuple[str, ...]
    output: str
    labels: str | None = None
    tags: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    check: str | None = None
    phrasings: tuple[str, ...]


class Rules(_Table):
    roles: dict[str, Role]
    families: dict[str, Family]
    rules: tuple[Rule, ...]


@cache
def load_rules() -> Rules:
    """The table, validated."""
    return Rules.model_validate(tomllib.loads(Path(__file__).with_name("rules.toml").read_text(encoding="utf-8")))


# --- what a field must be to play a role ---------------------------------------------------------------------------


def _is_text(column: Column) -> bool:
    return column.spec.kind is FieldKind.TEXT and len(column.distinct) > 1


def _is_prose(column: Column) -> bool:
    return _is_text(column) and column.words >= 2 and not column.labels


def _item_kinds(column: Column) -> set[FieldKind]:
    return {child.kind for child in column.spec.children} if column.spec.kind is FieldKind.LIST else set()


def _is_answer(column: Column) -> bool:
    """A text, or SQuAD's nested answers."""
    nested = column.spec.kind is FieldKind.STRUCT and "text" in {child.name for child in column.spec.children}
    return _is_text(column) or nested


KINDS: dict[RoleKind, Callable[[Column], bool]] = {
    "prose": _is_prose,
    "text": _is_text,
    "texts": lambda column: _item_kinds(column) == {FieldKind.TEXT},
    "label": lambda column: len(column.labels) >= 2 and len(column.distinct) >= 2,
    "score": lambda column: column.spec.kind in (FieldKind.FLOAT, FieldKind.INTEGER),
    "answer": _is_answer,
    "dialogue": lambda column: _is_prose(column) or bool(_item_kinds(column) & {FieldKind.TEXT, FieldKind.STRUCT}),
    "any": lambda column: True,
}

# --- evidence that a rule may ask for: the input columns in the order of its roles, and the output column ------------

_PYTHON = re.compile(r"^\s*(async def|def|class|import|from|@\w|\w+\s*=[^=])", re.MULTILINE)
_PYTHON_BLOCK = re.compile(r"^\s*(async def|def|class) \w+.*:", re.MULTILINE)
_QUESTION = re.compile(r"\W*(who|what|when|where|which|why|how|is|are|was|do|does|did|can)\b", re.IGNORECASE)
_QUESTION_BACKWARDS = re.compile(r"\W*\?")
"""The end of a text, read from there: a search would begin at every sign of the text."""
_ATTRIBUTE = re.compile(r"\w\[[^\]]{1,300}\]")


def _size(column: Column) -> float:
    return fmean([len(text) for text in column.texts] or [0])


def _one_of_choices(inputs: list[Column], output: Column) -> bool:
    offered = {text for choices in inputs[-1].values for text in choices}
    return len(output.distinct) > 1 and share(output.texts, offered.__contains__) > 0.95


def _words(label: str) -> bool:
    return len(label) >= 3 and re.sub(r"[\s&/,_-]", "", label).isalpha()


def _symbols(label: str) -> bool:
    return not any(character.isalnum() for character in label)


def _snake_case(label: str) -> bool:
    return "_" in label and _words(label)


def _python(column: Column) -> bool:
    return share(column.texts, lambda text: _PYTHON_BLOCK.search(text) and _PYTHON.match(text)) > 0.8


def _asks(text: str) -> bool:
    """Whether a text begins or ends as a question."""
    return bool(_QUESTION.match(text) or _QUESTION_BACKWARDS.match(text[::-1]))


CHECKS: dict[str, Callable[[list[Column], Column], bool]] = {
    "symbols": lambda inputs, output: all(map(_symbols, output.labels)),
    "snake_case": lambda inputs, output: share(list(output.labels), _snake_case) > 0.8,
    "words": lambda inputs, output: all(map(_words, output.labels)),
    "scored": lambda inputs, output: len(output.distinct) >= 5 and min(output.numbers, default=-1.0) >= 0,
    "one_of_choices": _one_of_choices,
    "shorter": lambda inputs, output: _size(output) < _size(inputs[0]),
    "much_shorter": lambda inputs, output: _size(output) < 0.6 * _size(inputs[0]),
    "asks": lambda inputs, output: share(output.texts, _asks) > 0.8,
    "asks_input": lambda inputs, output: share(inputs[0].texts, _asks) > 0.8,
    "bracketed": lambda inputs, output: share(output.texts, _ATTRIBUTE.search) > 0.9,
    "python": lambda inputs, output: _python(output),
    "python_input": lambda inputs, output: _python(inputs[0]),
}

# --- designing -----------------------------------------------------------------------------------------------------

"""The label lists that the publish stage appends unless told otherwise."""
_NOUNS = {"reviewtext": "review", "query": "question", "question1": "question", "question2": "question"}
_KNOWN_NOUNS = frozenset({"tweet", "review", "sentence", "comment", "headline", "message", "question", "post", "note"})


def design_by_rules(metadata: DatasetMetadata, subset: Subset, rows: pa.Table, max_tasks: int = 3) -> Proposal:
    """At most `max_tasks` designs for `subset`, as a proposal of Mode.RULES that cost nothing.

    `rows`: the subset's sampled rows as `models.RowsHandle` says, labels as names. Field names and kinds, label names,
    the card's task categories and ids and the values' shapes are read: the same content gives the same designs.
    """
    tags = tuple(tag.lower() for tag in (*metadata.task_categories, *metadata.task_ids))
    known = columns(subset.fields, rows)
    repo_id, config = metadata.ref.repo_id, subset.config
    designs: dict[tuple[frozenset[str], str], TaskDesign] = {}
    for rule in load_rules().rules:
        match = _match(rule, known, tags)
        if match and len(designs) < max_tasks:
            inputs, output = match
            choice = int(digest(repo_id, config, rule.name), 16) % len(rule.phrasings)
            wording = rule.phrasings[choice].format(**_words_for(inputs, output))
            design = TaskDesign(
                instruction=wording,
                input_fields=tuple(column.name for column in inputs),
                output_fields=(output.name,),
            )
            designs.setdefault((frozenset(design.input_fields), output.name), design)
    silent = Rejection(
        repo_id=repo_id,
        config=config,
        level="task",
        stage="instruction",
        reason=Reason.NO_DESIGN,
        detail="the fields have no standard shape that the rules know",
        mode=Mode.RULES,
    )
    return Proposal(
        config=config,
        mode=Mode.RULES,
        request_digest=digest("rules", RULES_VERSION, repo_id, config, subset.fields, tags, subset.rows, max_tasks),
        model="rules",
        designs=tuple(designs.values()),
        shown_fields=tuple(field.name for field in subset.fields if field.kind is not FieldKind.MEDIA),
        problem=None if designs else silent,
    )


def _match(rule: Rule, known: list[Column], tags: tuple[str, ...]) -> tuple[list[Column], Column] | None:
    """The fields that play the rule's inputs and output, when everything holds."""
    table = load_rules()
    if rule.tags and not any(wanted in tag for wanted in rule.tags for tag in tags):
        return None
    cast: list[Column] = []
    for name in (*rule.inputs, rule.output):
        players = [column for column in known if table.roles[name].played_by(column)]
        if len(players) != 1 or players[0] in cast:
            return None
        cast += players
    aside = [table.roles[name] for name in (*rule.beside, "bookkeeping")]
    others = [column for column in known if column not in cast and _has_content(column)]
    if any(not any(role.played_by(column) for role in aside) for column in others):
        return None
    inputs, output = cast[:-1], cast[-1]
    labelled = [column for column in cast if column.labels] or [output]
    if rule.labels and not table.families[rule.labels].holds(labelled[-1].labels):
        return None
    if rule.check and not CHECKS[rule.check](inputs, output):
        return None
    return inputs, output


def _has_content(column: Column) -> bool:
    """Whether a task on other fields could be wrong for leaving this one out: text, labels, lists and structs."""
    kinds = (FieldKind.TEXT, FieldKind.LABEL, FieldKind.LIST, FieldKind.STRUCT)
    return column.spec.kind in kinds and not column.says_nothing


def _words_for(inputs: list[Column], output: Column) -> dict[str, str]:
    """The words that phrasings have braces for."""
    name = inputs[0].plain_name
    noun = _NOUNS.get(name, re.sub(r"[12ab]$", "", name) if name[-1] in "12ab" else name)
    text = noun if noun in _KNOWN_NOUNS else "text"
    scores = output.numbers
    return {
        "text": text,
        "texts": f"{text}s",
        "low": str(math.floor(min(scores))) if scores else "",
        "high": str(math.ceil(max(scores))) if scores else "",
    }
