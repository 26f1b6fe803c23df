"""What a model thinks aloud before it answers, taken off: only what stands after the thoughts is read."""

from __future__ import annotations

import re

from dynosaur_core.llm.literals import Reader, next_opening

_NAMES = r"(?:[a-z]{1,10}:)?(?:think|thinking|thought|thoughts|reasoning|reflection|analysis|scratchpad)"
_MARK = re.compile(
    rf"""
    (?P<open>  <{_NAMES}(?:\s[^<>]{{0,80}})?> | \[THINK\] | ◁think▷ | <\|(?:begin_of_thought|START_THINKING)\|> )
  | (?P<close> </{_NAMES}\s{{0,3}}> | \[/THINK\] | ◁/think▷ | <\|(?:end_of_thought|END_THINKING)\|> )
  | <\|channel\|>\s{{0,3}}(?P<channel>\w{{1,30}})[^<]{{0,80}}(?:<\|constrain\|>[^<]{{0,30}})?<\|message\|>
  | (?P<end>   <\|(?:end|return|call)\|> )
    """,
    re.VERBOSE | re.IGNORECASE,
)
_BARE_CHANNEL = re.compile(r"\s{0,9}analysis")
_BARE_FINAL = re.compile(r"assistant\s{0,3}final(?:\s{0,3}json)?", re.IGNORECASE)
"""Harmony's channels where a server has dropped the special tokens: `analysis...assistantfinal{...}`."""


def after_thoughts(text: str) -> str:
    """The text without what its marks say was only thought.

    Known marks: `<think>` and its like, `[THINK]`, `◁think▷`, harmony's channels. Thoughts that never end leave
    nothing; a mark that closes what nothing opened ends thoughts that the prompt had opened. Marks inside a whole JSON
    value are part of that value.
    """
    kept: list[str] = []
    thinking, final, at = False, False, 0
    for mark in _marks(text):
        before = "" if thinking else text[at : mark.start()]
        at = mark.end()
        if mark["close"]:
            kept = kept if thinking else []
            thinking = False
        elif mark["channel"]:
            thinking = mark["channel"].lower() != "final"
            if not final or not thinking:
                kept = []
            else:
                kept.append(before)
            final = final or not thinking
        else:
            kept.append(before)
            thinking = True
    found = "".join(kept) + ("" if thinking else text[at:])
    finals = list(_BARE_FINAL.finditer(found)) if _BARE_CHANNEL.match(found) else []
    return found[finals[-1].end() :] if finals else found


def _marks(text: str) -> list[re.Match[str]]:
    """The marks outside of whole JSON values, in order."""
    found = list(_MARK.finditer(text))
    if not found:
        return []
    reader, at, inside = Reader(text), 0, list[tuple[int, int]]()
    while (start := next_opening(text, at)) is not None and not reader.spent:
        end = reader.end_of(start)
        if end is not None:
            inside.append((start, end))
        at = start + 1 if end is None else end
    spans = iter(inside)
    span = next(spans, None)
    outside = []
    for mark in found:
        while span is not None and span[1] <= mark.start():
            span = next(spans, None)
        if span is None or mark.start() <= span[0]:
            outside.append(mark)
    return outside
