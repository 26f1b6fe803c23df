"""All error codes: `ERRORS` says what is done about each and what a person can do, codes.toml what happened."""

from __future__ import annotations

from collections.abc import Iterator

from docs.generator.groups import read_groups
from dynosaur_core.errors import ERRORS, Code, ErrorPolicy, Retrier
from dynosaur_core.reasons import REASONS

_RETRIERS = {
    Retrier.REQUEST: "the request is sent again",
    Retrier.TASK: "Prefect runs the stage again",
    Retrier.RELEASE: "the release is written again",
}
_OF_NO_DATASET = {Code.GROWTH_RUNNING, Code.RELEASE_CONFLICT, Code.RELEASE_FAILED}
"""Codes that no dataset fails with."""


def made() -> str:
    """A heading for each group and each code."""
    parts = []
    for group in read_groups("codes"):
        parts.append(f"## {group.title}\n")
        parts += [_entry(Code(name), meaning) for name, meaning in group.entries.items()]
    return "\n".join(parts)


def _entry(code: Code, meaning: str) -> str:
    said = " ".join(f"{sentence}." for sentence in _consequences(code, ERRORS[code]))
    return f"### {code}\n\n{meaning}\n\n**What to do.** {ERRORS[code].advice}\n\n**What Dynosaur does.** {said}\n"


def _consequences(code: Code, policy: ErrorPolicy) -> Iterator[str]:
    if at_once := [words for retrier, words in _RETRIERS.items() if retrier in policy.retried_by]:
        yield f"Within seconds or minutes {' and '.join(at_once)}"
    if policy.wrong_command:
        yield "The command ends with exit status 2"
    if policy.stops_growth:
        yield "No further dataset is begun in this growth"
    if code in _OF_NO_DATASET:
        yield "The next growth does what was left undone"
    elif policy.deferred:
        yield "The dataset is deferred: the next growth takes it, and it does not count as failed"
    elif policy.nights > 1:
        yield f"The dataset is tried on up to {policy.nights} nights, then quarantined"
        if hours := policy.wait.total_seconds() / 3600:
            yield f"The second attempt comes {hours:.0f} hours later at the earliest; each further wait is doubled"
    elif not policy.wrong_command and policy.confirmed_by is None:
        yield "The dataset is not tried again before its revision, or a stage of Dynosaur, changes"
    if policy.withdraws:
        why = f"`{policy.withdraws}`: {REASONS[policy.withdraws]}"
        yield f"Records of the dataset that were released leave the release (reason {why})"
    if policy.one_config:
        yield "Other configs of the dataset are read all the same"
    if policy.confirmed_by:
        yield f"With `{policy.confirmed_by}`, for one run, a person confirms that it is meant"
