"""An instruction taken apart into words, without grammar."""

from __future__ import annotations

import re
from functools import cached_property, lru_cache


def word_set(text: str) -> frozenset[str]:
    """A table of words, written as they are read."""
    return frozenset(text.split())


_TOKEN = re.compile(r"[^\W_]+(?:['’][a-z]+)?|[^\w\s]", re.UNICODE)
_CLOSING = {"(": ")", "[": "]", "{": "}", "<": ">", '"': '"', "“": "”", "'": "'", "‘": "’"}
_GIVEN = re.compile(r"\b(?:given|provided|based on|depending on)\b[^.,;:?!]*")
_NAME_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_a-zA-Z]+")

ARTICLES = word_set("a an the its their his her this that these those some any each every both all two three")
TEXT_NOUNS = word_set(
    """
    text sentence question passage paragraph document article answer query phrase word title premise hypothesis
    summary statement review tweet comment post message story context code snippet conversation dialogue utterance
    response
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
    """The instruction's tokens and stems."""

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
    def asked(self) -> str:
        """In lower case, without the clauses that name what is given: "Given a sentence, ..."."""
        return _GIVEN.sub("", self.lower)

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
