"""Checks of an instruction as a text that people and models will read: nothing in it acts, hides or leads away."""

from __future__ import annotations

import re
import unicodedata

from dynosaur_core.filter.case import Case, Check
from dynosaur_core.filter.wording import word_set
from dynosaur_core.reasons import Finding, Reason

MAX_CHARS = 2_000
"""Of an instruction; people's longest definitions of a task have about as many."""

_ORDER = r"(?:^|[.!?:;,]\s{1,3}|\n|\b(?:please|and|then|also)\s)"
"""Before a verb that tells the reader to act: a task may well be about people who do the same."""
_LINK = re.compile(
    r"\b[a-z][a-z0-9+.-]{1,20}://"
    r"|\bwww\.\w|\bmailto:"
    r"|\]\((?!\s)[^()\s]{1,300}\)"
    r"|[\w.+-]{1,60}@[\w-]{1,60}\.[a-z]{2,10}\b"
    r"|\b[\w-]{1,60}\.(?:com|org|net|io|co|ai|dev|app|info|biz|xyz|site|online|shop|link|me|ly|gg|top|click|example"
    r"|ru|cn|de|fr|uk|jp|eu|br|nl|pl|su|cc|tv|tk|pw|to)/\S"
    r"|\b\d{1,3}(?:\.\d{1,3}){3}(?::\d{1,5}\b|/\S)"
    rf"|{_ORDER}(?:visit|see|open|browse|go to|check out)\s{{1,3}}"
    r"(?:[\w-]{1,60}\.){1,3}(?:com|org|net|ru|cn|ly|xyz|site)\b"
    r"|(?<!\w)\[[^\[\]\n]{2,80}\]\[\d{1,3}\]",
    re.IGNORECASE,
)
_MARKUP = re.compile(
    r"<\s{0,3}/?\s{0,3}(?:script|iframe|object|embed|svg|meta|base|form)\b"
    r"|<[a-z][^<>]{0,200}\s(?:on[a-z]{3,20}|href|src|style|srcdoc)\s{0,3}="
    r"|\b(?:javascript|vbscript):\s{0,3}\S|\bdata:[a-z]{1,20}/[a-z0-9.+-]{1,40}[;,]",
    re.IGNORECASE,
)
_CONTROL = re.compile(
    r"<\|[\w ]{1,40}\|>|\[/?INST\]|<</?SYS>>|</s>|\b(?:system|assistant)\s{0,2}prompt\s{0,2}:"
    r"|#{2,6}\s{0,3}(?:system|assistant|human|user)\s{0,2}:|\bsystem\s{0,2}:\s{0,3}you (?:are|must)\b"
    r"|\n\s{0,5}(?:human|user)\s{0,2}:[^:]{0,300}\n\s{0,5}assistant\s{0,2}:"
    r"|\b(?:curl|wget)\s[^|\n]{1,200}\|\s{0,3}(?:sudo\s)?(?:ba|z)?sh\b"
    rf"|{_ORDER}(?:send|post|upload|email|forward)\s(?:(?:me|us)\s)?(?:(?:the|your|all|any)\s){{1,2}}"
    r"(?:api keys?|passwords?|credentials|access tokens?)\b",
    re.IGNORECASE,
)
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")

_DROPPING = word_set("ignore ignores ignoring disregard disregarding forget override overriding bypass bypassing")
_FOLLOWING = word_set("follow following obey obeying heed")
_NEGATIONS = word_set("not don't don’t never stop cease")
_EARLIER = word_set("previous prior above earlier preceding foregoing former system initial original your")
_ORDERS = word_set(
    """
    instruction instructions prompt prompts rule rules direction directions directive directives guideline guidelines
    command commands programming
    """
)
_WHOLE = word_set("all any every")
_CERTAIN_ORDERS = _ORDERS - word_set(
    "rule rules direction directions command commands programming guideline guidelines"
)
_SHOWING = word_set("reveal show print repeat output display leak expose disclose recite tell")
_REACH = 6
"""Words between a verb and what it is about."""
_SAID_BEFORE = re.compile(
    r"\b(?:ignore|disregard|forget) (?:all |everything )?(?:that |what )?(?:was |is |has been )?"
    r"(?:you (?:were|have been|are) told|(?:said |written |stated )?(?:above|before this))\b"
    r"|\b(?:ignore|disregard|forget|override|bypass|not follow|don['’]t follow|not obey|don['’]t obey) "
    r"(?:the |your |this )?system (?:message|prompt)\b"
    r"|\b(?:ignore|disregard|forget) (?:all )?(?:of )?(?:the )?(?:aforementioned|foregoing|above) "
    r"(?:text|content|message)\b"
    r"|\bnew (?:system )?instructions? (?:follow|are|is)\b"
    r"|\byou are (?:now|no longer) (?:dan|jailbroken|unrestricted|free of|bound|in developer mode|an? unrestricted)\b"
    r"|\b(?:enter|enable|activate) (?:developer|dan|god) mode\b"
)
_BREAKS = "\n\t\r\x85\u2028\u2029"
"""White space that stands between lines and words, whoever wrote it."""
_JOINERS = "\u200c\u200d"
"""They belong into words of some scripts, and into emoji; between plain letters they hide something."""


def too_long(case: Case) -> Finding | None:
    length = len(case.design.instruction)
    return (Reason.INSTRUCTION_TOO_LONG, f"{length} characters, at most {MAX_CHARS}") if length > MAX_CHARS else None


def odd_characters(case: Case) -> Finding | None:
    """Control, direction, invisible, private and replacement characters: what is shown is not what is there."""
    text = case.design.instruction[: MAX_CHARS + 1]
    if text.isascii() and text.isprintable():
        return None
    for at, char in enumerate(text):
        if _odd(char) or (char in _JOINERS and text[max(0, at - 1) : at + 2].replace(char, "").isascii()):
            return Reason.ODD_CHARACTERS, f"U+{ord(char):04X} {unicodedata.name(char, '')}".strip()
    return None


def _odd(char: str) -> bool:
    if char in _BREAKS or char in _JOINERS:
        return False
    hidden = unicodedata.category(char) in ("Cc", "Cf", "Co", "Cs", "Zl", "Zp")
    return hidden or char == "\ufffd" or "\U000e0100" <= char <= "\U000e01ef"


def link(case: Case) -> Finding | None:
    """A link or an address leads a reader out of the data."""
    found = _LINK.search(_plain(case))
    return (Reason.LINK, found[0][:80]) if found else None


def active_markup(case: Case) -> Finding | None:
    """Markup that a browser acts on. Tags that a task may be about, such as <mask> or <b>, are none."""
    found = _MARKUP.search(_plain(case))
    return (Reason.ACTIVE_MARKUP, found[0][:80]) if found else None


def prompt_injection(case: Case) -> Finding | None:
    """Words to the model that will read the record, about the instructions that it has."""
    text = _plain(case)
    if found := _CONTROL.search(text):
        return Reason.PROMPT_INJECTION, found[0]
    words = [word.lower() for word in _WORD.findall(text)]
    if found := _SAID_BEFORE.search(" ".join(words)):
        return Reason.PROMPT_INJECTION, found[0]
    for at, word in enumerate(words):
        reach = words[at + 1 : at + 1 + _REACH]
        drops = word in _DROPPING or (word in _FOLLOWING and _NEGATIONS & set(words[max(0, at - 2) : at]))
        if (drops and _orders(reach)) or (word in _SHOWING and _own(reach)):
            return Reason.PROMPT_INJECTION, " ".join([word, *reach])
    return None


def _orders(words: list[str]) -> bool:
    """Whether the words are about orders given before: "all previous instructions", "the rules above"."""
    for at, word in enumerate(words):
        if word in _ORDERS:
            around = set(words[:at]) | set(words[at + 1 : at + 2]) & {"above", "before"}
            return bool(around & _EARLIER) or (word in _CERTAIN_ORDERS and bool(around & _WHOLE))
    return False


def _own(words: list[str]) -> bool:
    """Whether the words are about the reader's own orders: "your system prompt"."""
    if "your" not in words[:3]:
        return False
    after = words[words.index("your") + 1 :][:3]
    return any(word in _ORDERS - {"command", "commands", "direction", "directions"} for word in after)


def _plain(case: Case) -> str:
    """The instruction with letters of other shapes (full width, mathematical) as plain ones; bounded."""
    return unicodedata.normalize("NFKC", case.design.instruction[: MAX_CHARS + 1])


HARMLESS: tuple[Check, ...] = (too_long, odd_characters, link, active_markup, prompt_injection)
