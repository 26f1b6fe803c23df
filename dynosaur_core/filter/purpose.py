"""Does the instruction say what to do? Field names, placeholders, code and plain statements do not.

An instruction asks: by a verb in the place of one, by the name of an act ("sentiment classification"), by a question.
And it asks for something: words are left when those that any task could be described with are taken away.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from dynosaur_core.filter.case import Case, Check
from dynosaur_core.filter.specific import own_words, strange_words
from dynosaur_core.filter.vocabulary import ACTS, FUNCTION_WORDS, NAMING_ACTS, is_task_word, names_act
from dynosaur_core.filter.wording import ARTICLES, TEXT_NOUNS, Instruction, field_words, word_set
from dynosaur_core.reasons import Finding, Reason

# What is left of "get the required output from the given input fields" is nothing.
PLACEHOLDERS = word_set("input output")
_GENERIC = PLACEHOLDERS | word_set(
    """
    instruction field column row record value data dataset item instance example entry task information result key
    step thing provided following specified corresponding appropriate correct desired required necessary method way
    process list generate write create produce provide return find predict determine identify obtain fetch retrieve
    execute perform
    """
)
# The same in a text that speaks of JSON and the form of the answer: it then tells of programs, not of a task.
_MACHINERY = word_set(
    """
    json array object string file function map parse decode encode convert serialize store add choose select specify
    contain need work allow format code command multiple pass set integer number order
    """
)
_EITHER = _GENERIC | _MACHINERY
_ECHO = re.compile(
    r"\bjson|\b(?:in|out)puts?[ _](?:fields?|tasks?)\b|\boutputs? (?:from|of) the \w*\s?inputs?\b|\blist of tasks\b"
)
_PROMPT = re.compile(
    r"\b(?:fits? every row|applied to every row|as its instruction|choose the output field|tells? a person how)\b"
)
_SCHEMA_KEY = re.compile(r"\b(?:in|out)put_fields?\b")
_CODE_MARK = re.compile(r"[`_]|\(\)")
_IDENTIFIER = re.compile(r"`[^`]*`|\b\w+\.\w+\(\)|\b[^\W_]+(?:_+[^\W_]+)+\b(?:\(\))?")
_CALL = re.compile(r"\bus(?:e|ing) the (?:function |method |command )?$", re.IGNORECASE)
_FRAGMENT = re.compile(r"\W*(?:[{\[]\s*[\"'{\[]|\"\w+\"\s*:|[\w.]+\.\w+\()")
_DATASET = re.compile(
    r"\b(?:dataset|data set|corpus|benchmark)\W+(?:\([^)]*\)\W*)?"
    r"(?:is|are|was|were|has|have|contains?|consists?|comprises?|includes?|provides?|covers?)\b"
    r"|\bis an? (?:[\w-]+ ){0,4}(?:dataset|data set|corpus|collection|benchmark)\b"
)
# A verb stands after these, or after a mark; after other words it may be a noun.
_LEADS = word_set(
    """
    to please and or then you must should shall can could will would may might not n't ai model system me us first next
    also now just simply briefly correctly be task job goal
    """
)
_LIGHT = word_set("give make say put turn follow")
_QUESTION = word_set("what which who whom whose where when why how is are was were do does did has have whether if")
_CLAUSES = word_set("what which who whether how why")
_NO_VERBS = FUNCTION_WORDS - _LIGHT | _EITHER | {"send"}
# No sentence ends so; a stranded preposition may end one: "the word that it refers to".
_OPEN = word_set("the a an and or your their its if be can")
_STRANDED = word_set("to of for by with from")
_LINKS = word_set("of for from to in into about between with as by or")


def not_an_instruction(case: Case) -> Finding | None:
    """It does not ask, or asks for nothing."""
    why = _form(case) or _purpose(case)
    return (Reason.NOT_AN_INSTRUCTION, why) if why else None


def _form(case: Case) -> str | None:
    instruction, text = case.instruction, case.design.instruction
    if _FRAGMENT.match(text):
        return "it is a piece of code or JSON"
    if _CODE_MARK.search(text) and any(_calls(case, match) for match in _IDENTIFIER.finditer(text)):
        return "it tells to call a function"
    key = _SCHEMA_KEY.search(instruction.lower)
    if _PROMPT.search(instruction.lower) or (key and key[0] not in case.fields):
        return "it repeats the prompt"
    words = [word for word in instruction.stems if word[:1].isalpha()]
    if len(words) < 2:
        return "it is one word"
    return "it is cut off" if _cut_off(instruction, words) else None


def _calls(case: Case, identifier: re.Match[str]) -> bool:
    return _CALL.search(identifier.string[: identifier.start()]) is not None and not _is_name(case, identifier[0])


def _cut_off(instruction: Instruction, words: list[str]) -> bool:
    last = instruction.tokens[-1]
    if (
        last in (",", "-", "(")
        or last.endswith(("'s", "’s"))
        or instruction.text.count("(") > instruction.text.count(")")
    ):
        return True
    if not last.isalpha():
        return False
    if words[-1] in _OPEN or words[-2:] in (["which", "is"], ["that", "is"]):
        return True
    return words[-1] in _STRANDED and not instruction.words & _QUESTION and "that" not in instruction.words


def _purpose(case: Case) -> str | None:
    instruction = _without_code(case)
    echo = _ECHO.search(case.instruction.lower) is not None
    content = [word for word in instruction.stems if word[:1].isalpha() and word not in FUNCTION_WORDS]
    dropped = _EITHER if echo else _GENERIC
    left = [word for word in content if word not in dropped or word in _wired(case)]
    if not left and (content or not _asks(instruction)):
        return "it names neither a task nor content"
    places = range(len(instruction.stems))
    if _DATASET.search(instruction.lower) and not any(
        _opens(instruction, at) and _is_act(instruction, at) for at in places
    ):
        return "it describes a dataset"
    if any(_is_act(instruction, at) and not (echo and instruction.stems[at] in _MACHINERY) for at in places):
        return None
    if echo:
        return "it repeats words of the prompt"
    return None if _asks(instruction) else _statement(case, instruction, content)


def _wired(case: Case) -> frozenset[str]:
    """Words of the names of inputs and output: `value` says something where a field is called so."""
    names = (*case.design.input_fields, case.output.name)
    return frozenset(word for name in names for word in field_words(name)) - PLACEHOLDERS


def _statement(case: Case, instruction: Instruction, content: Collection[str]) -> str | None:
    """Why a text without a verb that asks is none: names alone, or words that name no output and no task."""
    own = own_words(case)
    if all(word in own for word in content) and not instruction.words & _LINKS:
        return "it is the name of a field or label"
    if instruction is not case.instruction:
        return "it asks for nothing, and speaks of names that no field has"
    target = set(field_words(case.output.name)).union(*map(field_words, case.output.label_names))
    if target <= PLACEHOLDERS:
        target |= TEXT_NOUNS  # a field called `output` may be any of these
    if target & instruction.words:
        return None
    if len(set(content)) < 2 or strange_words(case):
        return f"it asks for nothing, and does not name {case.output.name}"
    return None


def _without_code(case: Case) -> Instruction:
    """The instruction without code spans and identifiers, but for the names of fields and labels."""
    text = case.design.instruction
    if not _CODE_MARK.search(text):
        return case.instruction
    kept = _IDENTIFIER.sub(lambda match: match[0] if _is_name(case, match[0]) else " ", text)
    return case.instruction if kept == text else Instruction(kept)


def _is_name(case: Case, identifier: str) -> bool:
    name = identifier.strip("`'\" ()")
    return name in case.fields or any(name in field.label_names for field in case.subset.fields)


def _is_act(instruction: Instruction, at: int) -> bool:
    """Whether a verb that asks stands there."""
    word = instruction.stems[at]
    if word in ACTS:
        before = instruction.stems[at - 1] if at else ""
        return _led(before) or (word not in NAMING_ACTS and before not in ARTICLES)
    if word in FUNCTION_WORDS:
        return word in _LIGHT and _led(instruction.stems[at - 1] if at else "")
    return names_act(word) or _any_verb(instruction, at)


def _led(before: str) -> bool:
    return not before.isalpha() or before in _LEADS or before.endswith("ly")


def _any_verb(instruction: Instruction, at: int) -> bool:
    """An unknown verb in the place of one, whose object is a clause or a thing of tasks: "lemmatize the word"."""
    word, phrase = instruction.stems[at], instruction.stems[at + 1 : at + 6]
    if not phrase or not word.isalpha() or word in _NO_VERBS or not _opens(instruction, at):
        return False
    if phrase[0] not in ARTICLES:
        return phrase[0] in _CLAUSES
    return any(noun not in FUNCTION_WORDS and noun not in _GENERIC and is_task_word(noun) for noun in phrase[1:])


def _opens(instruction: Instruction, at: int) -> bool:
    """A verb there opens a sentence, or is said to "you" or to be the task."""
    before = instruction.stems[max(0, at - 2) : at]
    return not before or not before[-1].isalpha() or before[-1] in _TOLD or before == ["is", "to"]


_TOLD = word_set("please you should must")


def _asks(instruction: Instruction) -> bool:
    """A question; "can you ..." is none, and needs a verb."""
    if "?" in instruction.tokens and instruction.stems[1:2] != ["you"]:
        return True
    return any(
        word in _QUESTION and (at == 0 or not instruction.stems[at - 1].isalpha())
        for at, word in enumerate(instruction.stems)
    )


PURPOSE: tuple[Check, ...] = (not_an_instruction,)
