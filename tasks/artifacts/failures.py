"""`failed-datasets`: all that still fails, by code, with what to do about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from dynosaur_core.failing import FailedDataset, SameCode, is_new
from dynosaur_core.ledger import Outcome
from dynosaur_core.text import markdown_text
from tasks.artifacts.pages import NAMES, and_more, key_of, linked, submit_again

_MESSAGE_CHARS = 400


def failed_markdown(codes: Sequence[SameCode], since: datetime, options: Mapping[str, Any]) -> str:
    """The page. `since` is when this growth began: what fails since then is new; `options` are those of this run."""
    if not codes:
        return "# No dataset fails\n\nEvery dataset of the ledger is grown or refused. `growth-report` says by what."
    parts = [f"# {failed_sentence(codes)}"]
    room = NAMES
    for same in codes:
        parts += _code(same, min(room, len(same.shown)), since, options)
        room -= min(room, len(same.shown))
    return "\n\n".join(parts)


def failed_sentence(codes: Sequence[SameCode]) -> str:
    """How many fail, and how many of them are new."""
    count, new = sum(same.count for same in codes), sum(same.new for same in codes)
    what = "dataset fails" if count == 1 else "datasets fail"
    return f"{count:,} {what}, {new:,} new tonight"


def _code(same: SameCode, room: int, since: datetime, options: Mapping[str, Any]) -> list[str]:
    new = f", {same.new:,} new tonight" if same.new else ""
    lines = [_dataset(each, since) for each in same.shown[:room]]
    return [
        f"## {same.code}: {same.count:,} {same.outcome}{new}",
        f"**What to do:** {same.what_to_do}",
        "\n".join(lines),
        *and_more(same.count - len(lines), "`dynosaur failed --json` names all"),
        "To try these again:",
        submit_again({"errors": [same.code]}, options, ["--error", same.code]),
    ]


def _dataset(each: FailedDataset, since: datetime) -> str:
    if is_new(each, since):
        when = "**new tonight**"
    else:
        when = f"since {each.since:%Y-%m-%d}" if each.since else "since an earlier night"
    facts = f"{when}, in {each.stage}, {each.nights}, {each.due}"
    # from the page of this artifact, whatever the UI's version and address
    evidence = f", [evidence](../key/{key_of(each.dataset)})" if each.outcome is Outcome.FAILED else ""
    message = markdown_text(each.message, _MESSAGE_CHARS)
    return f"- {linked(each.dataset, each.link)} ({facts}{evidence})\n\n    {message}\n"
