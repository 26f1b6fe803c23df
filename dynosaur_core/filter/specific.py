"""Does the instruction speak of the dataset, or of a few of its rows, or of an example that its designer was shown?

A task's instruction is applied to every row. One that speaks of Natalia's clips, of the parotid gland or of innocent
passage was made from one row. Its words outside the vocabulary of tasks and the names of the dataset then stand close
together in few rows.
"""

from __future__ import annotations

import numpy as np

from dynosaur_core.evidence import Evidence, Places
from dynosaur_core.filter.case import Case, Check
from dynosaur_core.filter.vocabulary import FUNCTION_WORDS, is_task_word
from dynosaur_core.filter.wording import Instruction, field_words, stem
from dynosaur_core.models import FieldKind
from dynosaur_core.reasons import Finding, Reason

RARE_SHARE = 0.05
"""A word or phrase is particular when at most this share of the rows holds it (and at least one does)."""
PHRASE_SHARE = 0.5
"""The same for a long phrase of words that no task is described with: boilerplate of the rows, not the topic of all."""
NEAR = 300
"""Bytes within which words count as standing together."""
COPIED_SHARE = 0.8
"""Word overlap (Jaccard) from which on an instruction is a copy."""
MOST_OPTIONS = 10
RUN = 6
"""Words on end that do not come twice by chance."""


def copied_example(case: Case) -> Finding | None:
    """The instruction is that of an in-context example, but for a word or so."""
    words = example_words(case.design.instruction)
    for example in case.examples:
        if words and len(words & example) >= COPIED_SHARE * len(words | example):
            return Reason.COPIED_EXAMPLE, "it repeats an example of the prompt"
    return None


def example_words(instruction: str) -> frozenset[str]:
    """The words by which copies of an example are known."""
    return frozenset(word for word in Instruction(instruction).stems if word.isalnum())


def row_specific(case: Case) -> Finding | None:
    """The instruction quotes a few rows, or rare words of theirs stand together in it."""
    if run := _verbatim(case):
        return Reason.ROW_SPECIFIC, f"{run!r} stands so in a few rows"
    strange = strange_words(case)
    words = list(dict.fromkeys(strange.values()))
    present = {word: places for word in words if len(places := _rare(case.rows, word)) and _was_shown(case, word)}
    together = _together(list(present.items()))
    # Classes with names ask the same of every row, so that strange words mostly explain them.
    enough = 3 if _names_classes(case) else 2
    if len(together) >= enough and len(together) * 2 >= len(words):
        return Reason.ROW_SPECIFIC, f"it speaks of {', '.join(together)}, which stand together in few rows"
    # One word alone is enough where the designer is known to have seen it in a row.
    if case.shown_fields is not None and not _names_classes(case) and (word := _particular(case, strange, present)):
        return Reason.ROW_SPECIFIC, f"it speaks of {word!r}, as few rows do"
    return None


def _was_shown(case: Case, phrase: str) -> bool:
    """Whether the designer can have it from a row; it may, unless it is known which rows it was shown."""
    return case.shown_fields is None or _root(phrase) in case.shown_text


def _verbatim(case: Case) -> str | None:
    """Six words of the instruction on end, or all of a short one, that a few rows hold letter by letter.

    With strange words among them they are no wording of tasks, and more rows may share them.
    """
    words = [token.lower().replace("'", " ") for token in case.instruction.tokens if token[0].isalnum()]
    size = min(RUN, len(words))
    if size < 4:
        return None
    # Each run holds a part of four words that begins at a multiple of three: few searches rule out most.
    parts = [at for at in range(0, len(words) - 3, 3) if case.rows.holds(" ".join(words[at : at + 4]))]
    for start in sorted(
        {start for at in parts for start in range(max(0, at - size + 4), min(at, len(words) - size) + 1)}
    ):
        run = words[start : start + size]
        # Runs of words that any question has say nothing.
        if sum(word not in FUNCTION_WORDS for word in run) >= 2:
            own = own_words(case)
            strange = sum(not is_task_word(stem(word)) and not _is_own(stem(word), own) for word in run)
            words_of_run = " ".join(run)
            share = PHRASE_SHARE if strange >= 2 else RARE_SHARE
            if _was_shown(case, words_of_run) and len(_rare(case.rows, words_of_run, share)):
                return words_of_run
    return None


def _names_classes(case: Case) -> bool:
    """The output is a number or one of few classes that have names."""
    if case.output.kind is not FieldKind.TEXT:
        return not _marks_options(case)
    return case.rows.distinct(case.output.name) * 20 <= case.rows.rows and not _marks_options(case)


def _marks_options(case: Case) -> bool:
    """The output is the letter or number of an option of the row's own question."""
    if case.rows.distinct(case.output.name) > MOST_OPTIONS or all(f.kind is not FieldKind.LIST for f in case.inputs):
        return False
    return all(len(str(value)) == 1 for value in case.rows.values(case.output.name).to_pylist())


def strange_words(case: Case) -> dict[int, str]:
    """Position -> stem of the words that are neither task vocabulary nor taken from the dataset's own names."""
    own = own_words(case)
    return {
        at: word
        for at in case.instruction.plain
        if len(word := case.instruction.stems[at]) > 2
        and word[0].isalnum()
        and not word.isdigit()
        and not is_task_word(word)
        and not _is_own(word, own)
    }


def own_words(case: Case) -> frozenset[str]:
    names = [case.repo_id, case.subset.config, *(field.name for field in case.subset.fields)]
    names += [label for field in case.subset.fields if field.kind is FieldKind.LABEL for label in field.label_names]
    return frozenset(word for name in names for word in field_words(name) if len(word) > 2)


def _is_own(word: str, own: frozenset[str]) -> bool:
    """Equal, or of one family: philosophical and philosophy; or part of a run-together name."""
    return word in own or any(
        (len(word) > 4 and (word[:5] == name[:5] or word in name)) or (len(name) > 4 and name in word) for name in own
    )


def _particular(case: Case, strange: dict[int, str], present: dict[str, Places]) -> str | None:
    """A capitalised word inside a sentence, or a word with its neighbour, as they stand in few rows."""
    tokens, stems = case.instruction.tokens, case.instruction.stems
    for at in (at for at, word in strange.items() if word in present):
        if at and tokens[at - 1] not in ".?!:\"'" and tokens[at].istitle():
            return tokens[at]
        for words in (stems[at : at + 2], stems[max(0, at - 1) : at + 1]):
            told = len(words) == 2 and all(len(w) > 2 and w.isalpha() and w not in FUNCTION_WORDS for w in words)
            phrase = " ".join(words)
            if told and _was_shown(case, phrase) and len(_rare(case.rows, phrase)):
                return phrase
    return None


def _rare(rows: Evidence, phrase: str, share: float = RARE_SHARE) -> Places:
    """Where a phrase stands, when that is in few rows; nowhere when it is common."""
    limit = max(2, int(rows.rows * share))
    places = rows.find(_root(phrase), 4 * limit)
    if places is None or len(np.unique(rows.rows_of(places))) > limit:
        return np.zeros(0, dtype=np.int64)
    return places


def _root(phrase: str) -> str:
    """What the forms of the last word have in common: plural, past and so on are found by their beginning."""
    return phrase[:-1] if phrase.endswith(("y", "e")) and len(phrase) > 4 else phrase


def _together(places: list[tuple[str, Places]]) -> list[str]:
    """The largest set of words that stand within `NEAR` bytes of one place of one of them."""
    best: list[str] = []
    for _, anchors in places:
        for anchor in anchors:
            near = [word for word, found in places if np.any(np.abs(found - anchor) <= NEAR)]
            if len(near) > len(best):
                best = near
    return best


SPECIFIC: tuple[Check, ...] = (row_specific,)
