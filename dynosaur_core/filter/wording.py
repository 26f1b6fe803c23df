"""An instruction taken apart: its words, what it takes as given, and what it asks for.

No grammar, just word tables and positions: enough to tell "given A, write B" from "given B, write A". A check that
accuses goes by exact field names; one that acquits takes any hint.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property, lru_cache


def word_set(text: str) -> frozenset[str]:
    """A table of words, written as they are read."""
    return frozenset(text.split())


_TOKEN = re.compile(r"[^\W_]+(?:['’][a-z]+)?|[^\w\s]", re.UNICODE)
_CLOSING = {"(": ")", "[": "]", "{": "}", "<": ">", '"': '"', "“": "”", "'": "'", "‘": "’"}
_NAME_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_a-zA-Z]+")

ARTICLES = word_set("a an the its their his her this that these those some any each every both all two three")
DEFINITE = word_set("the its their this that these those each every both given provided")
SOURCE_PREPOSITIONS = word_set("of from in to about with for on by between into whether if does do is are")
# "To the correct answer" speaks of what is to be found.
_PICKED = word_set("correct right best appropriate most new other")
PRODUCING_VERBS = word_set(
    """
    generate write create produce compose predict identify find provide give extract design infer name state tell
    determine output guess list recover formulate construct develop invent formulate supply return
    """
)
TEXT_NOUNS = word_set(
    """
    text sentence question passage paragraph document article answer query phrase word title premise hypothesis
    summary statement review tweet comment post message story context code snippet conversation dialogue utterance
    response
    """
)
# A noun that follows a field's name and makes that name a mere modifier: "answer choices" are not an answer.
HEAD_NOUNS = TEXT_NOUNS | word_set(
    """
    choice option type label category class score pair id identifier url link index length level candidate set span
    list number format field topic style key part sequence representation
    """
)
NEGATIVE = re.compile(
    r"\b(?:no|not|never|without|in(?:correct|valid|accurate|appropriate)|wrong\w*|errors?|error\w*|false\w*|mistak\w+|bad|worse|worst|"
    r"un\w+|dis\w+|im(?:plausible|possible|proper)|ill|negative|reject\w*|down\w*vot\w*|poor\w*|corrupt\w*|distract\w*|opposite|"
    r"less|contradict\w*|nois\w+|harm\w*|toxic\w*|offensive\w*|violat\w+|different\w*|break\w*)\b"
)
NEGATIVE_NAMES = word_set(
    """
    incorrect wrong bad worse worst rejected downvoted negative distractor distractors false corrupted invalid
    """
)


_IRREGULAR = {"movies": "movie", "series": "series", "cookies": "cookie", "dies": "die", "ties": "tie", "lies": "lie"}


@lru_cache(maxsize=16384)
def stem(word: str) -> str:
    """The word without possessive and plural ending."""
    word = re.sub(r"['’]s?$", "", word)
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 4 and word.endswith(("sses", "xes", "ches", "shes")):
        return word[:-2]
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


@lru_cache(maxsize=4096)
def field_words(name: str) -> tuple[str, ...]:
    """`QueryBody`, `query_body` and `query-body2` are the words query, body. Numbers count only when alone."""
    parts = [part.lower() for part in _NAME_PART.findall(name)]
    words = [stem(part) for part in parts if not part.isdigit()]
    return tuple(words or parts)


class Instruction:
    """The instruction's tokens, stems, and the spans in which it says what is given."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens: list[str] = _TOKEN.findall(text)
        self.stems: list[str] = [stem(token.lower()) for token in self.tokens]

    @cached_property
    def words(self) -> frozenset[str]:
        """All stems."""
        return frozenset(self.stems)

    @cached_property
    def lower(self) -> str:
        return self.text.lower()

    @cached_property
    def asked_text(self) -> str:
        """The words outside the given clauses, lower case."""
        return " ".join(self.tokens[at].lower() for at in self.asked)

    @cached_property
    def given(self) -> tuple[range, ...]:
        """Token positions of the clauses that name the inputs: "Given ...", "based on ...", "provided ..."."""
        spans: list[range] = []
        for at in range(len(self.tokens)):
            start = self._clause_start(at)
            if start is not None and not (spans and at < spans[-1].stop):
                spans.append(range(start, self._clause_end(start)))
        return tuple(spans)

    @cached_property
    def asked(self) -> tuple[int, ...]:
        """Token positions outside the given clauses."""
        inside = {at for span in self.given for at in span}
        return tuple(at for at in range(len(self.tokens)) if at not in inside)

    @cached_property
    def plain(self) -> tuple[int, ...]:
        """Token positions outside brackets, quotes and lists of examples: there stand label names, not claims."""
        inside, until = [], None
        for at, token in enumerate(self.tokens):
            if until is None:
                until = _CLOSING.get(token)
                if self.stems[at - 1 : at + 1] in (["such", "as"], ["for", "example"]) or token in ("including", "e.g"):
                    until = "."
                if until is None:
                    inside.append(at)
            elif token == until or (until == "." and token in ";?!"):
                until = None
        return tuple(inside)

    def find(self, words: Sequence[str]) -> list[int]:
        """Positions where these stems stand in a row, as a phrase of its own and not before another noun."""
        if all(len(word) < 2 or word in ARTICLES | SOURCE_PREPOSITIONS for word in words):
            return []  # a field named `A` or `to` cannot be told from the article and the preposition
        size, found = len(words), []
        for at in range(len(self.stems) - size + 1):
            if all(self.stems[at + i] == word for i, word in enumerate(words)):
                after = self.stems[at + size] if at + size < len(self.stems) else ""
                if after not in HEAD_NOUNS:
                    found.append(at)
        return found

    def gives(self, words: Sequence[str]) -> bool:
        """A given clause names it as one of the things at hand: "given A and B", not "given the A of a B"."""
        return any(at in span and self._heads(at, span.start) for at in self.find(words) for span in self.given)

    def refers_to(self, words: Sequence[str]) -> bool:
        """It is spoken of as something at hand: "to the question", "whether the answer", "from the premise"."""
        return any(self._at_hand(at) for at in self.find(words))

    def objects(self) -> list[tuple[list[str], int]]:
        """What producing verbs ask for: the noun phrase's stems, and the position after it."""
        found = []
        for at in self.asked:
            if self.stems[at] in PRODUCING_VERBS:
                phrase, end = self._noun_phrase(at + 1)
                if phrase:
                    found.append((phrase, end))
        return found

    def _clause_start(self, at: int) -> int | None:
        word, before = self.stems[at], self.stems[at - 1] if at else ""
        after = self.stems[at + 1] if at + 1 < len(self.stems) else ""
        if word in ("given", "provided") and before not in ARTICLES | {"be", "is", "are", "of"}:
            return at + 1
        if word in ("based", "depending", "conditioned") and after in ("on", "upon"):
            return at + 2
        return None

    def _clause_end(self, start: int) -> int:
        for at in range(start, len(self.tokens)):
            if self.tokens[at] in ".;:?!":
                return at
            after = self.stems[at + 1] if at + 1 < len(self.stems) else ""
            if self.tokens[at] == "," and (after not in ARTICLES | {"and", "or"} or self._is_task(at + 1)):
                return at
        return len(self.tokens)

    def _is_task(self, at: int) -> bool:
        return self.stems[at : at + 2] in (["the", "task"], ["the", "goal"], ["your", "task"])

    def _at_hand(self, at: int) -> bool:
        """Before it stand a preposition, "the" or its like, and perhaps a word or two: "to the biology question"."""
        definite = False
        for word in reversed(self.stems[max(0, at - 4) : at]):
            if word in DEFINITE:
                definite = True
            elif word in SOURCE_PREPOSITIONS:
                return definite
            elif definite or not word.isalnum() or word in _PICKED:
                return False
        return False

    def _heads(self, at: int, start: int) -> bool:
        """Only an article and perhaps two words stand between it and the clause's start, a comma or "and"."""
        for back in range(at - 1, max(start, at - 4) - 1, -1):
            if self.stems[back] in (",", "and", "or", "plus"):
                return True
            if self.stems[back] in SOURCE_PREPOSITIONS:
                return False
        return at - start <= 3

    def _noun_phrase(self, at: int) -> tuple[list[str], int]:
        phrase: list[str] = []
        while at < len(self.stems) and self.stems[at].isalnum() and len(phrase) < 6:
            word = self.stems[at]
            if word in SOURCE_PREPOSITIONS or word in (
                "that",
                "which",
                "who",
                "and",
                "or",
                "as",
                "whose",
                "given",
                "so",
            ):
                break
            if word not in ARTICLES:
                phrase.append(word)
            at += 1
        return phrase, at
